"""Problem details (RFC 9457): what every error is answered with."""

from typing import Annotated, Any

from pydantic import Field

from andamio.errors import PROBLEM_TYPES, REASON_CODES
from lambdas.api.models import ApiModel
from lambdas.api.replies.problems import MEDIA_TYPE
from lambdas.api.requests.body import LIMIT


def _left_out(schema: dict[str, Any]) -> None:
    """Of a field that is left out where there is nothing, and never null."""
    del schema["default"]
    (kind, _) = schema.pop("anyOf")
    schema |= kind


class FieldError(ApiModel):
    """What is wrong with one field."""

    index: Annotated[
        int | None,
        Field(description="Which record, from 0; left out for a single one", json_schema_extra=_left_out),
    ] = None
    field: str
    code: Annotated[
        str | None,
        Field(
            description="What is wrong with the record, one word for programs; left out where the request itself is "
            "wrong",
            examples=list(REASON_CODES),
            json_schema_extra=_left_out,
        ),
    ] = None
    reason: str


class Problem(ApiModel):
    """Problem details (RFC 9457). Values that were sent are never repeated."""

    type: Annotated[str, Field(examples=[kind.urn for kind in PROBLEM_TYPES.values()])]
    title: str
    status: int
    detail: str
    instance: Annotated[
        str | None, Field(description="The request, as the log names it", json_schema_extra=_left_out)
    ] = None
    errors: Annotated[list[FieldError] | None, Field(json_schema_extra=_left_out)] = None


STATUSES = {
    400: "The body is not JSON: malformed, empty, not UTF-8, NaN, a key twice.",
    403: "The API key is missing or not known. API Gateway answers this itself.",
    404: "There is no such thing: detail says why.",
    413: f"The body is larger than {LIMIT} bytes, or the answer would be too large: detail says how much fits.",
    415: "The content type is not supported.",
    422: "The request has the wrong shape, or a record breaks the contract: errors says which field, and why.",
    429: "Too many requests, or the key's quota is spent. API Gateway answers this itself.",
    500: "Something went wrong on our side. The function's log has it under the request in `instance`.",
    503: "No model is served yet: detail says what to do. Retry-After says when to ask again, in seconds.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that answers with problems of these statuses; `lambdas.api.openapi` has them."""
    return {
        status: {"$ref": f"#/components/responses/Problem{status}", "description": STATUSES[status]}
        for status in statuses
    }


ALWAYS = problems(403, 429, 500, 503)
"""What any request that needs a key may be answered with."""


def responses() -> dict[str, Any]:
    """The named responses that `problems` refers to."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    named: dict[str, Any] = {
        f"Problem{status}": {"description": text, "content": content} for status, text in STATUSES.items()
    }
    for status in (429, 503):
        named[f"Problem{status}"]["headers"] = {
            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}
        }
    return named
