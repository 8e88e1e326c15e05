"""Feedback: the true labels of predictions, and what was taken of them."""

from typing import Annotated

from pydantic import Field, RootModel

from lambdas.api.models import ApiModel, Strict
from lambdas.api.models.predictions import PredictionId
from lambdas.api.requests.parameters import LONGEST_RECORD_ID, NOT_BLANK
from lambdas.api.requests.records import LARGEST_ID, MOST_RECORDS


class TrueLabel(RootModel[str | int | float | bool], defer_build=True):
    """The true class: its key, as a prediction has it, or a value of the target column that means it."""


class PredictionFeedback(Strict):
    """The true label of a prediction."""

    prediction_id: PredictionId
    label: TrueLabel


class RecordFeedback(Strict):
    """The true label of the newest prediction that was made of a record before now."""

    record_id: Annotated[
        Annotated[str, Field(min_length=1, max_length=LONGEST_RECORD_ID, json_schema_extra={"pattern": NOT_BLANK})]
        | Annotated[int, Field(ge=-LARGEST_ID, le=LARGEST_ID - 1)],
        Field(description="The caller's own id of the record"),
    ]
    label: TrueLabel


class FeedbackRequest(
    RootModel[
        PredictionFeedback
        | RecordFeedback
        | Annotated[list[PredictionFeedback | RecordFeedback], Field(min_length=1, max_length=MOST_RECORDS)]
    ],
    defer_build=True,
):
    """One true label, or a list of them. Of two for one prediction the later one counts."""


class FeedbackReceipt(ApiModel):
    """What was kept."""

    accepted: Annotated[int, Field(description="How many labels", ge=1, le=MOST_RECORDS)]
    feedback_id: Annotated[
        str, Field(description="The same for the same labels, sent again within the hour", pattern="^[0-9a-f]{32}$")
    ]
