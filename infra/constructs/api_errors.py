"""What API Gateway answers by itself: problem details (RFC 9457), readable from a browser, like those of the API.

A call without a key or beyond the plan's rate never reaches the function. These answers have the fields that
`lambdas/api/replies/problems.py` writes, and the headers of `lambdas/api/replies/reply.py` except for the content
security policy: its quotes cannot be written where a value stands in quotes itself, and a body of JSON needs none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from aws_cdk import aws_apigateway as apigateway

from andamio.errors import PROBLEM_TYPES

MEDIA_TYPE = "application/problem+json"
REQUEST = "urn:andamio:request:$context.requestId"
ANY_ORIGIN = "*"
"""Origins that may read replies: all, for a key travels in a header and there are no cookies to misuse."""

# Spelled as API Gateway spells its own, so that each takes the place of the one that there would be.
HEADERS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": ANY_ORIGIN,
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class GatewayError:
    """One of API Gateway's own answers; `status` is None for the two that stand for all others of their hundred.

    `code` is one of `PROBLEM_TYPES`.
    """

    kind: str
    status: int | None
    code: str
    detail: str
    retry_after: int | None = None

    def body(self) -> str:
        """The template: API Gateway fills in the request's id and nothing that the client sent."""
        kind = PROBLEM_TYPES[self.code]
        content: dict[str, object] = {"type": kind.urn, "title": kind.title}
        if self.status is not None:
            content["status"] = self.status
        return json.dumps({**content, "detail": self.detail, "instance": REQUEST})


KEY = "Send the API key in the x-api-key header. A path that does not exist is answered like this too."
SLOWER = "Wait a moment and send fewer requests a second."
OURS = "The cause is in the log of the API. Try again. If the error stays, give the instance to the operator."
LONG = "The request took longer than the gateway waits. Send fewer records at once, or a file to /batches."

ERRORS = (
    GatewayError("INVALID_API_KEY", 403, "no-key", KEY),
    GatewayError("MISSING_AUTHENTICATION_TOKEN", 403, "no-key", KEY),
    GatewayError("ACCESS_DENIED", 403, "refused", "This API may not be called from there."),
    GatewayError("THROTTLED", 429, "too-many-requests", SLOWER, retry_after=1),
    GatewayError("QUOTA_EXCEEDED", 429, "quota-spent", "Ask the operator for a larger quota."),
    GatewayError("REQUEST_TOO_LARGE", 413, "body-too-large", "Send a file to /batches instead."),
    GatewayError("INTEGRATION_TIMEOUT", 504, "timeout", LONG, retry_after=1),
    GatewayError("INTEGRATION_FAILURE", 504, "internal", OURS, retry_after=1),
    GatewayError("DEFAULT_4XX", None, "refused", "GET /docs says what can be asked."),
    GatewayError("DEFAULT_5XX", None, "internal", OURS),
)


def explain_errors(api: apigateway.RestApi) -> None:
    """Give an API these answers."""
    for error in ERRORS:
        headers = dict(HEADERS) | ({"Retry-After": str(error.retry_after)} if error.retry_after else {})
        api.add_gateway_response(
            f"Error{error.kind.title().replace('_', '')}",
            type=apigateway.ResponseType.of(error.kind),
            status_code=None if error.status is None else str(error.status),
            response_headers={name: f"'{value}'" for name, value in headers.items()},
            templates={"application/json": error.body()},
        )
