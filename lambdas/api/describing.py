"""The words that the OpenAPI document is made of."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

VERSION: Json = {"type": "string", "description": "The release's version: a digest of all that is in it."}


def ref(name: str) -> Json:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def fields(properties: Json) -> Json:
    """An object that has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


def maybe(kind: str, description: str) -> Json:
    """A value of a kind, or null."""
    return {"type": [kind, "null"], "description": description}


def operation_id(summary: str) -> str:
    """The name of an operation, made of what it does."""
    return summary.lower().replace(",", "").replace("'", "").replace(" ", "_")


def json_of(schema: str) -> Json:
    """A reply that holds JSON of a named schema."""
    return {"description": schema, "content": {"application/json": {"schema": ref(schema)}}}


def problems(*statuses: int) -> Json:
    """The replies that say what is wrong, by status."""
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(statuses)}
