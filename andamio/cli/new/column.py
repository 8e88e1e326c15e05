"""What one column holds: its texts counted, and what they could be read as."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract.dates import date_format
from andamio.records.cells import Wrong, moment_of, number_written
from andamio.tabular.csv.number_marks import without_thousands

FORMATS = (
    "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d-%m-%Y %H:%M",
    "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S", "%d-%m-%Y %H:%M:%S",
)  # fmt: skip
"""The ways of writing dates that are tried, beside ISO 8601."""
_YEARS = (1900, 2100)
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}.*", re.DOTALL)
_LEADING_ZERO = re.compile(r"0\d+")
_HAS_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Marks:
    """The marks that numbers are written with: before decimals, and between thousands ("" where there is none)."""

    decimal: str = "."
    thousands: str = ""

    def number(self, text: str) -> float | None:
        """The number that a text writes, None where it is none that ETL reads."""
        if self.thousands:
            text = without_thousands(text, self.decimal, self.thousands)
        value = number_written(text, self.decimal)
        return None if isinstance(value, Wrong) or not math.isfinite(value) else value


@dataclass(frozen=True)
class Dates:
    """How all dates of a column are written: a format, or "" for ISO 8601. `other` reads them all as well."""

    format: str
    other: str = ""
    has_time: bool = False


@dataclass(frozen=True)
class Column:
    """A column: its name, its texts `[rows]` ("" for none), and the texts that mean no value besides.

    `text` says that the file holds texts: in JSON and Parquet a number in quotes is none.
    """

    name: str
    cells: NDArray[Any]
    missing: frozenset[str]
    marks: Marks
    text: bool = True

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each value comes, without what means none."""
        found = Counter(self.cells.tolist())
        for text in ("", *self.missing):
            found.pop(text, None)
        return found

    @cached_property
    def values(self) -> int:
        """How many cells have a value."""
        return self.counts.total()

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.cells)

    @property
    def empty(self) -> int:
        """How many rows have no value."""
        return self.rows - self.values

    @property
    def distinct(self) -> int:
        """How many values there are."""
        return len(self.counts)

    @cached_property
    def numbers(self) -> Mapping[str, float]:
        """The number that each text writes, of those that write one."""
        if not self.text:
            return {}
        read = ((text, self.marks.number(text)) for text in self.counts)
        return {text: value for text, value in read if value is not None}

    @cached_property
    def numeric_share(self) -> float:
        """The share of the values that are numbers."""
        return sum(self.counts[text] for text in self.numbers) / self.values if self.values else 0.0

    @cached_property
    def amounts(self) -> NDArray[np.float64]:
        """The distinct numbers, in order."""
        return np.unique(np.array(list(self.numbers.values()), dtype=np.float64))

    @property
    def whole(self) -> bool:
        """Whether all numbers are whole."""
        return bool(len(self.amounts)) and bool((self.amounts == np.floor(self.amounts)).all())

    @cached_property
    def counts_rows(self) -> bool:
        """Whether the values are whole numbers that grow by one with each row."""
        if not self.whole or self.numeric_share < 1 or self.empty:
            return False
        numbers = np.array([self.numbers[text] for text in self.cells.tolist()])
        return len(numbers) > 1 and bool((np.diff(numbers) == 1).all())

    @property
    def has_leading_zeros(self) -> bool:
        """Whether a text such as 007 is among the values: that is a code, and not an amount."""
        return any(_LEADING_ZERO.fullmatch(text) for text in self.counts)

    @cached_property
    def dates(self) -> Dates | None:
        """How all values are written where they are dates, else None."""
        texts = list(self.counts)
        if not texts or not all(map(_HAS_DIGIT.search, texts)):
            return None
        if all(_ISO.match(text) for text in texts) and all(isinstance(moment_of(text), datetime) for text in texts):
            return Dates("", has_time=any(_clock(moment_of(text)) for text in texts))
        fitting = [form for form in FORMATS if self._written(form, texts)]
        if not fitting:
            return None
        return Dates(fitting[0], fitting[1] if len(fitting) > 1 else "", "%H" in fitting[0])

    def _written(self, form: str, texts: Iterable[str]) -> bool:
        known = date_format(form)
        for text in texts:
            found = known.read(text)
            if found is None or not _YEARS[0] <= found.year <= _YEARS[1]:
                return False
        return True

    def places(self, texts: Collection[str]) -> int:
        """How many rows have one of these texts."""
        return sum(self.counts[text] for text in texts)


def _clock(found: object) -> bool:
    return isinstance(found, datetime) and (found.hour, found.minute, found.second) != (0, 0, 0)


def day(text: str, form: str) -> date | None:
    """The date that a text writes, by a format, or by ISO 8601 where that is ""."""
    found = date_format(form).read(text) if form else moment_of(text)
    return found.date() if isinstance(found, datetime) else None
