"""The OpenAPI document: FastAPI's own of the routes, with the champion's contract in it.

    python -m lambdas.api.openapi problems/heart > docs/openapi.json

What a record, a label and the probabilities are, and the examples, follow from the contract, which can change while
the app runs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic.json_schema import models_json_schema

from andamio import __version__
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.schema import example_record, record_schema
from andamio.contract.task import Classification, Regression
from andamio.feedback import labels_of
from lambdas.api.models import batches, feedback, problem, records
from lambdas.api.models import values as of_values
from lambdas.api.requests.body import CSV, JSON, LIMIT
from lambdas.api.requests.parameters import NOT_BLANK
from lambdas.api.requests.records import LONGEST_TEXT, MOST_RECORDS

Json = dict[str, Any]

TAGS = {
    "predictions": "Records in, labels and probabilities out, and why.",
    "feedback": "What became of it: the true labels of predictions.",
    "batches": "Files in, files out: scored rows, and the rows that could not be scored.",
    "model": "What serves, and how good it is.",
    "service": "Whether it runs. No key needed.",
}
_JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_OF_TYPES = {"minimum": ("number", "integer"), "maximum": ("number", "integer"), "format": ("string",)}
"""Keywords that only some types have."""
_LIMITS = (
    f"A request holds at most {MOST_RECORDS} records and {LIMIT} bytes. Errors are problem details (RFC 9457) that say "
    "which field of which record is wrong, and why. Send null, or leave the field out, where there is no value."
)


def document(routes: Sequence[APIRoute], contract: Contract | None) -> Json:
    """The document of these routes for a contract; for records in general when there is none yet.

    Its server is relative, the place of the document itself; `at` adds the absolute address.
    """
    about = contract.problem if contract else None
    title = (about.title or about.name) if about else "Andamio"
    texts = [about.description, about.objective] if about else ["No model is served yet: records are anything."]
    openapi: Json = get_openapi(
        title=f"{title}: predictions",
        version=__version__,
        description="\n\n".join(text for text in [*texts, _LIMITS] if text),
        routes=routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": ".", "description": "Where this document is"}],
    )
    openapi["security"] = [{"key": []}]  # API Gateway checks the key, not the app
    for operation in (operation for path in openapi["paths"].values() for operation in path.values()):
        operation["responses"] = dict(sorted(operation["responses"].items()))
    components = openapi["components"]
    components["securitySchemes"] = {"key": {"type": "apiKey", "in": "header", "name": "x-api-key"}}
    components["responses"] = problem.responses()
    schemas = components["schemas"] | _body_schemas()
    truth: str | float = "1"
    if contract is not None:
        schemas |= _contract_schemas(contract)
        match contract.task:
            case Classification():
                schemas |= _class_schemas(contract)
                truth = contract.classes[-1]
            case Regression() as task:
                schemas = _value_schemas(task, schemas)
                truth = _example_of(task)
                _tell_of_values(openapi)
    components["schemas"] = dict(sorted(schemas.items()))
    _add_examples(openapi["paths"], example_record(contract.sent) if contract else {"age": 63}, truth)
    return openapi


def at(openapi: Json, address: str) -> Json:
    """The document with the API's absolute address: client generators resolve no relative one."""
    return openapi | {"servers": [{"url": address, "description": "This API"}]}


def _contract_schemas(contract: Contract) -> Json:
    """The schemas of the contract's records that replace general models."""
    features = {key: value for key, value in record_schema(contract.sent).items() if key != "$schema"}
    blank = "" in contract.data.missing
    properties = {key: _or_blank(_one_type_each(one), blank) for key, one in features["properties"].items()}
    lists = {
        key: {"type": "array", "items": one, "minItems": 1, "maxItems": MOST_RECORDS} for key, one in properties.items()
    }
    return {
        "Features": features | {"properties": properties},
        "Columns": {
            "type": "object",
            "description": "The values of each feature, in lists of one length.",
            "properties": lists,
            "required": features["required"],
            "additionalProperties": False,
        },
    }


def _class_schemas(contract: Contract) -> Json:
    """Those of its classes."""
    share = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "Label": {
            "type": "string",
            "enum": list(contract.classes),
            "description": "; ".join(f"{key} = {text}" for key, text in contract.texts.items()),
        },
        "TrueLabel": {
            "description": "The true class, or a value of the target column that means it.",
            **_texts_and_numbers(list(labels_of(contract))),
        },
        "Probabilities": {
            "type": "object",
            "required": list(contract.classes),
            "properties": {key: {**share, "description": text} for key, text in contract.texts.items()},
        },
    }


def _value_schemas(task: Regression, schemas: Json) -> Json:
    """All schemas, those of numbers in the place of those of classes."""
    _, made = models_json_schema(
        [(model, "serialization") for model in of_values.REPLIES], ref_template="#/components/schemas/{model}"
    )
    bounds = {key: bound for key, bound in (("minimum", task.low), ("maximum", task.high)) if bound is not None}
    number = {"type": "number", **bounds}
    unit = f", in {task.unit}" if task.unit else ""
    model = schemas["Model"]
    properties = of_values.model_properties(model["properties"])
    return {
        **{name: schema for name, schema in schemas.items() if name not in of_values.OF_CLASSES},
        **made["$defs"],
        "Value": {**number, "description": f"The number that is predicted{unit}"},
        "TrueLabel": {**number, "description": f"The true number{unit}."},
        "Model": model | {"properties": properties, "required": list(properties)},
    }


def _example_of(task: Regression) -> float:
    """A number that the target can have."""
    known = [bound for bound in (task.low, task.high) if bound is not None]
    return sum(known) / len(known) if known else 1.0


def _tell_of_values(openapi: Json) -> None:
    """Put what is said of classes in the terms of numbers."""
    for tag in openapi["tags"]:
        if tag["name"] == "predictions":
            tag["description"] = "Records in, numbers with their intervals out, and why."
    openapi["paths"]["/explain"]["post"]["description"] = (
        "What each feature contributed, in the target's unit, against the release's reference rows (Shapley values)."
        "\n\nThe contributions sum to value minus average. The same request has the same answer. Private features are "
        "held at the record's values: what they do is in the average."
    )


def _one_type_each(schema: Json) -> Json:
    """The schema with an alternative for each type that it allows: client generators know no list of types.

    Bounds and formats go to the type that they are of, an enum of values of several types becomes one of each.
    """
    if not isinstance(schema.get("type"), list):
        return schema
    own = {key: schema[key] for key in schema if key in _OF_TYPES}
    rest = {key: value for key, value in schema.items() if key not in ("type", "enum", *_OF_TYPES)}
    if "enum" in schema:
        by_type: dict[str, list[Any]] = {}
        for value in schema["enum"]:
            by_type.setdefault(_JSON_TYPES[type(value)], []).append(value)
        parts = [
            {"type": kind}
            if kind == "null" or (kind == "boolean" and len(values) == 2)
            else {"type": kind, "enum": values}
            for kind, values in by_type.items()
        ]
    else:
        parts = [
            {"type": kind}
            | {key: value for key, value in own.items() if kind in _OF_TYPES[key]}
            | (_text(schema) if kind == "string" and "format" not in own else {})
            for kind in schema["type"]
        ]
    return {"anyOf": parts, **rest}


def _texts_and_numbers(texts: Sequence[str]) -> Json:
    """The schema of one of these canonical texts, or of the number or the boolean that has it."""
    values: list[Any] = [*texts, *(int(text) for text in texts if canonical(_int(text)) == text)]
    values += [text == "true" for text in texts if text in ("true", "false")]
    return _one_type_each({"type": sorted({_JSON_TYPES[type(value)] for value in values}), "enum": values})


def _int(text: str) -> int | None:
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else None


def _or_blank(schema: Json, blank: bool) -> Json:
    """The schema with the empty text beside a date that may be missing, where the contract reads it as no value."""
    parts = schema.get("anyOf", [])
    if not blank or {"type": "null"} not in parts or all("format" not in part for part in parts):
        return schema
    return schema | {"anyOf": [*parts, {"type": "string", "maxLength": 0}]}


def _text(schema: Json) -> Json:
    """What any text of a feature may be; where the feature is required, it is not blank."""
    return {"maxLength": LONGEST_TEXT} | ({} if "null" in schema["type"] else {"pattern": NOT_BLANK})


def _body_schemas() -> Json:
    """The models of bodies, which FastAPI does not know of (`lambdas.api.dependencies`), and of problems."""
    models = (
        records.PredictRequest,
        records.BatchRequest,
        records.Invocations,
        feedback.FeedbackRequest,
        batches.UploadRequest,
        problem.Problem,
    )
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/components/schemas/{model}"
    )
    definitions: Json = schemas["$defs"]
    return definitions


def _add_examples(paths: Json, features: Json, label: str | float) -> None:
    one = {"one record": {"features": features, "id": "visit-17"}}
    examples: dict[str, Json] = {
        "/predict": one,
        "/explain": one,
        "/predict/batch": {
            "two records": {"records": [{"features": features, "id": 1}, {"features": features, "id": 2}]}
        },
        "/invocations": {
            "dataframe_split": {"dataframe_split": {"columns": list(features), "data": [list(features.values())]}},
            "dataframe_records": {"dataframe_records": [features]},
            "instances": {"instances": [features]},
            "inputs": {"inputs": {name: [value] for name, value in features.items()}},
        },
        "/feedback": {
            "a prediction": {"prediction_id": "0" * 32, "label": label},
            "records": [{"record_id": "visit-17", "label": label}, {"record_id": 18, "label": label}],
        },
        "/batches": {"a CSV file": {"name": "patients.csv"}},
    }
    for path, values in examples.items():
        content = paths[path]["post"]["requestBody"]["content"]
        content[JSON]["examples"] = {name: {"value": value} for name, value in values.items()}
    csv = ",".join(features) + "\n" + ",".join(str(value) for value in features.values()) + "\n"
    paths["/invocations"]["post"]["requestBody"]["content"][CSV]["example"] = csv


def main(folder: str) -> None:
    """Write the document of a problem folder: the content of docs/openapi.json."""
    from lambdas.api.app import ROUTES

    text = json.dumps(document(ROUTES, Contract.load(Path(folder))), indent=1, ensure_ascii=False)
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
