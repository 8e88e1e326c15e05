"""The OpenAPI document (3.1): paths from here, what a record is from the contract.

Its server is relative to the document's own place, so that it holds under any stage or domain.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from andamio import __version__
from andamio.contract import Contract
from andamio.contract.schema import example_record
from lambdas.api import card, openapi_batches, schemas
from lambdas.api.body import LIMIT
from lambdas.api.describing import Json, json_of, operation_id, problems, ref
from lambdas.api.payload import MOST_RECORDS

_KEYLESS: list[Json] = [{}]


def document(contract: Contract | None) -> Json:
    """The document for a contract; for records in general when there is none yet."""
    problem = contract.problem if contract else None
    title = (problem.title or problem.name) if problem else "Andamio"
    said = [problem.description, problem.objective] if problem else ["No model is served yet: records are anything."]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{title}: predictions",
            "version": __version__,
            "description": "\n\n".join(text for text in [*said, _LIMITS] if text),
        },
        "servers": [{"url": ".", "description": "Where this document is"}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in _TAGS.items()],
        "paths": _paths(contract),
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}},
            "schemas": schemas.components(contract),
            "responses": _problems(),
        },
    }


_LIMITS = (
    f"A request holds at most {MOST_RECORDS} records and {LIMIT} bytes. Errors are problem details (RFC 9457) that say "
    "which field of which record is wrong, and why. Send null, or leave the field out, where there is no value."
)
_TAGS = {
    "predictions": "Records in, labels and probabilities out, and why.",
    "batches": "Files in, files out: scored rows, and the rows that could not be scored.",
    "model": "What serves, and how good it is.",
    "service": "Whether it runs. No key needed.",
}


def _paths(contract: Contract | None) -> Json:
    features = example_record(contract) if contract else {"age": 63}
    columns = {"columns": list(features), "data": [list(features.values())]}
    return {
        "/predict": {
            "post": _post(
                "Predict one record",
                "The caller's id comes back as record_id; prediction_id is new each time, and what feedback refers to.",
                _body("PredictRequest", {"one record": {"features": features, "id": "visit-17"}}),
                "Prediction",
            )
        },
        "/predict/batch": {
            "post": _post(
                f"Predict up to {MOST_RECORDS} records",
                "All or nothing: one wrong record and nothing is predicted; the errors say which it is, from 0.",
                _body(
                    "BatchRequest",
                    {"two records": {"records": [{"features": features, "id": 1}, {"features": features, "id": 2}]}},
                ),
                "Predictions",
            )
        },
        "/invocations": {
            "post": _post(
                "Predict, in MLflow's scoring protocol",
                "For clients of MLflow and SageMaker. Values are named as in the schema, never given by position. "
                "MLflow writes NaN where a DataFrame has no value, which is not JSON: turn it into None before.",
                {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": ref("Invocations"),
                            "examples": _examples(
                                {
                                    "dataframe_split": {"dataframe_split": columns},
                                    "dataframe_records": {"dataframe_records": [features]},
                                    "instances": {"instances": [features]},
                                    "inputs": {"inputs": {name: [value] for name, value in features.items()}},
                                }
                            ),
                        },
                        "text/csv": {"schema": {"type": "string"}, "example": _csv(features)},
                    },
                },
                "InvocationsReply",
            )
        },
        "/explain": {
            "post": _post(
                "Explain the prediction of one record",
                "What each feature contributed, in probability, against the release's reference rows (Shapley values). "
                "The contributions sum to probability minus average: of the positive class of two, of the predicted "
                "one of more. The same request has the same answer. Private features are held at the record's values: "
                "what they do is in the average.",
                _body("PredictRequest", {"one record": {"features": features, "id": "visit-17"}}),
                "Explanation",
                others=(404,),
            )
        },
        **openapi_batches.paths(),
        "/model": {"get": _get("model", "The model that serves", "Metrics on the holdout, with intervals.", "Model")},
        "/model/card": {"get": _card()},
        "/version": {"get": _get("model", "Which release serves", "Answers without one, too.", "Version", ready=())},
        "/schema": {
            "get": _get("model", "JSON Schema of a record", "Of the value of features in a request.", "JsonSchema")
        },
        "/ping": {
            "get": {
                **_get("service", "Whether a model is loaded", "200 with a model, else 503.", "Pong"),
                "security": _KEYLESS,
            }
        },
        "/openapi.json": {"get": _keyless("This document", "application/json", {"type": "object"})},
        "/docs": {"get": _keyless("The page that shows this document", "text/html", {"type": "string"})},
    }


def _post(summary: str, description: str, body: Json, reply: str, others: tuple[int, ...] = ()) -> Json:
    return {
        "tags": ["predictions"],
        "operationId": operation_id(summary),
        "summary": summary,
        "description": description,
        "requestBody": body,
        "responses": {
            "200": json_of(reply),
            **problems(400, 413, 415, 422, 500, 503, *others),
        },
    }


def _get(tag: str, summary: str, description: str, reply: str, ready: tuple[int, ...] = (503,)) -> Json:
    return {
        "tags": [tag],
        "operationId": operation_id(summary),
        "summary": summary,
        "description": description,
        "responses": {"200": json_of(reply), **problems(*ready, 500)},
    }


def _card() -> Json:
    text = {"schema": {"type": "string"}}
    return {
        **_get("model", "The model card", "For people: whether to trust the model that serves, and why.", "Model"),
        "parameters": [
            {
                "name": "format",
                "in": "query",
                "description": "html or md; without it what the header Accept prefers, else html.",
                "schema": {"type": "string", "enum": list(card.FORMATS)},
            }
        ],
        "responses": {
            "200": {"description": "The card", "content": {kind: text for _, kind in card.FORMATS.values()}},
            **problems(404, 422, 500, 503),
        },
    }


def _keyless(summary: str, media_type: str, schema: Json) -> Json:
    return {
        "tags": ["service"],
        "operationId": operation_id(summary),
        "summary": summary,
        "security": _KEYLESS,
        "responses": {"200": {"description": summary, "content": {media_type: {"schema": schema}}}},
    }


def _body(schema: str, examples: dict[str, Json]) -> Json:
    content = {"schema": ref(schema), "examples": _examples(examples)}
    return {"required": True, "content": {"application/json": content}}


def _examples(values: dict[str, Json]) -> Json:
    return {name: {"value": value} for name, value in values.items()}


_STATUSES = {
    400: "The body is not JSON: malformed, empty, not UTF-8, NaN, a key twice.",
    404: "There is no such thing: detail says why.",
    413: f"The body is larger than {LIMIT} bytes.",
    415: "The content type is not supported.",
    422: "The request has the wrong shape, or a record breaks the contract: errors says which field, and why.",
    500: "Something went wrong on our side. The function's log has it under the request in `instance`.",
    503: "No model is served yet: detail says what to do. Retry-After says when to ask again, in seconds.",
}


def _problems() -> Json:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    found: Json = {f"Problem{status}": {"description": text, "content": content} for status, text in _STATUSES.items()}
    found["Problem503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}}
    return found


def _csv(features: Json) -> str:
    return ",".join(features) + "\n" + ",".join(str(value) for value in features.values()) + "\n"


def main(folder: str) -> None:
    """Write the document of a problem folder: what docs/openapi.json is renewed with."""
    text = json.dumps(document(Contract.load(Path(folder))), indent=1, ensure_ascii=False)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
