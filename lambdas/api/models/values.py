"""Replies of a regression: in its document they take the place of the models of the same names in `predictions`.

`Value` is general here, and in the document the contract's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, RootModel

from lambdas.api.models import ApiModel, predictions
from lambdas.api.models.predictions import Audit, Method, ModelVersion, RecordId
from lambdas.api.requests.records import MOST_RECORDS


class Value(RootModel[float], defer_build=True):
    """A number in the target's unit."""


class Interval(ApiModel):
    """Where the truth lies in `level` of all cases."""

    low: Value
    high: Value
    level: Annotated[float, Field(description="The share of records whose truth lies in their interval", ge=0, le=1)]


type Unit = Annotated[str, Field(description="The unit of the number; empty where the contract names none")]


class Prediction(ApiModel):
    """The prediction for one record."""

    prediction_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    record_id: RecordId
    value: Value
    interval: Interval
    unit: Unit
    model: ModelVersion
    audit: Audit


class InvocationsPrediction(ApiModel):
    """The prediction for one record, as a row of a DataFrame."""

    value: Value
    interval: Interval
    unit: Unit
    prediction_id: str
    audit: Audit


class InvocationsReply(ApiModel):
    """The predictions for each record, in MLflow's form."""

    predictions: Annotated[list[InvocationsPrediction], Field(min_length=1, max_length=MOST_RECORDS)]


class Contribution(predictions.Contribution):
    """What one feature contributed to a prediction."""

    contribution: Annotated[float, Field(description="In the target's unit")]


class Explanation(ApiModel):
    """The explanation of the prediction for one record."""

    record_id: RecordId
    value: Value
    interval: Interval
    unit: Unit
    average: Annotated[float, Field(description="Of the model over all reference rows")]
    contributions: Annotated[list[Contribution], Field(description="The largest first")]
    model: ModelVersion
    method: Method


class StoredPrediction(ApiModel):
    """A prediction that was made before."""

    prediction_id: str
    record_id: Annotated[str | None, Field(description="The caller's own id of the record")]
    value: Value
    interval: Interval
    unit: Unit
    model: ModelVersion
    created: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    batch: Annotated[str | None, Field(description="The batch that it was made in")]
    line: Annotated[
        int | None,
        Field(description="The line of the batch's file that its row begins on (Parquet: the row, from 1)"),
    ]


class Level(ApiModel):
    """The intervals of all predictions."""

    level: Annotated[float, Field(description="The share of records whose truth lies in their interval")]


REPLIES = (
    Value,
    Interval,
    Level,
    Prediction,
    InvocationsPrediction,
    InvocationsReply,
    Contribution,
    Explanation,
    StoredPrediction,
)
"""The models that stand in the document of a regression."""
OF_CLASSES = ("Label", "Probabilities")
"""Those that it lacks."""


def model_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of `lambdas.api.models.model.Model` with what a regression says in the place of its classes."""
    of_values: dict[str, Any] = {
        "unit": {"type": "string", "description": "The unit of the target"},
        "target_min": {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "No prediction is below it"},
        "target_max": {"anyOf": [{"type": "number"}, {"type": "null"}], "description": "No prediction is above it"},
        "interval": {"$ref": "#/components/schemas/Level"},
    }
    found: dict[str, Any] = {}
    for name, schema in properties.items():
        if name == "classes":
            found |= of_values
        elif name not in ("positive", "threshold"):
            found[name] = schema
    return found
