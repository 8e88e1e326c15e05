"""Predictions: made, explained, and looked up."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from lambdas.api.dependencies import CaptureNow, ChallengerNow, ChampionNow, ManyRecords, OneRecord, StoresNow, body
from lambdas.api.models.predictions import (
    Explanation,
    InvocationsReply,
    Prediction,
    PredictionId,
    Predictions,
    StoredPrediction,
    StoredPredictions,
)
from lambdas.api.models.problem import ALWAYS, problems
from lambdas.api.models.records import BatchRequest, Invocations, PredictRequest
from lambdas.api.predictions.explain import check_offered, explain_record
from lambdas.api.predictions.predict import invocation_of, predict, predict_csv
from lambdas.api.replies.reply import json_reply
from lambdas.api.requests.body import CSV, JSON, media_type, parse_json, read_text
from lambdas.api.requests.invocations import records_of, rows_of_csv
from lambdas.api.requests.parameters import QUERY, Limit, RecordIdQuery
from lambdas.api.requests.records import MOST_RECORDS, Records, one_record
from lambdas.api.routes import LoggedRoute, Route, operation_id

_SCORING = problems(400, 413, 415, 422)

router = APIRouter(
    tags=["predictions"],
    generate_unique_id_function=operation_id,
    route_class=Route,
    responses=ALWAYS,
)
"""Routes that write a log line for each prediction."""
lookups = APIRouter(
    tags=["predictions"],
    generate_unique_id_function=operation_id,
    route_class=LoggedRoute,
    responses=ALWAYS,
)


@router.post(
    "/predict",
    summary="Predict one record",
    response_model=Prediction,
    response_description="The prediction",
    responses=_SCORING,
    openapi_extra=body(PredictRequest),
)
async def predict_one_record(
    request: Request, champion: ChampionNow, challenger: ChallengerNow, capture: CaptureNow, records: OneRecord
) -> Response:
    """The caller's id is returned as record_id. prediction_id is new each time, and is in the log.

    Where the deployment captures predictions, this one can be looked up by it soon after.
    """
    return json_reply(predict(champion, capture, records, "predict", request.scope["started"], challenger)[0])


@router.post(
    "/predict/batch",
    summary=f"Predict up to {MOST_RECORDS} records",
    response_model=Predictions,
    response_description="The predictions, in the order of the records",
    responses=_SCORING,
    openapi_extra=body(BatchRequest),
)
async def predict_up_to_1000_records(
    request: Request, champion: ChampionNow, challenger: ChallengerNow, capture: CaptureNow, records: ManyRecords
) -> Response:
    """All or nothing: when one record is invalid, nothing is predicted. The errors name its index, from 0."""
    predictions = predict(champion, capture, records, "predict/batch", request.scope["started"], challenger)
    return json_reply({"predictions": predictions})


@router.post(
    "/invocations",
    summary="Predict, in MLflow's scoring protocol",
    response_model=InvocationsReply,
    response_description="The predictions, in the order of the records",
    responses=_SCORING,
    openapi_extra=body(Invocations, **{CSV: {"schema": {"type": "string"}}}),
)
async def predict_in_mlflows_scoring_protocol(
    request: Request, champion: ChampionNow, challenger: ChallengerNow, capture: CaptureNow
) -> Response:
    """For clients of MLflow and SageMaker. Values are named as in the schema, never given by position.

    NaN, which MLflow's client writes for a missing number, is read as null. CSV has a header, and is read as a file is.
    """
    kind, text = media_type(request, (JSON, CSV)), await read_text(request)
    started: float = request.scope["started"]
    if kind == CSV:
        rows = rows_of_csv(text, champion.contract.sent, champion.allowed)
        predictions = predict_csv(champion, capture, rows, "invocations", started, challenger)
    else:
        features = records_of(parse_json(text, nan_is_null=True), champion.allowed)
        predictions = predict(
            champion, capture, Records(features, [None] * len(features)), "invocations", started, challenger
        )
    return json_reply({"predictions": [invocation_of(row) for row in predictions]})


@router.post(
    "/explain",
    summary="Explain the prediction of one record",
    response_model=Explanation,
    response_description="The explanation",
    responses=_SCORING | problems(404),
    openapi_extra=body(PredictRequest),
)
async def explain_the_prediction_of_one_record(
    request: Request, champion: ChampionNow, challenger: ChallengerNow
) -> Response:
    """What each feature contributed, in probability, against the release's reference rows (Shapley values).

    The contributions sum to probability minus average: of the positive class of two, of the predicted one of more. The
    same request has the same answer. Private features are held at the record's values: what they do is in the average.
    While a challenger answers a share of the records, the model that answers the record with this id explains it;
    without an id it is the champion.
    """
    check_offered(champion)
    media_type(request, (JSON,))
    records = one_record(parse_json(await read_text(request)))
    return json_reply(explain_record(champion, challenger, records, request.scope["started"]))


@lookups.get(
    "/predictions/{prediction_id}",
    summary="Look up a prediction by its id",
    response_model=StoredPrediction,
    response_description="The prediction",
    responses=problems(404, 422),
)
async def look_up_a_prediction_by_its_id(prediction_id: PredictionId, stores: StoresNow) -> Response:
    """The prediction for a row of a batch, or one that was made here and captured.

    When the row was rejected, detail has the reason and its place.
    """
    from lambdas.api.predictions.lookup import stored_prediction

    return json_reply(stored_prediction(stores, prediction_id))


@lookups.get(
    "/predictions",
    summary="List the predictions of a record",
    dependencies=QUERY,
    response_model=StoredPredictions,
    response_description="The predictions, the newest first",
    responses=problems(422),
)
async def list_the_predictions_of_a_record(record_id: RecordIdQuery, stores: StoresNow, limit: Limit = 20) -> Response:
    """By the caller's own id, the newest first: those that the predictions table keeps."""
    from lambdas.api.predictions.lookup import predictions_of

    return json_reply(predictions_of(stores, record_id, limit))
