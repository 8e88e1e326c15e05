"""The typed models of requests and replies, as clients see them: what the OpenAPI document is made of.

They describe. Records are checked by the contract alone, so that the API, ETL and batch give the same verdict.
"""

from pydantic import BaseModel, WithJsonSchema


class ApiModel(BaseModel, defer_build=True):
    """A model of the API: its validator is built when it is first used, so that a cold start does not wait for it."""


class Strict(ApiModel, extra="forbid"):
    """A model of a request that refuses keys which it does not have."""


def one_value(text: str) -> WithJsonSchema:
    """The schema of a text that has one value: an enum, which more client generators understand than `const`."""
    return WithJsonSchema({"type": "string", "enum": [text]})
