"""The application: paths and methods to endpoints, and every failure to a problem that a client can read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response

from andamio import names
from andamio.errors import AndamioError
from lambdas.api import log, problems, replies
from lambdas.api.body import malformed
from lambdas.api.docs import STATIC
from lambdas.api.endpoints import Endpoints
from lambdas.api.scored import Scored
from lambdas.api.serving import Serving

Endpoint = Callable[[Request], Awaitable[Response]]

_PATH_SHOWN = 200


def create_app(connect: Callable[[], Serving], scored: Callable[[], Scored], static: Path = STATIC) -> FastAPI:
    """The API of one problem; `connect` and `scored` are called for each request and must keep what they made.

    Routes take the request as it is and answer with bytes: parsing, checking and describing are the
    contract's, so there is nothing that FastAPI's own models could add but time.
    """
    app = FastAPI(title="Andamio", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    endpoints = Endpoints(connect, scored, static)
    app.openapi = endpoints.document  # type: ignore[method-assign]
    by_path: dict[str, dict[str, Endpoint]] = {}
    for method, path, endpoint in endpoints.routes():
        by_path.setdefault(path, {})[method] = endpoint
    for path, found in by_path.items():
        app.add_route(path, _path(found, endpoints), methods=[*found, "OPTIONS"])
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _wrong_method)
    return app


def _path(found: dict[str, Endpoint], endpoints: Endpoints) -> Endpoint:
    """What a path answers, whatever the method."""
    methods = ", ".join(found)
    answers = {method: _answering(endpoint, methods, endpoints) for method, endpoint in found.items()}
    if len(answers) == 1:
        return next(iter(answers.values()))

    async def answer(request: Request) -> Response:
        return await answers.get(request.method, answers["GET"])(request)  # HEAD is answered like GET

    return answer


def _answering(endpoint: Endpoint, methods: str, endpoints: Endpoints) -> Endpoint:
    single = endpoint in (endpoints.predict, endpoints.explain)
    logs_itself = endpoint in (
        endpoints.predict,
        endpoints.predict_batch,
        endpoints.invocations,
        endpoints.explain,
    )

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _noted(request, replies.preflight(methods))
        try:
            reply = await endpoint(request)
        except AndamioError as error:
            request_id = _request_id(request)
            body = problems.details(error, single=single, known=endpoints.known_fields(), request_id=request_id)
            if body["status"] >= 500 and body["type"] != problems.URN + "not-ready":
                log.error(error, path=request.scope["path"], request_id=request_id)
        except RecursionError:  # what was just short of too deep for the parser can be too deep for a message
            body = problems.details(malformed("Lists and objects are nested too deeply."), single=True, known={})
        except Exception as error:
            request_id = _request_id(request)
            log.error(error, path=request.scope["path"], request_id=request_id)
            body = problems.internal(request_id)
        else:
            return reply if logs_itself else _noted(request, reply)
        return _noted(request, replies.problem_reply(body), str(body["type"]))

    return answer


def _request_id(request: Request) -> str:
    """Lambda's id of this call; "" where it was not Lambda that called."""
    return str(getattr(request.scope.get("aws.context"), "aws_request_id", ""))


async def _unknown_path(request: Request, error: Exception) -> Response:
    body = problems.problem("not-found", 404, "GET openapi.json lists what there is.")
    return _noted(request, replies.problem_reply(body), str(body["type"]))


async def _wrong_method(request: Request, error: Exception) -> Response:
    allow = ", ".join(sorted(getattr(error, "headers", {}).get("Allow", "").split(", ")))
    body = problems.problem("method-not-allowed", 405, f"Expected {allow}.")
    return _noted(request, replies.problem_reply(body, [(b"allow", allow.encode())]), str(body["type"]))


def _noted(request: Request, reply: Response, problem: str | None = None) -> Response:
    """Write a line about a request that made no prediction: those have lines of their own."""
    path = request.scope["path"][:_PATH_SHOWN]
    log.event(names.EVENT_REQUEST, method=request.method, path=path, status=reply.status_code, problem=problem)
    return reply
