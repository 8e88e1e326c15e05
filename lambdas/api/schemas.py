"""The schemas of the OpenAPI document: what goes in, what comes out."""

from __future__ import annotations

from andamio.contract import Contract
from andamio.contract.schema import record_schema
from lambdas.api import batch_schemas
from lambdas.api.describing import VERSION, Json, fields, maybe, ref
from lambdas.api.invocations import FORMS
from lambdas.api.payload import LARGEST_ID, LONGEST_ID, MOST_RECORDS
from lambdas.api.problems import TITLES, URN


def components(contract: Contract | None) -> Json:
    """Every named schema."""
    return {
        "Features": _features(contract),
        "Record": {
            "type": "object",
            "required": ["features"],
            "additionalProperties": False,
            "properties": {
                "features": ref("Features"),
                "id": {
                    "description": "The caller's own id; comes back as record_id.",
                    "anyOf": [
                        {"type": "string", "minLength": 1, "maxLength": LONGEST_ID},
                        {"type": "integer", "minimum": -LARGEST_ID, "maximum": LARGEST_ID - 1},
                        {"type": "null"},
                    ],
                },
            },
        },
        "PredictRequest": ref("Record"),
        "BatchRequest": fields({"records": _list(ref("Record"))}),
        "Invocations": {"oneOf": [fields({form: _form(form)}) for form in FORMS]},
        "Label": _labels(contract),
        "Probabilities": _probabilities(contract),
        "Prediction": fields(
            {
                "prediction_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                "record_id": {"type": ["string", "integer", "null"]},
                "label": ref("Label"),
                "label_text": {"type": "string"},
                "probabilities": ref("Probabilities"),
                "model": fields({"name": {"type": "string"}, "version": VERSION}),
            }
        ),
        "Predictions": fields({"predictions": _list(ref("Prediction"))}),
        "Explanation": _explanation(),
        "InvocationsReply": fields(
            {
                "predictions": _list(
                    fields(
                        {
                            "label": ref("Label"),
                            "label_text": {"type": "string"},
                            "probabilities": ref("Probabilities"),
                            "prediction_id": {"type": "string"},
                        }
                    )
                )
            }
        ),
        **batch_schemas.components(),
        "Model": _MODEL,
        "Version": _SERVES,
        "JsonSchema": {"type": "object", "description": "JSON Schema 2020-12"},
        "Pong": fields({"status": {"const": "ok"}}),
        "Problem": _PROBLEM,
    }


def _list(items: Json) -> Json:
    return {"type": "array", "items": items, "minItems": 1, "maxItems": MOST_RECORDS}


def _features(contract: Contract | None) -> Json:
    if contract is None:
        return {"type": "object", "description": "The features of one record. GET schema says more, once a model is."}
    return {key: value for key, value in record_schema(contract).items() if key != "$schema"}


def _form(form: str) -> Json:
    if form == "dataframe_split":
        columns = {"type": "array", "items": {"type": "string"}}
        split = fields({"columns": columns, "data": _list({"type": "array"})})
        return {**split, "properties": {**split["properties"], "index": {"type": "array"}}}
    if form == "inputs":
        return {"anyOf": [_list(ref("Features")), {"type": "object", "additionalProperties": _list({})}]}
    return _list(ref("Features"))


def _explanation() -> Json:
    number: Json = {"type": "number"}
    contribution = {
        "feature": {"type": "string"},
        "value": {"description": "The record's, as it was read; null where it has none"},
        "contribution": {**number, "description": "In probability"},
    }
    method = {
        "name": {"enum": ["exact", "permutations"]},
        "reference_rows": {"type": "integer"},
        "evaluations": {"type": "integer", "description": "How many rows the model was asked about"},
        "standard_error": {**number, "description": "Of each contribution at most; 0 when exact"},
        "held": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Features without reference values: kept at the record's, without a contribution",
        },
    }
    return fields(
        {
            "record_id": {"type": ["string", "integer", "null"]},
            "label": ref("Label"),
            "label_text": {"type": "string"},
            "class": {**ref("Label"), "description": "Whose probability is explained"},
            "class_text": {"type": "string"},
            "probability": number,
            "average": {**number, "description": "Of the model over the reference rows"},
            "contributions": {"type": "array", "items": fields(contribution), "description": "The largest first"},
            "model": fields({"name": {"type": "string"}, "version": VERSION}),
            "method": fields(method),
        }
    )


def _labels(contract: Contract | None) -> Json:
    if contract is None:
        return {"type": "string"}
    meanings = "; ".join(f"{key} = {text}" for key, text in contract.texts.items())
    return {"type": "string", "enum": list(contract.classes), "description": meanings}


def _probabilities(contract: Contract | None) -> Json:
    share: Json = {"type": "number", "minimum": 0, "maximum": 1}
    if contract is None:
        return {"type": "object", "additionalProperties": share}
    return fields({key: {**share, "description": text} for key, text in contract.texts.items()})


_MODEL: Json = fields(
    {
        "name": {"type": "string"},
        "title": {"type": "string"},
        "version": VERSION,
        "since": {"type": "string", "description": "Since when it serves"},
        "run": {"type": "string", "description": "The training run that made it"},
        "data_version": maybe("string", "The data version that it was trained on"),
        "classes": {"type": "object", "description": "The text shown for each class"},
        "positive": maybe("string", "The positive class; null with more than two classes"),
        "threshold": {
            "type": "number",
            "description": "Of the positive class: the probability from which on it is the label",
        },
        "metric": maybe("string", "The metric that decides"),
        "metrics": maybe("object", "Each metric on the holdout: value and the ends of its interval"),
        "evaluation": {"type": "object", "description": "All else that was measured on the holdout"},
        "decision": {"type": "object", "description": "Why it was promoted, with all numbers"},
    }
)
_SERVES: Json = fields(
    {
        "problem": {"type": "string"},
        "release": maybe("string", "The release that serves"),
        "revision": maybe("integer", "Of the pointer that names it; grows with every promotion and rollback"),
        "since": maybe("string", "Since when it serves"),
        "looked": maybe("string", "When this environment last looked at the pointer"),
        "loads": {"type": "integer", "description": "How many releases this environment has loaded"},
        "refusals": {"type": "integer", "description": "How many looks did not lead to the release that is named"},
        "last_refusal": maybe("object", "When, which release, code and reason"),
        "andamio": {"type": "string", "description": "The version of Andamio"},
    }
)
_PROBLEM: Json = {
    "type": "object",
    "description": "Problem details (RFC 9457). Values that were sent are never repeated.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": [URN + code for code in TITLES]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "The request, as the log names it"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {
                    "index": {"type": "integer", "description": "Which record, from 0; left out for a single one"},
                    "field": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}
