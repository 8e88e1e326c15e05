"""The dependencies of routes (`Depends`): the champion, the stores of batches, the body of the request.

**The fast path of a body is here.** A parameter of a pydantic model would have FastAPI parse and coerce the body
before anything else is looked at: it would take what is no strict JSON (NaN, a key twice), give other verdicts on a
record than ETL and batch give, and cost more time than the whole prediction's parsing. So a route's body model is
declared for the OpenAPI document (`body` below makes its `openapi_extra`), and what a route is given is read from the
raw bytes by `lambdas.api.requests` and checked by the contract.

Dependencies are coroutines, since FastAPI runs others in a thread.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import BaseModel

from lambdas.api.champion.challenger import Challenger
from lambdas.api.champion.champion import Champion
from lambdas.api.champion.serving import Serving
from lambdas.api.predictions.capture import Capture
from lambdas.api.requests.body import JSON, media_type, parse_json, read_text
from lambdas.api.requests.records import Records, many_records, one_record
from lambdas.api.stores import Stores

# What routes are given


async def _serving(request: Request) -> Serving:
    serving: Serving = request.app.state.connect()
    return serving


async def _champion(request: Request) -> Champion:
    serving: Serving = request.app.state.connect()
    return serving.champion()


async def _challenger(request: Request) -> Challenger | None:
    serving: Serving = request.app.state.connect()
    return serving.challenger


async def _capture(request: Request) -> Capture:
    serving: Serving = request.app.state.connect()
    return serving.capture


async def _stores(request: Request) -> Stores:
    stores: Stores = request.app.state.stores()
    return stores


async def _json_body(request: Request) -> object:
    media_type(request, (JSON,))
    return parse_json(await read_text(request))


async def _one_record(request: Request) -> Records:
    return one_record(await _json_body(request))


async def _many_records(request: Request) -> Records:
    return many_records(await _json_body(request))


ServingNow = Annotated[Serving, Depends(_serving)]
ChampionNow = Annotated[Champion, Depends(_champion)]
"""The champion, after a look at the pointer if one is due. Where a body follows, it comes first: without a model
nothing is read."""
ChallengerNow = Annotated[Challenger | None, Depends(_challenger)]
"""The challenger that the look of `ChampionNow`, which stands before it, led to."""
CaptureNow = Annotated[Capture, Depends(_capture)]
StoresNow = Annotated[Stores, Depends(_stores)]
JsonBody = Annotated[object, Depends(_json_body)]
OneRecord = Annotated[Records, Depends(_one_record)]
ManyRecords = Annotated[Records, Depends(_many_records)]

# What the document says of them


def body(model: type[BaseModel], **more: Any) -> dict[str, Any]:
    """The `openapi_extra` of a route whose JSON body is described by a model; `more` are other media types.

    `lambdas.api.openapi` adds the model's schema to the document, and the examples.
    """
    content = {JSON: {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}, **more}
    return {"requestBody": {"required": True, "content": content}}
