"""Replies: predictions, explanations, and predictions that were made before.

`Label` and `Probabilities` are general here. Once there is a champion, the contract's classes take their place in the
document (`lambdas.api.openapi`).
"""

from typing import Annotated, Any, Literal

from pydantic import Field, RootModel

from lambdas.api.models import ApiModel
from lambdas.api.requests.records import MOST_RECORDS

RecordId = str | int | None


def _prediction_id(schema: dict[str, Any]) -> None:
    from scoring.batch import ID  # when the document is made: no prediction needs it

    schema["pattern"] = f"^([0-9a-f]{{32}}|{ID.pattern}-[0-9]{{1,15}})$"


type PredictionId = Annotated[
    str, Field(description="As a prediction or a scored file has it", json_schema_extra=_prediction_id)
]
"""Its form is checked where the prediction is read."""


type Audit = Annotated[
    bool,
    Field(
        description="Whether the true label of this prediction is asked for, once it is known; such predictions are "
        "chosen at random"
    ),
]


class Label(RootModel[str], defer_build=True):
    """A class."""


class Probabilities(RootModel[dict[str, Annotated[float, Field(ge=0, le=1)]]], defer_build=True):
    """The probability of each class."""


class ModelVersion(ApiModel):
    """The model that made a prediction."""

    name: str
    version: Annotated[str, Field(description="The release's version: a digest of all that is in it.")]


class Prediction(ApiModel):
    """The prediction for one record."""

    prediction_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
    record_id: RecordId
    label: Label
    label_text: str
    probabilities: Probabilities
    model: ModelVersion
    audit: Audit


class Predictions(ApiModel):
    """The predictions for each record, in their order."""

    predictions: Annotated[list[Prediction], Field(min_length=1, max_length=MOST_RECORDS)]


class InvocationsPrediction(ApiModel):
    """The prediction for one record, as a row of a DataFrame."""

    label: Label
    label_text: str
    probabilities: Probabilities
    prediction_id: str
    audit: Audit


class InvocationsReply(ApiModel):
    """The predictions for each record, in MLflow's form."""

    predictions: Annotated[list[InvocationsPrediction], Field(min_length=1, max_length=MOST_RECORDS)]


class Contribution(ApiModel):
    """What one feature contributed to a prediction."""

    feature: str
    value: Annotated[Any, Field(description="The record's, as it was read; null where it has none")]
    contribution: Annotated[float, Field(description="In probability")]
    margin: Annotated[
        float,
        Field(
            description="How far it may be from what all reference rows and orders would give, in about nine cases of "
            "ten; a contribution within its margin cannot be told from 0"
        ),
    ]


class Method(ApiModel):
    """How contributions were computed."""

    name: Literal["exact", "permutations"]
    reference_rows: Annotated[int, Field(description="Rows that features were exchanged with; the average is of all")]
    evaluations: Annotated[int, Field(description="How many rows the model scored")]
    standard_error: Annotated[
        float, Field(description="Of each contribution at most, with the drawing of orders and rows; 0 when exact")
    ]
    held: Annotated[
        list[str],
        Field(description="Features without reference values: kept at the record's, without a contribution"),
    ]


class Explanation(ApiModel):
    """The explanation of the prediction for one record."""

    record_id: RecordId
    label: Label
    label_text: str
    class_: Annotated[Label, Field(alias="class", description="Whose probability is explained")]
    class_text: str
    probability: float
    average: Annotated[float, Field(description="Of the model over all reference rows")]
    contributions: Annotated[list[Contribution], Field(description="The largest first")]
    model: ModelVersion
    method: Method


class StoredPrediction(ApiModel):
    """A prediction that was made before."""

    prediction_id: str
    record_id: Annotated[str | None, Field(description="The caller's own id of the record")]
    label: Label
    label_text: str
    probabilities: Probabilities
    model: ModelVersion
    created: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    batch: Annotated[str | None, Field(description="The batch that it was made in")]
    line: Annotated[
        int | None,
        Field(description="The line of the batch's file that its row begins on (Parquet: the row, from 1)"),
    ]


class StoredPredictions(ApiModel):
    """Predictions of one record, the newest first."""

    predictions: list[StoredPrediction]
