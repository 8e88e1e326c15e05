"""How one cell is read: the value that it means, None where it means no value, or what is wrong with it.

Readers take what CSV, JSON and Parquet hand over and agree on it. They never raise: a cell may be
anything that a client cared to send. No reason repeats the cell.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract.canonical import canonical
from andamio.contract.dates import date_format


@dataclass(frozen=True, slots=True, eq=False)
class DictionaryColumn:
    """A column that holds each distinct cell once: row i has `values[codes[i]]`, and nothing where that is -1.

    `codes` is an integer array `[rows]`.
    """

    values: Sequence[object]
    codes: NDArray[np.integer[Any]]

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, rows: NDArray[Any]) -> DictionaryColumn:
        """The chosen rows: a mask or indices."""
        return DictionaryColumn(self.values, self.codes[rows])


type Cells = Sequence[object] | NDArray[Any] | DictionaryColumn
"""A column as it comes: a list of cells, an array, or distinct cells and which row holds which."""

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "1"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "0"})
_ONE_VALUE = (str, int, float, date)
_ALIKE: tuple[frozenset[type], ...] = (frozenset({str, int, float, type(None)}), frozenset({str, bool, type(None)}))
"""Kinds of cells that mean the same whenever Python finds them equal; True equals 1 and does not mean it."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """A cell that cannot be read: the reason for people, and its code in `REASON_CODES`."""

    reason: str
    code: str


_NOT_ONE = Wrong("expected one value, not a list or an object", "not-one-value")
_NOT_TEXT = Wrong("holds characters that are no text (unpaired surrogates)", "not-text")
_TOO_LONG = Wrong("expected a shorter number", "too-long")
_NOT_A_NUMBER = Wrong("expected a number", "not-a-number")
_NO_NUMBER_WRITTEN = Wrong(
    "expected a number (a text that means no value belongs under [data] missing)", "not-a-number"
)
_CURRENCY = Wrong(
    "expected a number without a currency sign: take the sign out, or make the feature a category", "not-a-number"
)
_PERCENT = Wrong("expected a number without a percent sign: take the sign out", "not-a-number")
_THOUSANDS = Wrong("expected a number without thousands separators: write 1234.5", "not-a-number")
_OTHER_MARK = Wrong("expected a number with a decimal comma and no points", "not-a-number")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:([,. '\u2019\u00a0\u202f])[0-9]{3})(?:\1[0-9]{3})*(?:[.,][0-9]*)?")
"""1,234 and 1.234.567,89: groups of three digits, all with one mark between them."""
_NOT_A_TRUTH = Wrong("expected true or false", "not-a-boolean")
_NOT_A_DATE = Wrong("expected a date such as 2026-03-31 (ISO 8601)", "not-a-date")


def read_each[T](cells: Sequence[object], read: Callable[[Any], T]) -> list[T]:
    """What `read` makes of each cell; each distinct one is worked on once."""
    if len(cells) == 1:
        return [read(cells[0])]
    kinds = frozenset(map(type, cells))
    if len(kinds) > 1 and not any(kinds <= alike for alike in _ALIKE):
        return [read(cell) for cell in cells]
    try:
        known = {cell: read(cell) for cell in set(cells)}
    except TypeError:  # lists and objects have no hash
        return [read(cell) for cell in cells]
    return list(map(known.__getitem__, cells))


def text_of(cell: object) -> str | Wrong:
    """Canonical text; "" where there is no value."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if not isinstance(cell, _ONE_VALUE):
        return "" if cell is None else _NOT_ONE
    try:
        text = canonical(cell)
    except ValueError:
        return _TOO_LONG
    return text if text.isascii() or _is_unicode(text) else _NOT_TEXT


def number_of(cell: object) -> float | Wrong | None:
    """A typed number; infinite when it is beyond float64."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if cell is None:
        return None
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return _NOT_A_NUMBER
    try:
        return float(cell)
    except OverflowError:
        return math.inf


def number_written(cell: object, decimal: str) -> float | Wrong:
    """A number as text, with that decimal mark; Python's own "nan" and "1_000" are not numbers that people write."""
    if not isinstance(cell, str):
        return _NO_NUMBER_WRITTEN
    if decimal == ",":
        if "." in cell:
            return _OTHER_MARK  # "1.000" is a thousand to whoever writes a comma before decimals
        cell = cell.replace(",", ".")
    try:
        value = float(cell)
    except ValueError:
        return _not_a_number_because(cell.strip())
    return _NO_NUMBER_WRITTEN if value != value or "_" in cell else value


def _not_a_number_because(text: str) -> Wrong:
    """The reason that helps most: signs and separators are what spreadsheets put around numbers."""
    if any(unicodedata.category(character) == "Sc" for character in text):
        return _CURRENCY
    if text.endswith("%") or text.startswith("%"):
        return _PERCENT
    return _THOUSANDS if _GROUPED.fullmatch(text) else _NO_NUMBER_WRITTEN


def truth_of(cell: object) -> float | Wrong | None:
    """1.0 or 0.0, from a boolean, 1 or 0, or a word for it in any case."""
    if cell is True or cell is False:
        return float(cell)
    text = text_of(cell)
    if isinstance(text, Wrong):
        return _NOT_A_TRUTH
    if not text and not isinstance(cell, str):
        return None
    text = text.lower()
    return 1.0 if text in TRUE_WORDS else 0.0 if text in FALSE_WORDS else _NOT_A_TRUTH


def moment_written(written: str | None) -> Callable[[object], datetime | Wrong | None]:
    """The reader of dates that are written in a format of the contract (`andamio.contract.dates`), else in ISO 8601.

    A cell that is a date already, as Parquet has it, needs no format; a number such as 20260331 is read as its text.
    """
    if written is None:
        return moment_of
    known = date_format(written)
    wrong = Wrong(f"expected a date as {written}, such as {known.example}", _NOT_A_DATE.code)

    def read(cell: object) -> datetime | Wrong | None:
        if isinstance(cell, str | int | float) and not isinstance(cell, bool):
            if cell != cell:  # NaN
                return None
            text = cell.strip() if isinstance(cell, str) else text_of(cell)
            return (known.read(text) if isinstance(text, str) else None) or wrong
        found = moment_of(cell)
        return wrong if isinstance(found, Wrong) else found

    return read


def moment_of(cell: object) -> datetime | Wrong | None:
    """A date or a moment in ISO 8601, in UTC and naive; a moment without a zone is taken as UTC."""
    if cell is None or (isinstance(cell, float | date | np.datetime64) and cell != cell):  # NaN and NaT
        return None
    if isinstance(cell, np.datetime64):
        cell = cell.astype("datetime64[us]").item()
    try:
        if isinstance(cell, str):
            cell = datetime.fromisoformat(cell.strip())
        if isinstance(cell, datetime):
            return cell if cell.tzinfo is None else cell.astimezone(UTC).replace(tzinfo=None)
        if isinstance(cell, date):
            return datetime(cell.year, cell.month, cell.day)
    except (ValueError, OverflowError):  # overflow: the first or last day there is, in another zone
        pass
    return _NOT_A_DATE


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
