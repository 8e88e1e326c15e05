"""A data version: the current one, what it says of itself, and the columns of one side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from numpy.typing import NDArray

from andamio.dataset.columns import from_parquet
from andamio.errors import ObjectNotFound, TrainingError
from andamio.storage import layout
from andamio.storage.ports import Objects

Side = Literal["train", "holdout"]
Cells = Sequence[object] | NDArray[Any]
Columns = dict[str, Any]

KEY, ROW = "_key", "_row"
"""Columns of every data version: the split key's digest, and the row's own identity."""


def current_version(lake: Objects) -> str:
    """The data version that ETL published last; raises `TrainingError` when there is none."""
    try:
        current = json.loads(lake.get(layout.CURRENT_DATASET).body)
    except ObjectNotFound:
        raise TrainingError(
            f"There is no data version yet ({layout.CURRENT_DATASET}). Put data under {layout.RAW} in the lake "
            "(andamio ingest FILE); ETL makes one and starts training by itself."
        ) from None
    version: str = current["version"]
    return version


def manifest(lake: Objects, version: str) -> dict[str, Any]:
    """What a data version says of itself; raises `TrainingError` when there is no such version."""
    try:
        content: dict[str, Any] = json.loads(lake.get(layout.dataset(version, "manifest.json")).body)
    except ObjectNotFound:
        raise TrainingError(
            f"There is no data version '{version}' under {layout.DATASETS}: leave it out to train on the current one"
        ) from None
    return content


def read_cells(lake: Objects, version: str, side: Side) -> Columns:
    """The columns of one side: float64 (NaN = no value), or a list of texts (None = no value)."""
    key = layout.dataset(version, f"{side}.parquet")
    try:
        body = lake.get(key).body
    except ObjectNotFound:
        raise TrainingError(f"{key} is missing: the data version is incomplete; run ETL again") from None
    return {name: _cells(column) for name, column in from_parquet(body).items()}


def _cells(column: NDArray[Any]) -> Cells:
    """A column as the contract's typed reading wants it: an empty text is no value."""
    return column if column.dtype.kind == "f" else [None if text == "" else text for text in column]
