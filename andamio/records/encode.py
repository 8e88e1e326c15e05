"""The one encoder: typed columns to the tensors that every model is trained on and served with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.errors import ContractError
from andamio.records.cells import DictionaryColumn
from andamio.records.table import Table

NUMBERS, CATEGORIES = "numbers", "categories"
"""The tensors that every exported model takes."""
OTHER = "__other__"
"""The text that stands for every category that is not listed."""

_LONGEST_BYTES = 64
"""Longer texts than that would make a column of equal widths a waste."""
_EPOCH = np.datetime64("1970-01-01", "D")


@dataclass(frozen=True, slots=True)
class Encoded:
    """What a model sees: `numbers` float32 `[rows, k]`, `categories` text `[rows, m]`; missing is NaN and "".

    Texts are Python's (dtype object), or UTF-8 (dtype S) of a table whose categories came coded: they are
    one to the model, and these reach it in a third of the time.
    """

    numbers: NDArray[np.float32]
    categories: NDArray[Any]

    @property
    def rows(self) -> int:
        """How many records."""
        return len(self.numbers)

    def take(self, rows: NDArray[Any] | slice) -> Encoded:
        """The chosen rows: a mask, indices or a slice."""
        return Encoded(self.numbers[rows], self.categories[rows])

    def feeds(self) -> dict[str, NDArray[Any]]:
        """The tensors by the names that the model gives its inputs; one without columns is left out."""
        feeds: dict[str, NDArray[Any]] = {}
        if self.numbers.shape[1]:
            feeds[NUMBERS] = self.numbers
        if self.categories.shape[1]:
            feeds[CATEGORIES] = self.categories
        return feeds


def encode(contract: Contract, table: Table, *, today: np.datetime64 | None = None) -> Encoded:
    """Encode typed columns; raises `ContractError` when a category's values were never sealed.

    A date's age is counted in days up to the record's own time. Where the contract names no time column,
    it is counted up to a fixed day (1970-01-01), so that the same record is encoded alike today and next
    year; where it does and the record says none, up to `today`, which is the day of the call unless it is
    given.
    """
    inputs = contract.inputs
    numbers = np.empty((table.rows, len(contract.number_columns)), dtype=np.float32)
    n = 0
    for name, feature in inputs.items():
        if feature.type == "date":
            as_of = _as_of(table, contract.problem.time is not None, today)
            numbers[:, n : n + 3] = _date_numbers(table.columns[name], as_of)
            n += 3
        elif feature.type != "category":
            numbers[:, n] = table.columns[name]
            n += 1
    return Encoded(numbers, _categories(inputs, table, len(contract.category_columns)))


def _categories(inputs: Mapping[str, Feature], table: Table, width: int) -> NDArray[Any]:
    listed = {name: feature for name, feature in inputs.items() if feature.type == "category"}
    for name, feature in listed.items():
        if feature.values is None:
            raise ContractError(
                f"[features.{name}] values: they are learned from train; only a contract that was sealed can encode"
            )
    if listed and listed.keys() <= table.coded.keys():
        packed = _packed([_known(feature, table.coded[name]) for name, feature in listed.items()], table.rows)
        if packed is not None:
            return packed
    categories = np.empty((table.rows, width), dtype=object)
    for index, (name, feature) in enumerate(listed.items()):
        if name in table.coded:
            known = _known(feature, table.coded[name])
            categories[:, index] = np.array([*known.values, ""], dtype=object)[known.codes]
        else:
            categories[:, index] = _listed(feature, table.columns[name])
    return categories


def _known(feature: Feature, column: DictionaryColumn) -> DictionaryColumn:
    """The same column, with one text for every category that is not listed."""
    values = feature.values or {}
    return DictionaryColumn(
        [text if not text or text in values else OTHER for text in map(str, column.values)], column.codes
    )


def _packed(columns: Sequence[DictionaryColumn], rows: int) -> NDArray[np.bytes_] | None:
    """Columns as UTF-8 of one width `[rows, columns]`, or None where that cannot hold them."""
    texts = [[text.encode() for text in map(str, column.values)] for column in columns]
    longest = max((len(text) for column in texts for text in column), default=0)
    if longest > _LONGEST_BYTES or any(b"\0" in text for column in texts for text in column):
        return None
    # onnxruntime reads each cell up to a zero byte, so even the longest text needs one behind it.
    packed = np.empty((rows, len(columns)), dtype=f"S{longest + 1}")
    for index, (column, values) in enumerate(zip(columns, texts, strict=True)):
        packed[:, index] = np.array([*values, b""], dtype=packed.dtype)[column.codes]
    return packed


def _listed(feature: Feature, column: NDArray[Any]) -> NDArray[Any]:
    if not feature.accepts_unknown:
        return column
    values, texts = feature.values or {}, column.tolist()
    seen = {text: text if not text or text in values else OTHER for text in set(texts)}
    return np.array(list(map(seen.__getitem__, texts)), dtype=object)


def _as_of(table: Table, dates_have_a_time: bool, today: np.datetime64 | None) -> NDArray[np.datetime64]:
    if not dates_have_a_time:
        return np.full(table.rows, _EPOCH)
    today = np.datetime64("today", "D") if today is None else today
    if table.time is None:
        return np.full(table.rows, today)
    moments = table.time.astype("datetime64[D]")
    return np.where(np.isnat(moments), today, moments)


def _date_numbers(dates: NDArray[np.datetime64], as_of: NDArray[np.datetime64]) -> NDArray[np.float32]:
    """Age in days, month (1-12) and weekday (0 = Monday): float32 `[rows, 3]`, NaN where there is no date."""
    parts = np.full((len(dates), 3), np.nan, dtype=np.float32)
    known = ~np.isnat(dates)
    days = dates[known]
    parts[known, 0] = (as_of[known] - days).astype(np.int64)
    parts[known, 1] = days.astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts[known, 2] = (days.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    return parts
