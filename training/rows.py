"""A data version as training sees it: one side, parsed and encoded by the contract."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.version import KEY, Columns
from andamio.errors import TrainingError
from andamio.records.encode import OTHER, Encoded, encode
from andamio.records.parse import parse

LEARNED_VALUES = 100
LONGEST_VALUE = 200  # what the contract's format lets a value be


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """One side of a data version: `encoded`, class indices, split keys, and the cells as they were read."""

    encoded: Encoded
    labels: NDArray[np.int64]
    keys: tuple[str, ...]
    cells: Columns


def seal(contract: Contract, train: Columns) -> Contract:
    """The contract with the values of its open categories learned from train: the 100 most frequent.

    A category without any value in train lists only "other".
    """
    learned: dict[str, list[str]] = {}
    open_ = [name for name, feature in contract.inputs.items() if feature.type == "category" and feature.values is None]
    if open_:
        table = parse(contract, train, _length(train), text=False, training=True)
        for name in open_:
            counts = Counter(text for text in table.columns[name] if text and len(text) <= LONGEST_VALUE)
            ranked = sorted(counts, key=lambda text: (-counts[text], text))[:LEARNED_VALUES]
            learned[name] = sorted(ranked) or [OTHER]
    # Read back what a release will keep: what cannot be read must not be trained on.
    return Contract.from_json(contract.seal(learned).to_json()) if learned else contract


def encode_rows(contract: Contract, cells: Columns, *, version: str) -> TrainingRows:
    """Parse and encode cells with a sealed contract; raises `TrainingError` when it no longer fits the data."""
    number = _length(cells)
    table = parse(contract, cells, number, text=False, training=True)
    if table.violations:
        first = table.violations[0]
        raise TrainingError(
            f"Data version {version} breaks the contract in {int(table.bad.sum())} of {number} rows (first: "
            f"'{first.field}' {first.reason}). The contract changed since ETL checked the data: run ETL again."
        )
    if table.labels is None:
        raise TrainingError(f"Data version {version} has no column '{contract.problem.target}'")
    return TrainingRows(encode(contract, table), table.labels, tuple(str(key) for key in cells[KEY]), cells)


def _length(cells: Columns) -> int:
    try:
        return len(cells[KEY])
    except KeyError:
        raise TrainingError(f"The data version has no column '{KEY}': it was not made by this version's ETL") from None
