"""The application: paths and methods to endpoints, and every failure to a problem that a client can read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from andamio.errors import AndamioError
from lambdas.api import log, problems, replies
from lambdas.api.docs import STATIC
from lambdas.api.endpoints import Endpoints
from lambdas.api.serving import Serving

Endpoint = Callable[[Request], Awaitable[Response]]


def create_app(connect: Callable[[], Serving], static: Path = STATIC) -> FastAPI:
    """The API of one problem; `connect` is called for each request and must keep what it made.

    Routes take the request as it is and answer with bytes: parsing, checking and describing are the
    contract's, so there is nothing that FastAPI's own models could add but time.
    """
    app = FastAPI(title="Andamio", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    endpoints = Endpoints(connect, static)
    app.openapi = endpoints.document  # type: ignore[method-assign]
    for method, path, endpoint in endpoints.routes():
        app.add_route(path, _answering(endpoint, method, endpoints), methods=[method, "OPTIONS"])
    app.add_exception_handler(HTTPException, _refused)
    return app


def _answering(endpoint: Endpoint, method: str, endpoints: Endpoints) -> Endpoint:
    single = endpoint in (endpoints.predict,)

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return replies.preflight(method)
        try:
            return await endpoint(request)
        except AndamioError as error:
            body = problems.details(error, single=single, known=endpoints.known_fields())
            if body["status"] >= 500 and body["type"] != problems.URN + "not-ready":
                log.error(error, path=request.url.path)
        except Exception as error:
            request_id = str(getattr(request.scope.get("aws.context"), "aws_request_id", ""))
            log.error(error, path=request.url.path, request_id=request_id)
            body = problems.internal(request_id)
        return replies.problem_reply(body)

    return answer


async def _refused(request: Request, error: Exception) -> Response:
    """Unknown paths and wrong methods, which no endpoint sees."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        allow = ", ".join(sorted((error.headers or {}).get("Allow", "").split(", ")))
        body = problems.problem("method-not-allowed", 405, f"Expected {allow}.")
        return replies.problem_reply(body, [(b"allow", allow.encode())])
    return replies.problem_reply(problems.problem("not-found", 404, "GET openapi.json lists what there is."))
