"""The routes, one `APIRouter` a subject. A new route goes to its subject's module, its models to `models/`.

A route's function is named by its operation's id, which generated clients have as a method's name: it stays. Its
docstring is the operation's description. What a prediction does not need is imported in the function that does.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from inspect import iscoroutinefunction
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.utils import get_typed_signature
from fastapi.routing import APIRoute

from lambdas.api import log

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

KEYLESS: dict[str, Any] = {"security": [{}]}
"""The `openapi_extra` of what API Gateway lets through without a key."""


class Route(APIRoute):
    """A route of FastAPI's, and the fast path of a request.

    FastAPI resolves the dependencies of a route anew in every request, which takes a third of the time of a whole
    prediction. Where a route depends on nothing but what coroutines make of the request, they are called directly, in
    the order of its parameters. A route with parameters of path or query is left to FastAPI.
    """

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        depends, endpoint = self.dependant.dependencies, self.endpoint
        own = self.dependant.request_param_name
        calls = [(str(one.name), one.call, str(one.request_param_name)) for one in depends]
        named = all(one.name for one in depends)  # one in `dependencies` has none, and gives no value
        of_the_request = named and all(_of_the_request(call, 0) for _, call, _ in calls)
        if not of_the_request or not _of_the_request(endpoint, len(depends)):
            return super().get_route_handler()

        async def answer(request: Request) -> Response:
            values: dict[str, Any] = {own: request} if own else {}
            for name, call, parameter in calls:
                values[name] = await call(**{parameter: request})  # type: ignore[misc]
            reply: Response = await endpoint(**values)
            return reply

        return answer


class LoggedRoute(Route):
    """A route that writes a line for each reply: all but those that write a line for each prediction."""

    def get_route_handler(self) -> Handler:
        """What answers a request, and writes the line."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            reply = await handler(request)
            log.request(request, reply.status_code)
            return reply

        return answer


def _of_the_request(call: Callable[..., Any] | None, dependencies: int) -> bool:
    """Whether a coroutine function takes the request, at most, beside its dependencies."""
    if call is None or not iscoroutinefunction(call):
        return False
    parameters = get_typed_signature(call).parameters.values()
    requests = sum(parameter.annotation is Request for parameter in parameters)
    return len(parameters) == dependencies + requests


def operation_id(route: APIRoute) -> str:
    """The name of a route's function."""
    return route.name
