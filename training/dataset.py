"""A data version as training sees it: one side, parsed and encoded by the contract."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andamio import names
from andamio.contract import Contract
from andamio.encode import OTHER, Encoded
from andamio.errors import ObjectNotFound, TrainingError
from andamio.ports import Objects
from training.columns import from_parquet

Side = Literal["train", "holdout"]
Cells = Sequence[object] | NDArray[Any]
Columns = dict[str, Any]

KEY, ROW = "_key", "_row"
"""Columns of every data version: the split key's digest, and the row's own identity."""

LEARNED_VALUES = 100
LONGEST_VALUE = 200  # what the contract's format lets a value be


@dataclass(frozen=True, slots=True)
class Rows:
    """One side of a data version: `encoded`, class indices, split keys, and the cells as they were read."""

    encoded: Encoded
    labels: NDArray[np.int64]
    keys: tuple[str, ...]
    cells: Columns


def current_version(lake: Objects) -> str:
    """The data version that ETL published last; raises `TrainingError` when there is none."""
    try:
        current = json.loads(lake.get(names.CURRENT_DATASET).body)
    except ObjectNotFound:
        raise TrainingError(
            f"There is no data version yet ({names.CURRENT_DATASET}). Put data under {names.RAW} in the lake "
            "(andamio ingest FILE); ETL makes one and starts training by itself."
        ) from None
    version: str = current["version"]
    return version


def manifest(lake: Objects, version: str) -> dict[str, Any]:
    """What a data version says of itself; raises `TrainingError` when there is no such version."""
    try:
        content: dict[str, Any] = json.loads(lake.get(names.dataset(version, "manifest.json")).body)
    except ObjectNotFound:
        raise TrainingError(
            f"There is no data version '{version}' under {names.DATASETS}: leave it out to train on the current one"
        ) from None
    return content


def read_cells(lake: Objects, version: str, side: Side) -> Columns:
    """The columns of one side: float64 (NaN = no value), or a list of texts (None = no value)."""
    key = names.dataset(version, f"{side}.parquet")
    try:
        body = lake.get(key).body
    except ObjectNotFound:
        raise TrainingError(f"{key} is missing: the data version is incomplete; run ETL again") from None
    return {name: _cells(column) for name, column in from_parquet(body).items()}


def _cells(column: NDArray[Any]) -> Cells:
    """A column as the contract's typed reading wants it: an empty text is no value."""
    return column if column.dtype.kind == "f" else [None if text == "" else text for text in column]


def seal(contract: Contract, train: Columns) -> Contract:
    """The contract with the values of its open categories learned from train: the 100 most frequent.

    A category without any value in train lists only "other".
    """
    learned: dict[str, list[str]] = {}
    open_ = [name for name, feature in contract.inputs.items() if feature.type == "category" and feature.values is None]
    if open_:
        table = contract.parse(train, _length(train), text=False, training=True)
        for name in open_:
            counts = Counter(text for text in table.columns[name] if text and len(text) <= LONGEST_VALUE)
            ranked = sorted(counts, key=lambda text: (-counts[text], text))[:LEARNED_VALUES]
            learned[name] = sorted(ranked) or [OTHER]
    # Read back what a release will keep: what cannot be read must not be trained on.
    return Contract.from_json(contract.seal(learned).to_json()) if learned else contract


def rows(contract: Contract, cells: Columns, *, version: str) -> Rows:
    """Parse and encode cells with a sealed contract; raises `TrainingError` when it no longer fits the data."""
    number = _length(cells)
    table = contract.parse(cells, number, text=False, training=True)
    if table.problems:
        first = table.problems[0]
        raise TrainingError(
            f"Data version {version} breaks the contract in {int(table.bad.sum())} of {number} rows (first: "
            f"'{first.field}' {first.reason}). The contract changed since ETL checked the data: run ETL again."
        )
    if table.labels is None:
        raise TrainingError(f"Data version {version} has no column '{contract.problem.target}'")
    return Rows(contract.encode(table), table.labels, tuple(str(key) for key in cells[KEY]), cells)


def _length(cells: Columns) -> int:
    try:
        return len(cells[KEY])
    except KeyError:
        raise TrainingError(f"The data version has no column '{KEY}': it was not made by this version's ETL") from None
