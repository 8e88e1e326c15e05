"""Batches: files in, files out."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lambdas.api.dependencies import ChampionNow, JsonBody, StoresNow, body
from lambdas.api.models.batches import Batches, BatchId, BatchWithLinks, Upload, UploadRequest
from lambdas.api.models.problem import ALWAYS, problems
from lambdas.api.replies.reply import json_reply
from lambdas.api.requests.parameters import QUERY, Limit
from lambdas.api.routes import LoggedRoute, operation_id

router = APIRouter(
    tags=["batches"],
    generate_unique_id_function=operation_id,
    route_class=LoggedRoute,
    responses=ALWAYS,
)


@router.post(
    "/batches",
    summary="Ask for an upload of a file to score",
    status_code=201,
    response_model=Upload,
    response_description="The form to upload with",
    responses=problems(400, 413, 415, 422),
    openapi_extra=body(UploadRequest),
)
async def ask_for_an_upload_of_a_file_to_score(champion: ChampionNow, payload: JsonBody, stores: StoresNow) -> Response:
    """Answers with a form that the file is sent with, within 15 minutes, to storage itself.

    Its arrival starts the batch. CSV, Parquet or JSON Lines, with the columns that a record has. Refused while there is
    no model to score with.
    """
    from lambdas.api.batches import ask_for_upload

    return json_reply(ask_for_upload(stores, payload), 201)


@router.get(
    "/batches/{batch}",
    summary="How far a batch is",
    response_model=BatchWithLinks,
    response_description="The batch",
    responses=problems(404, 422),
)
async def how_far_a_batch_is(batch: BatchId, stores: StoresNow) -> Response:
    """And links to its results, once it is done."""
    from lambdas.api.batches import batch_status

    return json_reply(batch_status(stores, batch))


@router.get(
    "/batches",
    summary="List recent batches",
    dependencies=QUERY,
    response_model=Batches,
    response_description="The batches, the newest first",
    responses=problems(422),
)
async def list_recent_batches(stores: StoresNow, limit: Limit = 20) -> Response:
    """The newest first."""
    from lambdas.api.batches import recent_batches

    return json_reply(recent_batches(stores, limit))
