"""Requests: records, alone or many, in our form and in MLflow's.

`Features` is general here. Once there is a champion, its place in the document is taken by the contract's own schema
(`lambdas.api.openapi`).
"""

from typing import Annotated, Any

from pydantic import ConfigDict, Field, RootModel

from lambdas.api.models import ApiModel
from lambdas.api.requests.records import LARGEST_ID, LONGEST_ID, MOST_RECORDS


class Features(RootModel[dict[str, Any]], defer_build=True):
    """The features of one record. GET schema lists them, once there is a model."""


class Record(ApiModel):
    """One record, and the caller's own id of it."""

    model_config = ConfigDict(extra="forbid")

    features: Features
    id: Annotated[
        Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
        | Annotated[int, Field(ge=-LARGEST_ID, le=LARGEST_ID - 1)]
        | None,
        Field(description="The caller's own id; comes back as record_id."),
    ] = None


class PredictRequest(Record):
    """What one prediction, or its explanation, is asked with."""


class BatchRequest(ApiModel):
    """What many predictions are asked with."""

    records: Annotated[list[Record], Field(min_length=1, max_length=MOST_RECORDS)]


class Table(ApiModel):
    """Rows of values under the names of their columns."""

    columns: list[str]
    data: Annotated[list[list[Any]], Field(min_length=1, max_length=MOST_RECORDS)]
    index: list[Any] | None = None


class DataframeSplit(ApiModel):
    """What MLflow sends for a DataFrame."""

    dataframe_split: Table


class DataframeRecords(ApiModel):
    """A DataFrame, record by record."""

    dataframe_records: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)]


class Instances(ApiModel):
    """TensorFlow Serving's row form."""

    instances: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)]


class Inputs(ApiModel):
    """TensorFlow Serving's column form, or rows."""

    inputs: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)] | dict[str, list[Any]]


class Invocations(RootModel[DataframeSplit | DataframeRecords | Instances | Inputs], defer_build=True):
    """MLflow's scoring protocol: an object with one of these keys."""
