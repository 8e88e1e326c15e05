"""The paths of batches and of predictions that were made before, as the OpenAPI document has them."""

from __future__ import annotations

from lambdas.api.describing import Json, json_of, operation_id, problems, ref
from lambdas.api.scored import LONGEST_RECORD_ID, MOST_LISTED


def paths() -> Json:
    """Path to operations."""
    return {
        "/batches": {
            "post": {
                **_operation(
                    "batches",
                    "Ask for an upload of a file to score",
                    "Answers with a form that the file is sent with, within 15 minutes, to storage itself; its arrival "
                    "starts the batch. CSV, Parquet or JSON Lines, with the columns that a record has.",
                ),
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": ref("UploadRequest"),
                            "examples": {"a CSV file": {"value": {"name": "patients.csv"}}},
                        }
                    },
                },
                "responses": {"201": json_of("Upload"), **problems(400, 413, 415, 422, 500, 503)},
            },
            "get": {
                **_operation("batches", "List recent batches", "The newest first."),
                "parameters": [_limit("batches")],
                "responses": {"200": json_of("Batches"), **problems(422, 500, 503)},
            },
        },
        "/batches/{batch}": {
            "get": {
                **_operation("batches", "How far a batch is", "And links to its results, once it is done."),
                "parameters": [_in_path("batch", ref("BatchId"))],
                "responses": {"200": json_of("BatchWithLinks"), **problems(404, 422, 500, 503)},
            }
        },
        "/predictions/{prediction_id}": {
            "get": {
                **_operation(
                    "predictions",
                    "Look up a prediction by its id",
                    "Of a row of a batch. Where the row was rejected, detail says why and where it is.",
                ),
                "parameters": [_in_path("prediction_id", {"type": "string"})],
                "responses": {"200": json_of("StoredPrediction"), **problems(404, 422, 500, 503)},
            }
        },
        "/predictions": {
            "get": {
                **_operation(
                    "predictions",
                    "List the predictions of a record",
                    "By the caller's own id, the newest first: those that the predictions table keeps.",
                ),
                "parameters": [
                    {
                        "name": "record_id",
                        "in": "query",
                        "required": True,
                        "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_RECORD_ID},
                    },
                    _limit("predictions"),
                ],
                "responses": {"200": json_of("StoredPredictions"), **problems(422, 500, 503)},
            }
        },
    }


def _operation(tag: str, summary: str, description: str) -> Json:
    return {"tags": [tag], "operationId": operation_id(summary), "summary": summary, "description": description}


def _in_path(name: str, schema: Json) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _limit(what: str) -> Json:
    schema = {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": 20}
    return {"name": "limit", "in": "query", "description": f"How many {what}, at most", "schema": schema}
