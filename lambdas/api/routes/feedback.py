"""Feedback: the truth about predictions, as it becomes known."""

from __future__ import annotations

from fastapi import APIRouter, Response

from lambdas.api.dependencies import ChampionNow, JsonBody, StoresNow, body
from lambdas.api.models.feedback import FeedbackReceipt, FeedbackRequest
from lambdas.api.models.problem import ALWAYS, problems
from lambdas.api.replies.reply import json_reply
from lambdas.api.requests.records import MOST_RECORDS
from lambdas.api.routes import LoggedRoute, operation_id

router = APIRouter(
    tags=["feedback"],
    generate_unique_id_function=operation_id,
    route_class=LoggedRoute,
    responses=ALWAYS,
)


@router.post(
    "/feedback",
    summary=f"Send true labels, up to {MOST_RECORDS}",
    status_code=202,
    response_model=FeedbackReceipt,
    response_description="The labels are kept",
    responses=problems(400, 413, 415, 422),
    openapi_extra=body(FeedbackRequest),
)
async def send_true_labels(champion: ChampionNow, payload: JsonBody, stores: StoresNow) -> Response:
    """All or nothing: when one entry is wrong, none is kept. The prediction need not be known yet.

    By record_id, the label is that of the newest prediction made of the record before now. Of several labels of one
    prediction the latest counts. No data to train on are changed by it.
    """
    from lambdas.api.feedback import take_feedback

    return json_reply(take_feedback(champion, stores, payload), 202)
