"""How columns of cells become typed columns, checked against a feature, and what is wrong noted row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeIs

import numpy as np
from numpy.typing import NDArray

from andamio.contract.canonical import canonical, folded
from andamio.contract.tables import EXACT_INTEGER, LARGEST_NUMBER, Feature
from andamio.errors import Violation
from andamio.records.cells import (
    Cells,
    DictionaryColumn,
    Wrong,
    moment_of,
    moment_written,
    number_of,
    number_written,
    read_each,
    text_of,
    truth_of,
)
from andamio.records.table import Table

_NO_VALUE = "is required and has no value"
_TOO_LARGE = (
    f"must be within {EXACT_INTEGER} of 0: no larger integer is held exactly "
    "(make it a category or a date, or subtract an offset)"
)


@dataclass(frozen=True, slots=True)
class NoValue:
    """What [data] missing lists, as texts, and as the numbers and moments that the texts write."""

    texts: frozenset[str]
    numbers: frozenset[float]
    moments: frozenset[datetime]


@lru_cache(maxsize=32)
def no_value(missing: tuple[str, ...]) -> NoValue:
    """What means no value, in every format: -999 is -999.0, and the empty text always means none."""
    texts = frozenset({"", *(part.strip() for part in missing), *map(canonical, missing)})
    numbers = (number_written(text, ".") for text in texts)
    moments = (moment_of(text) for text in texts if text)
    return NoValue(
        texts,
        frozenset(number for number in numbers if isinstance(number, float)),
        frozenset(moment for moment in moments if isinstance(moment, datetime)),
    )


class Reader:
    """Reads columns into a table, noting problems row by row."""

    def __init__(self, table: Table, text: bool, missing: Sequence[str], decimal: str) -> None:
        self.table = table
        self.text = text
        self.decimal = decimal
        self.missing = no_value(tuple(missing))

    def problem(self, row: int | np.integer[Any], name: str, reason: str, code: str) -> None:
        """Note what is wrong with a row."""
        self.table.violations.append(Violation(int(row), name, reason, code))

    def read(self, name: str, feature: Feature, cells: Cells | None) -> NDArray[Any]:
        """One feature's column, checked against type, values, range and `required`."""
        before = len(self.table.violations)
        if feature.type == "category":
            column = self._categories(name, feature, cells)
        elif feature.type == "date":
            column = self._moments(name, cells, feature.format).astype("datetime64[D]")
        elif feature.type == "boolean":
            column = self._truths(name, cells)
        else:
            column = self._numbers(name, cells)
            self._check_range(name, feature, column)
        if feature.required:
            self._require(name, column, before, _NO_VALUE)
        return column

    def coded_categories(self, name: str, feature: Feature, cells: DictionaryColumn) -> DictionaryColumn:
        """A category's column that came coded: its distinct values are read and checked, not its rows."""
        before = len(self.table.violations)
        read = DictionaryColumn(*self._distinct(name, cells, self._text))
        texts = [str(text or "") for text in read.values]
        if feature.values is not None and not feature.accepts_unknown:
            strange = [bool(text) and text not in feature.values for text in texts]
            if any(strange):
                reasons = _Unlisted(feature.values, _one_of(feature.values))
                why = [reasons.of(text) if wrong else "" for text, wrong in zip(texts, strange, strict=True)]
                for reason in dict.fromkeys(filter(None, why)):
                    self._note(name, read.codes, np.array([one == reason for one in why]), reason, "unknown-category")
                texts = ["" if wrong else text for text, wrong in zip(texts, strange, strict=True)]
        # One more value stands for "nothing" while codes are mapped: -1 finds it at the end.
        present = np.array([*map(bool, texts), False])
        column = DictionaryColumn(texts, np.where(present[read.codes], read.codes, -1))
        if feature.required:
            self._require_present(name, column.codes < 0, before, _NO_VALUE)
        return column

    def identifiers(self, name: str, cells: Cells | None) -> NDArray[Any]:
        """A column of ids or groups in canonical text; every row needs one."""
        before = len(self.table.violations)
        column = self._texts(name, cells)
        self._require(name, column, before, "is required to identify the row and has no value")
        return column

    def times(self, name: str, cells: Cells | None, written: str | None, *, required: bool) -> NDArray[np.datetime64]:
        """The column that orders rows, `datetime64[s]` in UTC, from texts in a format or in ISO 8601."""
        before = len(self.table.violations)
        column = self._moments(name, cells, written)
        if required:
            self._require(name, column, before, "is required to order rows and has no value")
        return column

    def labels(self, name: str, cells: Cells | None, index: Mapping[str, int]) -> NDArray[np.int64]:
        """Class indices of the target column, -1 for a missing or unknown label."""
        before = len(self.table.violations)
        texts = self._texts(name, cells)
        labels = np.array(read_each(texts.tolist(), lambda text: index.get(text, -1)), dtype=np.int64)
        if (labels < 0).any():
            self._require(name, texts, before, "has no label", "missing-label")
            reasons = _Unlisted(index, f"is not one of the labels: {', '.join(list(index)[:10])}")
            for row in np.flatnonzero((labels < 0) & (texts != "")):
                self.problem(row, name, reasons.of(texts[row]), "unknown-label")
        return labels

    def measured(self, name: str, cells: Cells | None, low: float | None, high: float | None) -> NDArray[np.float64]:
        """The numbers of the target column, NaN for a missing one, or one that the target cannot be."""
        before = len(self.table.violations)
        column = self._numbers(name, cells)
        self._check_range(name, Feature(type="number", min=low, max=high), column)
        self._require(name, column, before, "has no value to learn from", "missing-label")
        return column

    # Kinds of columns

    def _each(self, name: str, cells: Cells | None, read: Callable[[Any], Any]) -> list[Any]:
        """What `read` makes of each cell, None where it means no value; what is wrong is noted, and is no value."""
        if cells is None:
            return [None] * self.table.rows
        if isinstance(cells, DictionaryColumn):
            values, codes = self._distinct(name, cells, read)
            return list(map([*values, None].__getitem__, codes.tolist()))
        values = read_each(cells.tolist() if isinstance(cells, np.ndarray) else cells, read)
        if Wrong in set(map(type, values)):
            for row, value in enumerate(values):
                if type(value) is Wrong:
                    self.problem(row, name, value.reason, value.code)
                    values[row] = None
        return values

    def _distinct(
        self, name: str, cells: DictionaryColumn, read: Callable[[Any], Any]
    ) -> tuple[list[Any], NDArray[np.integer[Any]]]:
        """The same of a coded column: what each distinct cell means, and the codes."""
        values: list[Any] = [read(cell) for cell in cells.values]
        wrong: dict[Wrong, NDArray[np.bool_]] = {}
        for index, value in enumerate(values):
            if type(value) is Wrong:
                wrong.setdefault(value, np.zeros(len(values), dtype=bool))[index] = True
                values[index] = None
        for value, which in wrong.items():
            self._note(name, cells.codes, which, value.reason, value.code)
        return values, cells.codes

    def _note(
        self, name: str, codes: NDArray[np.integer[Any]], which: NDArray[np.bool_], reason: str, code: str
    ) -> None:
        """A problem for each row whose distinct value is one of those."""
        for row in np.flatnonzero(np.append(which, False)[codes]):
            self.problem(row, name, reason, code)

    def _read_as(self, kind: np.dtype[Any], name: str, cells: Cells | None, read: Callable[[Any], Any]) -> NDArray[Any]:
        """A column of numbers or moments, by a reader of cells; no value is NaN or NaT."""
        if isinstance(cells, DictionaryColumn):
            values, codes = self._distinct(name, cells, read)
            column: NDArray[Any] = np.array([*values, None], dtype=kind)[codes]
            return column
        return np.array(self._each(name, cells, read), dtype=kind)

    def _or_missing[T](self, read: Callable[[Any], T]) -> Callable[[Any], T | None]:
        """The same reader, minding what means no value."""
        return lambda cell: None if self._is_missing(cell) else read(cell)

    def _is_missing(self, cell: object) -> bool:
        return text_of(cell) in self.missing.texts

    def _text(self, cell: object) -> str | Wrong | None:
        text = text_of(cell)
        return None if text in self.missing.texts else text

    def _texts(self, name: str, cells: Cells | None) -> NDArray[Any]:
        """Canonical texts, "" where there is no value."""
        return np.array([text or "" for text in self._each(name, cells, self._text)], dtype=object)

    def _truths(self, name: str, cells: Cells | None) -> NDArray[np.float64]:
        """Booleans as 1.0 and 0.0, NaN where there is no value."""
        return self._read_as(np.dtype(np.float64), name, cells, self._or_missing(truth_of))

    def _moments(self, name: str, cells: Cells | None, written: str | None) -> NDArray[np.datetime64]:
        read = moment_written(written)
        if isinstance(cells, np.ndarray) and cells.dtype.kind == "M":
            column: NDArray[np.datetime64] = cells.astype("datetime64[s]")
        else:
            column = self._read_as(np.dtype("datetime64[s]"), name, cells, self._or_missing(read))
        moments = self.missing.moments
        if written is not None:
            moments |= {moment for moment in map(read, self.missing.texts) if isinstance(moment, datetime)}
        for moment in moments:
            column[column == np.datetime64(moment, "s")] = np.datetime64("NaT", "s")
        return column

    def _categories(self, name: str, feature: Feature, cells: Cells | None) -> NDArray[Any]:
        column = self._texts(name, cells)
        values = feature.values
        if values is None or feature.accepts_unknown:
            return column
        strange = set(column.tolist()).difference(values, ("",))
        if strange:
            reasons = _Unlisted(values, _one_of(values))
            for row, text in enumerate(column):
                if text in strange:
                    self.problem(row, name, reasons.of(text), "unknown-category")
                    column[row] = ""
        return column

    def _numbers(self, name: str, cells: Cells | None) -> NDArray[np.float64]:
        if cells is None:
            return np.full(self.table.rows, math.nan)
        column: NDArray[np.float64] | None = None
        if not isinstance(cells, DictionaryColumn):
            column = self._float_texts(cells) if self.text else _floats(cells)
        if column is None:
            column = self._read_as(np.dtype(np.float64), name, cells, self._number)
        return self._without_missing(column)

    def _number(self, cell: object) -> float | Wrong | None:
        value = number_written(cell, self.decimal) if self.text else number_of(cell)
        return value if isinstance(value, float) or not self._is_missing(cell) else None

    def _float_texts(self, cells: Sequence[object] | NDArray[Any]) -> NDArray[np.float64] | None:
        """All cells at once, or None when one of them needs a closer look."""
        if isinstance(cells, np.ndarray) and cells.dtype == np.float64:
            return cells.copy()
        if self.decimal != ".":
            return None
        absent = dict.fromkeys(self.missing.texts, math.nan)
        try:
            texts: list[Any] = list(map(absent.get, cells, cells))
            column = np.fromiter(map(float, texts), dtype=np.float64, count=len(texts))
            # Python reads "nan" and "1_000" as numbers; people who write a table do not.
            if np.isnan(column).sum() != sum(map(absent.__contains__, cells)) or "_" in "".join(map(str, texts)):
                return None
        except (TypeError, ValueError):
            return None
        return column

    def _without_missing(self, column: NDArray[np.float64]) -> NDArray[np.float64]:
        """A column of numbers, those that mean no value taken out in place."""
        if self.missing.numbers:
            column[np.isin(column, list(self.missing.numbers))] = math.nan
        return column

    # Checks

    def _check_range(self, name: str, feature: Feature, column: NDArray[np.float64]) -> None:
        """Note what is not finite, not whole, or out of range; such a value becomes missing in place."""
        whole = feature.type == "integer"
        limit = EXACT_INTEGER if whole else LARGEST_NUMBER
        low = -limit if feature.min is None else feature.min
        high = limit if feature.max is None else feature.max
        if len(column) == 1:  # Python compares two numbers faster than NumPy
            value = float(column[0])
            if value != value or (low <= value <= high and (not whole or value.is_integer())):
                return
        out = (column < low) | (column > high)
        if not out.any() and not whole:
            return
        self._reject(name, column, np.isinf(column), "must be a finite number", "not-finite")
        if feature.on_invalid == "missing":
            stated = np.zeros(len(column), dtype=bool)
            if feature.min is not None:
                stated |= column < feature.min
            if feature.max is not None:
                stated |= column > feature.max
            if stated.any():
                self.table.coerced[name] = int(stated.sum())
                column[stated] = math.nan
        if whole:
            self._reject(name, column, np.abs(column) > limit, _TOO_LARGE, "too-large")
            self._reject(name, column, np.floor(column) != column, "must be a whole number", "not-whole")
        else:
            self._reject(
                name, column, np.abs(column) > limit, "must be within 3.4e38 of 0, which float32 can hold", "too-large"
            )
        self._reject(name, column, out, _between(feature, low, high), "out-of-range")

    def _reject(self, name: str, column: NDArray[np.float64], rows: NDArray[np.bool_], reason: str, code: str) -> None:
        if not rows.any():
            return
        for row in np.flatnonzero(rows & ~np.isnan(column)):
            self.problem(row, name, reason, code)
            column[row] = math.nan

    def _require(self, name: str, column: NDArray[Any], before: int, reason: str, code: str = "missing-value") -> None:
        """Every row needs a value; those whose value was found wrong since `before` are named already."""
        absent = column == "" if column.dtype == object else np.isnan(column)
        self._require_present(name, absent, before, reason, code)

    def _require_present(
        self, name: str, absent: NDArray[np.bool_], before: int, reason: str, code: str = "missing-value"
    ) -> None:
        if np.count_nonzero(absent):
            wrong = {problem.row for problem in self.table.violations[before:]}
            for row in np.flatnonzero(absent):
                if int(row) not in wrong:
                    self.problem(row, name, reason, code)


class TypedReader(Reader):
    """Reads columns that a table had, and so only checks them; what is of another type is read as any typed cell."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, False, (), ".")

    def _texts(self, name: str, cells: Cells | None) -> NDArray[Any]:
        return cells.copy() if _is_array(cells, "O") else super()._texts(name, cells)

    def _truths(self, name: str, cells: Cells | None) -> NDArray[np.float64]:
        if _is_array(cells, "f") and (np.isnan(cells) | (cells == 0) | (cells == 1)).all():
            return cells.astype(np.float64)
        return super()._truths(name, cells)

    def _each(self, name: str, cells: Cells | None, read: Callable[[Any], Any]) -> list[Any]:
        # Texts that are read as another type: the empty one is no value.
        return super()._each(name, [text or None for text in cells] if _is_array(cells, "O") else cells, read)


def _is_array(cells: Cells | None, kind: str) -> TypeIs[NDArray[Any]]:
    return isinstance(cells, np.ndarray) and cells.dtype.kind == kind


def _floats(cells: Sequence[object] | NDArray[Any]) -> NDArray[np.float64] | None:
    """Typed values as float64 when all of them are plain numbers, else None."""
    if isinstance(cells, np.ndarray):
        return cells.astype(np.float64) if cells.dtype.kind in "fiu" else None
    if set(map(type, cells)) <= {int, float, type(None)}:
        try:
            return np.array(cells, dtype=np.float64)
        except OverflowError:
            return None
    return None


class _Unlisted:
    """Why a text is none of those that are listed: with the one that it looks like, where there is one."""

    def __init__(self, listed: Iterable[str], reason: str) -> None:
        self._listed = {folded(text): text for text in listed}
        self._reason = reason

    def of(self, text: str) -> str:
        """The reason for one text."""
        near = self._listed.get(folded(text))
        if near is None:
            return self._reason
        return f"{self._reason} (it looks like '{near}': mind case, spaces and invisible characters)"


def _one_of(values: Mapping[str, str]) -> str:
    return f"must be one of {', '.join(list(values)[:12])}" + (", ..." if len(values) > 12 else "")


def _between(feature: Feature, low: float, high: float) -> str:
    if feature.min is None:
        return f"must be at most {high:.15g}"
    if feature.max is None:
        return f"must be at least {low:.15g}"
    return f"must be between {low:.15g} and {high:.15g}"
