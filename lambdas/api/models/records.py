"""Requests: records, alone or many, in our form and in MLflow's.

`Features` is general here. Once there is a champion, its place in the document is taken by the contract's own schema
(`lambdas.api.openapi`).
"""

from typing import Annotated, Any

from pydantic import Field, RootModel

from lambdas.api.models import Strict
from lambdas.api.requests.records import LARGEST_ID, LONGEST_ID, MOST_RECORDS

type Cell = bool | int | float | str | None
"""A value of a table; those of a feature are what `Features` says of it."""


class Features(RootModel[dict[str, Any]], defer_build=True):
    """The features of one record. GET schema lists them, once there is a model."""


class Columns(RootModel[dict[str, list[Any]]], defer_build=True):
    """Values of the features, in lists of one length. GET schema lists the features, once there is a model."""


class Record(Strict):
    """One record, and the caller's own id of it."""

    features: Features
    id: Annotated[
        Annotated[str, Field(min_length=1, max_length=LONGEST_ID)]
        | Annotated[int, Field(ge=-LARGEST_ID, le=LARGEST_ID - 1)]
        | None,
        Field(description="The caller's own id; returned as record_id."),
    ] = None


class PredictRequest(Record):
    """A request for one prediction, or for its explanation."""


class BatchRequest(Strict):
    """The body of a request for many predictions."""

    records: Annotated[list[Record], Field(min_length=1, max_length=MOST_RECORDS)]


class Table(Strict):
    """Rows of values under the names of their columns."""

    columns: list[str]
    data: Annotated[list[list[Cell]], Field(min_length=1, max_length=MOST_RECORDS)]
    index: list[Cell] | None = None


class NoParams(Strict):
    """The model takes none."""


class Protocol(Strict):
    """The keys that all forms of MLflow's protocol may have."""

    params: NoParams | None = None


class DataframeSplit(Protocol):
    """The form in which MLflow sends a DataFrame."""

    dataframe_split: Table


class DataframeRecords(Protocol):
    """A DataFrame, record by record."""

    dataframe_records: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)]


class Instances(Protocol):
    """TensorFlow Serving's row form."""

    instances: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)]


class Inputs(Protocol):
    """TensorFlow Serving's column form, or rows, or one record."""

    inputs: Annotated[list[Features], Field(min_length=1, max_length=MOST_RECORDS)] | Columns | Features


class Invocations(RootModel[DataframeSplit | DataframeRecords | Instances | Inputs], defer_build=True):
    """MLflow's scoring protocol: an object with one of these keys."""
