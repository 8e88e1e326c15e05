"""The routes, one `APIRouter` a subject. A new route goes to its subject's module, its models to `models/`.

A route's function is named by its operation's id, which generated clients have as a method's name: it stays. Its
docstring is the operation's description. What a prediction does not need is imported in the function that does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from lambdas.api import log

KEYLESS: dict[str, Any] = {"security": [{}]}
"""The `openapi_extra` of what API Gateway lets through without a key."""


class LoggedRoute(APIRoute):
    """A route that writes a line for each reply: all but those that write a line for each prediction."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler, and the line."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            reply = await handler(request)
            log.request(request, reply.status_code)
            return reply

        return answer


def operation_id(route: APIRoute) -> str:
    """The name of a route's function."""
    return route.name
