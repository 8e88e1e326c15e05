"""From cells to typed columns: what every value must be, and what is wrong with those that are not.

One reading for every source. Text cells (CSV) and typed values (JSON, Parquet) end as the same typed
columns, so a record means the same wherever it comes from.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from andamio.canonical import canonical
from andamio.errors import InvalidRecord, Problem
from andamio.format import EXACT_INTEGER, Feature

if TYPE_CHECKING:
    from andamio.contract import Contract

type Cells = Sequence[object] | NDArray[Any]
"""A column as it comes: a list of cells or an array."""

_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})
_NAME_SHOWN = 64
"""How much of an unknown field's name is repeated in a message: it is input, and may be anything."""


@dataclass(slots=True)
class Table:
    """Typed columns of `rows` rows, and what is wrong with some of them.

    A column is float64 (NaN = missing; booleans are 0 and 1), text (dtype object, "" = missing) or
    datetime64[D] (NaT = missing). `labels` holds class indices (training only; -1 where unusable),
    `coerced` counts, per feature, values that were out of range and became missing.
    """

    rows: int
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    coerced: dict[str, int] = field(default_factory=dict)
    labels: NDArray[np.int64] | None = None
    time: NDArray[np.datetime64] | None = None

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which rows have a problem: `[rows]`."""
        mask = np.zeros(self.rows, dtype=bool)
        for problem in self.problems:
            mask[problem.row] = True
        return mask

    def take(self, rows: NDArray[Any]) -> Table:
        """The chosen rows (a mask or indices), without what is wrong with others."""
        index = np.flatnonzero(rows) if rows.dtype == bool else rows
        return Table(
            rows=len(index),
            columns={name: column[index] for name, column in self.columns.items()},
            coerced=dict(self.coerced),
            labels=None if self.labels is None else self.labels[index],
            time=None if self.time is None else self.time[index],
        )


def parse_columns(
    contract: Contract,
    columns: Mapping[str, Cells],
    rows: int,
    *,
    text: bool,
    training: bool = False,
    decimal: str = ".",
) -> Table:
    """Read named columns of cells; every cell that breaks the contract is a `Problem` of the table.

    `text` says that cells are texts, where [data] missing means no value and `decimal` is the decimal
    mark; else they are typed values, where None and NaN mean no value. With `training`, the target and
    the columns of [problem] are read too, and so are features that are only known afterwards.
    """
    table = Table(rows)
    source = _Reader(table, text, contract.data.missing, decimal)
    for name, feature in (contract.features if training else contract.inputs).items():
        cells = columns.get(name)
        if not feature.available_at_prediction:
            # Only kept for the record: nothing of it reaches a model, so nothing about it costs the row.
            aside = _Reader(Table(rows), text, contract.data.missing, decimal)
            table.columns[name] = aside.read(name, feature, [None] * rows if cells is None else cells)
            continue
        table.columns[name] = source.read(name, feature, [None] * rows if cells is None else cells)
    problem = contract.problem
    if problem.time is not None and (training or problem.time in columns):
        table.time = source.times(problem.time, columns.get(problem.time), required=training)
    if training:
        for column in dict.fromkeys((problem.id, problem.group)):
            if column is not None:
                table.columns[column] = source.identifiers(column, columns.get(column))
        table.labels = source.labels(problem.target, columns.get(problem.target), contract.label_index)
    return table


def parse_records(contract: Contract, records: Sequence[object]) -> Table:
    """Read JSON records, each a mapping of feature to value; raises `InvalidRecord` with every problem found.

    Unknown fields are problems too. The column of [problem] time may stand in a record that has dates:
    their age is counted from it, else from now.
    """
    inputs, problems = contract.inputs, []
    allowed = set(inputs)
    if contract.problem.time is not None:
        allowed.add(contract.problem.time)
    maps: list[Mapping[str, object]] = []
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            problems.append(Problem(row, "", "expected an object of feature names and values"))
            maps.append({})
            continue
        maps.append(record)
        if not record.keys() <= allowed:
            problems.extend(Problem(row, *_unknown(contract, name)) for name in record if name not in allowed)
    columns: dict[str, Cells] = {name: [record.get(name) for record in maps] for name in inputs}
    time = contract.problem.time
    if time is not None and any(time in record for record in maps):
        columns[time] = [record.get(time) for record in maps]
    table = parse_columns(contract, columns, len(maps), text=False)
    problems.extend(problem for problem in table.problems if isinstance(records[problem.row], dict))
    if problems:
        raise InvalidRecord(sorted(problems, key=lambda problem: problem.row))
    return table


def _unknown(contract: Contract, name: str) -> tuple[str, str]:
    shown = str(name)[:_NAME_SHOWN]
    if name in contract.features:
        return shown, "is only known after the event and no part of a request: leave it out"
    if name == contract.problem.target:
        return shown, "is what is predicted: leave it out"
    close = difflib.get_close_matches(shown, list(contract.inputs), n=1, cutoff=0.6)
    return shown, "unknown field" + (f"; did you mean '{close[0]}'?" if close else ": see the schema")


class _Reader:
    """Reads columns into a table, noting problems row by row."""

    def __init__(self, table: Table, text: bool, missing: Sequence[str], decimal: str) -> None:
        self.table = table
        self.text = text
        self.missing = frozenset(part.strip() for part in missing) | {""}
        self.decimal = decimal

    def problem(self, row: int | np.integer[Any], name: str, reason: str) -> None:
        self.table.problems.append(Problem(int(row), name, reason))

    def read(self, name: str, feature: Feature, cells: Cells) -> NDArray[Any]:
        """One feature's column, checked against type, values, range and `required`."""
        column: NDArray[Any]
        absent: NDArray[np.bool_]
        before = len(self.table.problems)
        if feature.type == "category":
            column = self._categories(name, feature, cells)
            absent = column == ""
        elif feature.type == "date":
            column = self._each(name, cells, _date, np.datetime64("NaT", "D"), "datetime64[D]")
            absent = np.isnat(column)
        elif feature.type == "boolean":
            column = self._each(name, cells, _boolean, math.nan, "float64")
            absent = np.isnan(column)
        else:
            column = self._numbers(name, feature, cells)
            absent = np.isnan(column)
        if feature.required and absent.any():
            wrong = {problem.row for problem in self.table.problems[before:]}
            for row in np.flatnonzero(absent):
                if int(row) not in wrong:
                    self.problem(row, name, "is required and has no value")
        return column

    def identifiers(self, name: str, cells: Cells | None) -> NDArray[Any]:
        """A column of ids or groups in canonical text; every row needs one."""
        column = self._texts([None] * self.table.rows if cells is None else cells)
        for row in np.flatnonzero(column == ""):
            self.problem(row, name, "is required to identify the row and has no value")
        return column

    def times(self, name: str, cells: Cells | None, *, required: bool) -> NDArray[np.datetime64]:
        """The column that orders rows, `datetime64[s]` in UTC."""
        cells = [None] * self.table.rows if cells is None else cells
        column = self._each(name, cells, _moment, np.datetime64("NaT", "s"), "datetime64[s]")
        if required:
            wrong = {problem.row for problem in self.table.problems if problem.field == name}
            for row in np.flatnonzero(np.isnat(column)):
                if int(row) not in wrong:
                    self.problem(row, name, "is required to order rows and has no value")
        return column

    def labels(self, name: str, cells: Cells | None, index: Mapping[str, int]) -> NDArray[np.int64]:
        """Class indices of the target column, -1 where it says nothing known."""
        texts = self._texts([None] * self.table.rows if cells is None else cells)
        labels = np.fromiter((index.get(text, -1) for text in texts), dtype=np.int64, count=len(texts))
        listed = ", ".join(list(index)[:10])
        for row in np.flatnonzero(labels < 0):
            reason = "has no label" if texts[row] == "" else f"is not one of the labels: {listed}"
            self.problem(row, name, reason)
        return labels

    # Kinds of columns

    def _texts(self, cells: Cells) -> NDArray[Any]:
        """Canonical texts, each distinct value worked on once."""
        known: dict[object, str] = {}
        column = np.empty(len(cells), dtype=object)
        for row, cell in enumerate(cells):
            if isinstance(cell, np.generic):
                cell = cell.item()
            key = (type(cell), cell)
            text = known.get(key)
            if text is None:
                text = canonical(cell)
                if self.text and text in self.missing:
                    text = ""
                known[key] = text
            column[row] = text
        return column

    def _categories(self, name: str, feature: Feature, cells: Cells) -> NDArray[Any]:
        if not self.text and any(isinstance(cell, list | dict) for cell in cells):
            flat: list[object] = []
            for row, cell in enumerate(cells):
                if isinstance(cell, list | dict):
                    self.problem(row, name, "expected one value, not a list or an object")
                    cell = None
                flat.append(cell)
            cells = flat
        column = self._texts(cells)
        if feature.values is not None and not feature.accepts_unknown:
            values = feature.values
            strange = [row for row, text in enumerate(column) if text and text not in values]
            if strange:
                shown = ", ".join(list(values)[:12]) + (", ..." if len(values) > 12 else "")
                for row in strange:
                    self.problem(row, name, f"must be one of {shown}")
        return column

    def _numbers(self, name: str, feature: Feature, cells: Cells) -> NDArray[np.float64]:
        column = self._float_texts(cells) if self.text else _floats(cells)
        if column is None:
            what = _Number(self.text, self.missing, self.decimal)
            column = self._each(name, cells, what, math.nan, "float64")
        wrong = np.isinf(column)
        if wrong.any():
            self._reject(name, column, wrong, "must be a finite number")
        if feature.type == "integer":
            self._reject(name, column, np.abs(column) > EXACT_INTEGER, f"must be within {EXACT_INTEGER} of 0")
            self._reject(name, column, np.floor(column) != column, "must be a whole number")
        low = -math.inf if feature.min is None else feature.min
        high = math.inf if feature.max is None else feature.max
        out = (column < low) | (column > high)
        if out.any():
            if feature.on_invalid == "missing":
                self.table.coerced[name] = int(out.sum())
                column[out] = math.nan
            else:
                self._reject(name, column, out, "must be " + _between(feature))
        return column

    def _reject(self, name: str, column: NDArray[np.float64], rows: NDArray[np.bool_], reason: str) -> None:
        if not rows.any():
            return
        for row in np.flatnonzero(rows & ~np.isnan(column)):
            self.problem(row, name, reason)
            column[row] = math.nan

    def _float_texts(self, cells: Cells) -> NDArray[np.float64] | None:
        """All cells at once, or None when one of them needs a closer look."""
        try:
            texts = np.strings.strip(np.asarray(cells, dtype=np.str_))
        except (TypeError, ValueError):
            return None
        none = np.isin(texts, list(self.missing))
        if self.decimal == ",":
            texts = np.strings.replace(texts, ",", ".")
        texts = np.where(none, "nan", texts)
        try:
            column = texts.astype(np.float64)
        except ValueError:
            return None
        # Python reads "1_000", "inf" and "nan" as numbers; people who write a table do not.
        if np.isnan(column[~none]).any() or (np.strings.find(texts, "_") >= 0).any():
            return None
        return column

    def _each(self, name: str, cells: Cells, read: Callable[[Any], Any], absent: object, dtype: str) -> NDArray[Any]:
        """Cell by cell; `read` raises ValueError with the reason."""
        column = np.empty(len(cells), dtype=dtype)
        for row, cell in enumerate(cells):
            column[row] = absent
            if isinstance(cell, np.generic):
                cell = cell.item()
            if cell is None or cell != cell:  # None, NaN and NaT
                continue
            if self.text and isinstance(cell, str) and cell.strip() in self.missing:
                continue
            try:
                column[row] = read(cell)
            except ValueError as error:
                self.problem(row, name, str(error))
        return column


@dataclass(slots=True, frozen=True)
class _Number:
    """Reads one number, from a text or from a typed value."""

    text: bool
    missing: frozenset[str]
    decimal: str

    def __call__(self, cell: object) -> float:
        if self.text and isinstance(cell, str):
            written = cell.strip()
            plain = written.replace(",", ".") if self.decimal == "," else written
            try:
                value = float(plain)
            except ValueError:
                value = math.nan
            if math.isnan(value) or "_" in plain:
                raise ValueError("expected a number (a text that means no value belongs under [data] missing)")
            return value
        if isinstance(cell, bool) or not isinstance(cell, int | float):
            raise ValueError("expected a number")
        try:
            return float(cell)
        except OverflowError:
            return math.inf


def _floats(cells: Cells) -> NDArray[np.float64] | None:
    """Typed values as float64 when all of them are plain numbers, else None."""
    if isinstance(cells, np.ndarray) and cells.dtype.kind in "fiu":
        return cells.astype(np.float64)
    if len(cells) == 1:  # one record: the way of every online prediction
        cell = cells[0]
        if type(cell) is float or (type(cell) is int and -(2**53) <= cell <= 2**53):
            return np.array([cell], dtype=np.float64)
        return np.array([math.nan]) if cell is None else None
    if all(cell is None or type(cell) is float or type(cell) is int for cell in cells):
        try:
            return np.array([math.nan if cell is None else cell for cell in cells], dtype=np.float64)
        except OverflowError:
            return None
    return None


def _boolean(cell: object) -> float:
    if isinstance(cell, bool):
        return float(cell)
    text = canonical(cell).lower()
    if text in _TRUE:
        return 1.0
    if text in _FALSE:
        return 0.0
    raise ValueError("expected true or false")


def _date(cell: object) -> np.datetime64:
    return np.datetime64(_moment(cell), "D")


def _moment(cell: object) -> np.datetime64:
    """A date or a moment in ISO 8601; a moment with a zone becomes UTC, one without is taken as UTC."""
    if isinstance(cell, str):
        try:
            cell = datetime.fromisoformat(cell.strip())
        except ValueError:
            raise ValueError("expected a date such as 2026-03-31 (ISO 8601)") from None
    if isinstance(cell, datetime):
        utc = cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None)
        return np.datetime64(utc, "s")
    if isinstance(cell, date):
        return np.datetime64(cell, "s")
    raise ValueError("expected a date such as 2026-03-31 (ISO 8601)")


def _between(feature: Feature) -> str:
    if feature.min is None:
        return f"at most {feature.max:g}"
    if feature.max is None:
        return f"at least {feature.min:g}"
    return f"between {feature.min:g} and {feature.max:g}"
