"""The FastAPI application: the routers, and every failure as a problem that a client can read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.errors import URN, AndamioError, InvalidRecord
from lambdas.api import log
from lambdas.api.champion.serving import Serving
from lambdas.api.predictions.rejection import log_rejections
from lambdas.api.replies import problems
from lambdas.api.replies.docs import STATIC
from lambdas.api.replies.reply import preflight, problem_reply
from lambdas.api.requests.body import malformed
from lambdas.api.routes import batches, feedback, model, predictions, service
from lambdas.api.stores import Stores

PREDICTING = frozenset({"/predict", "/predict/batch", "/invocations"})
"""Paths whose rejected records are logged: they would have been predictions."""
SINGLE = frozenset({"/predict", "/explain"})
"""Paths that take one record: their errors have no index."""


ROUTES: list[APIRoute] = [
    route
    for router in (
        predictions.router,
        predictions.lookups,
        feedback.router,
        batches.router,
        service.router,
        model.router,
    )
    for route in router.routes
    if isinstance(route, APIRoute)
]
"""Every route, in the order of the document. `include_router` would set each up a second time, and look twice at each
request."""
BUSIEST = ("/predict", "/ping")
"""Paths that are tried first: each route before takes time of a request, and monitors ask for /ping all day."""


def create_app(connect: Callable[[], Serving], stores: Callable[[], Stores], static: Path = STATIC) -> FastAPI:
    """The API of one problem; `connect` and `stores` are called for each request and must keep what they made."""
    app = FastAPI(title="Andamio", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.connect, app.state.stores, app.state.static = connect, stores, static
    busiest_first: list[APIRoute] = sorted(ROUTES, key=lambda route: route.path not in BUSIEST)
    app.router.routes.extend(busiest_first)
    app.openapi = _openapi(app, connect)  # type: ignore[method-assign]
    app.add_middleware(Boundary)
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _other_method)
    app.add_exception_handler(RequestValidationError, _wrong_parameter)
    app.add_exception_handler(RecursionError, _too_deep)
    app.add_exception_handler(AndamioError, _failure)
    return app


def _openapi(app: FastAPI, connect: Callable[[], Serving]) -> Callable[[], dict[str, Any]]:
    """FastAPI's `openapi`, made anew when clients are served another contract."""
    described: str | None = None

    def openapi() -> dict[str, Any]:
        nonlocal described
        from lambdas.api.openapi import document  # which no prediction needs

        try:
            contract = connect().champion().contract
        except AndamioError:
            return document(ROUTES, None)
        if app.openapi_schema is None or described != contract.served_digest:
            app.openapi_schema = document(ROUTES, contract)
            described = contract.served_digest
        return app.openapi_schema

    return openapi


class Boundary:
    """The outermost middleware: the time of a request, HEAD as GET, and 500 for an unexpected error.

    Starlette's handler of `Exception` would answer and raise again, for a server to log: there is none here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        scope["started"] = time.perf_counter()
        if scope.get("method") == "HEAD":
            scope["method"], scope["requested_method"] = "GET", "HEAD"
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            reply = await _failure(Request(scope, receive), error)
            await reply(scope, receive, send)


async def _failure(request: Request, error: Exception) -> Response:
    """Any error that a route raised."""
    request_id = str(getattr(request.scope.get("aws.context"), "aws_request_id", ""))  # "" where it was not Lambda
    path = request.scope["path"]
    loaded = request.app.state.connect().loaded if isinstance(error, InvalidRecord) else None
    if isinstance(error, InvalidRecord) and loaded and path in PREDICTING:
        log_rejections(error, loaded.contract, loaded.version, path[1:], request_id)
    body = problems.details(
        error, single=path in SINGLE, known=_columns(loaded.contract) if loaded else {}, request_id=request_id
    )
    if body["status"] >= 500 and body["type"] != URN + "not-ready":
        log.error(error, path=path, request_id=request_id)
    return _problem(request, body)


def _columns(contract: Contract) -> Mapping[str, Feature]:
    """What an error may be about: the columns that are sent, and the features that are made of them."""
    return {**contract.sent.features, **contract.features} if contract.has_raw else contract.features


async def _too_deep(request: Request, error: Exception) -> Response:
    """A body that the parser still takes may be nested too deep for an error message."""
    return _problem(
        request, problems.details(malformed("Lists and objects are nested too deeply."), single=True, known={})
    )


async def _wrong_parameter(request: Request, error: Exception) -> Response:
    """A path or query with a value of another type than its parameter's."""
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    reasons = [(str(item["loc"][1]), _reason(item.get("ctx", {}))) for item in errors]
    what = f"The {errors[0]['loc'][0]} cannot be understood."
    return await _failure(request, problems.RequestError("invalid-request", what, *reasons))


def _reason(context: dict[str, object]) -> str:
    if "error" in context:
        return str(context["error"])
    return f"expected {str(context['expected']).replace("'", '')}" if "expected" in context else "is required"


async def _unknown_path(request: Request, error: Exception) -> Response:
    return _problem(request, problems.problem("not-found", "GET openapi.json lists what there is."))


async def _other_method(request: Request, error: Exception) -> Response:
    """A method that the path does not take. OPTIONS is one: no route takes it, and every path answers it."""
    path = request.scope["route"].path
    methods = [method for route in request.app.routes if route.path == path for method in route.methods]
    if request.method == "OPTIONS":
        log.request(request, 204)
        return preflight(", ".join(methods))
    allow = ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}))
    return _problem(request, problems.problem("method-not-allowed", f"Expected {allow}."), (b"allow", allow.encode()))


def _problem(request: Request, body: dict[str, object], *headers: tuple[bytes, bytes]) -> Response:
    reply = problem_reply(body, headers)
    log.request(request, reply.status_code, str(body["type"]))
    return reply
