"""The model that serves: what it is, how good it is, and what a record of it looks like."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from andamio import __version__
from andamio.contract.schema import record_schema
from andamio.errors import AccessRefused, NotReady
from lambdas.api.dependencies import ChampionNow, ServingNow, StoresNow
from lambdas.api.models.model import JsonSchema, Model, Version
from lambdas.api.models.monitoring import MonitoringReport
from lambdas.api.models.problem import ALWAYS, problems
from lambdas.api.replies.card import FILES, Format, card_reply, preferred_format
from lambdas.api.replies.reply import json_reply
from lambdas.api.requests.parameters import QUERY
from lambdas.api.routes import LoggedRoute, operation_id

router = APIRouter(
    tags=["model"],
    generate_unique_id_function=operation_id,
    route_class=LoggedRoute,
    responses=ALWAYS,
)


@router.get(
    "/version",
    summary="Which release serves",
    response_model=Version,
    response_description="The state of serving",
)
async def which_release_serves(serving: ServingNow) -> Response:
    """Answers without one, too."""
    with suppress(NotReady, AccessRefused):  # either is in the state
        serving.champion()
    return json_reply({**serving.state(), "andamio": __version__})


@router.get(
    "/model",
    summary="The model that serves",
    response_model=Model,
    response_description="The model",
)
async def the_model_that_serves(champion: ChampionNow) -> Response:
    """Metrics on the holdout, with intervals."""
    contract, evaluation = champion.contract, champion.document("evaluation.json")
    return json_reply(
        {
            "name": contract.problem.name,
            "title": contract.problem.title,
            "version": champion.version,
            "since": champion.since,
            "run": champion.run,
            "data_version": evaluation.get("dataset"),
            **champion.answers.about(),
            "ignored": list(champion.ignored),
            "metric": evaluation.get("metric"),
            "metrics": evaluation.get("metrics"),
            "evaluation": {
                key: value for key, value in evaluation.items() if key not in ("metric", "metrics", "dataset")
            },
            "decision": champion.document("decision.json"),
        }
    )


@router.get(
    "/model/card",
    summary="The model card",
    dependencies=QUERY,
    response_class=Response,
    response_description="The card",
    responses=problems(404, 422)
    | {200: {"content": {kind: {"schema": {"type": "string"}} for _, kind in FILES.values()}}},
)
async def the_model_card(
    request: Request,
    champion: ChampionNow,
    format: Annotated[Format | None, Query(description="Without it what the header Accept prefers, else html.")] = None,
) -> Response:
    """For people: whether to trust the model that serves, and why."""
    return card_reply(champion.release, format or preferred_format(request.headers.get("accept", "")))


@router.get(
    "/monitoring",
    summary="What the watch found",
    response_model=MonitoringReport,
    response_description="The newest report",
    responses=problems(404),
)
async def what_the_watch_found(stores: StoresNow) -> Response:
    """Whether the predictions of the last hours go on as in training, and what to do where they do not."""
    from lambdas.api.monitoring import newest_report

    return json_reply(newest_report(stores.lake))


@router.get(
    "/schema",
    summary="JSON Schema of a record",
    response_model=JsonSchema,
    response_description="The schema",
)
async def json_schema_of_a_record(champion: ChampionNow) -> Response:
    """Of the value of features in a request."""
    return json_reply(record_schema(champion.contract.sent))
