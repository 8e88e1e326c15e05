"""Whether the service runs, and its documentation: what needs no key."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from andamio.errors import NotReady
from lambdas.api import log
from lambdas.api.models.model import Pong
from lambdas.api.models.problem import problems
from lambdas.api.replies import docs
from lambdas.api.replies.problems import RequestError
from lambdas.api.replies.reply import json_reply, moved, page_reply
from lambdas.api.requests.gateway import address
from lambdas.api.routes import KEYLESS, LoggedRoute, operation_id

PAGE_SECONDS = 86400
"""How long a browser may keep the parts of the page; they change with a deploy only."""

router = APIRouter(
    tags=["service"],
    generate_unique_id_function=operation_id,
    route_class=LoggedRoute,
    responses=problems(429),
)


@router.get(
    "/ping",
    summary="Whether a model is loaded",
    response_model=Pong,
    response_description="A model is loaded",
    responses=problems(500, 503),
    openapi_extra=KEYLESS,
)
async def whether_a_model_is_loaded(request: Request) -> Response:
    """200 with a model, else 503."""
    try:
        serving = request.app.state.connect()
        serving.champion()
    except NotReady:
        raise
    except Exception as error:
        log.error(error, quoted=True, path="/ping")
        raise NotReady("The service cannot look for a model. What happened is in its log.") from error
    return json_reply({"status": "ok", "challenger": serving.trial})


@router.get("/openapi.json", summary="This document", response_description="The document", openapi_extra=KEYLESS)
async def this_document(request: Request) -> Response:
    """OpenAPI 3.1, of the contract of the model that serves."""
    from lambdas.api.openapi import at

    return json_reply(at(request.app.openapi(), address(request.scope)))


@router.get(
    "/docs",
    summary="The page that shows this document",
    response_class=HTMLResponse,
    response_description="The page",
    openapi_extra=KEYLESS,
)
async def the_page_that_shows_this_document() -> Response:
    """Swagger UI, which works offline."""
    return page_reply(docs.page("Andamio: prediction API"), "text/html; charset=utf-8", policy=docs.POLICY)


@router.get("/docs/", include_in_schema=False)
async def page_without_slash() -> Response:
    """The page's own place: with a slash behind it, its relative links would lead astray."""
    return moved("../docs")


@router.get("/docs/{asset}", include_in_schema=False)
async def part_of_the_page(request: Request, asset: str) -> Response:
    """A script or style of the page."""
    part = docs.asset(request.app.state.static, asset)
    if part is None:
        raise RequestError("not-found", "The page behind /docs has no such part.")
    body, kind = part
    return page_reply(body, f"{kind}; charset=utf-8", seconds=PAGE_SECONDS)
