"""What holds for the columns of all files: the decimal mark, and the texts and numbers that mean no value."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.cli.new.column import Column, Marks

SURE = frozenset(
    {"?", "NA", "N/A", "n/a", "#N/A", "#NA", "NaN", "nan", "NULL", "null", "Null", "<NA>", "#NULL!", "N.A."}
)
"""Texts that mean no value wherever they stand."""
LIKELY = frozenset(
    {
        "-", "--", "---", ".", "..", "...", "*", "**", "na", "nd", "ND", "n.d.", "none", "None", "NONE", "nil",
        "missing", "Missing", "unknown", "Unknown", "UNKNOWN", "not available", "Not Available", "not reported",
        "#VALUE!", "#REF!", "#DIV/0!", "inf", "-inf", "Inf", "-Inf", "x", "X", "k.A.", "s/d", "NR", "nr",
    }
)  # fmt: skip
"""Texts that mean no value where they stand between numbers."""
SENTINELS = tuple(sign * int("9" * digits) for digits in range(2, 7) for sign in (-1, 1))
"""Numbers that mean no value where they lie apart from all others: -99, 99, -999, ..."""
_MOST_LIKELY = 3
_MOSTLY = 0.5
"""The share of numbers among the values of a column, from which on a `LIKELY` text between them means no value."""
_APART = 2.0
"""A sentinel lies so many times the range of the other numbers away from them."""
_SENTINEL_ROWS = 3
_CODES = 5
_COMMA = re.compile(r"[+-]?\d*,\d+")
_POINT = re.compile(r"[+-]?\d*\.\d+")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([.,' \u00a0])\d{3}(?:\1\d{3})*(?:[.,]\d+)?")


@dataclass
class Missing:
    """What means no value, and why: `texts` for [data] missing, and numbers that do so in one column alone.

    `found` are the columns that have each text; `kept` are texts that look like none and are values, by column.
    """

    texts: list[str] = field(default_factory=list)
    found: dict[str, list[str]] = field(default_factory=dict)
    alone: dict[str, list[float]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)


def marks_of(columns: Mapping[str, NDArray[Any]], delimiter: str) -> Marks:
    """The marks that the numbers of all columns are written with, by what makes most of them numbers."""
    counts = {name: Counter(cells.tolist()) for name, cells in columns.items()}
    decimal = "." if delimiter in (",", "") else _decimal(counts.values())
    mark = next((mark for mark in (",", ".", "'", " ") if mark != decimal and _between(counts, decimal, mark)), "")
    return Marks(decimal, mark)


def _decimal(counts: Iterable[Counter[str]]) -> str:
    shown = {".": 0, ",": 0}
    for texts in counts:
        for mark, pattern in ((",", _COMMA), (".", _POINT)):
            fitting = [text for text in texts if pattern.fullmatch(text)]
            # 1.234 alone says nothing: a thousand to some, one and a bit to others.
            if any(not _GROUPED.fullmatch(text) for text in fitting):
                shown[mark] += len(fitting)
    return "," if shown[","] > shown["."] else "."


def _between(counts: Mapping[str, Counter[str]], decimal: str, mark: str) -> bool:
    """Whether a column is numbers all over once this mark stands between thousands, and is not without it."""
    plain, grouped = Marks(decimal), Marks(decimal, mark)
    for texts in counts.values():
        values = [text for text in texts if text and text not in SURE]
        marked = [text for text in values if (found := _GROUPED.fullmatch(text)) and found[1] == mark]
        if (
            marked
            and all(grouped.number(text) is not None for text in values)
            and any(plain.number(text) is None for text in marked)
        ):
            return True
    return False


def missing_of(columns: Mapping[str, NDArray[Any]], target: str, marks: Marks) -> Missing:
    """What means no value in these columns; a text is one for all columns, as `[data] missing` is."""
    result = Missing()
    plain = {name: Column(name, cells, frozenset(), marks) for name, cells in columns.items()}
    texts: dict[str, list[str]] = {}
    for name, column in plain.items():
        for text in _between_numbers(column) if column.numbers else _among_words(column, name, result):
            texts.setdefault(text, []).append(name)
    for text, names in texts.items():
        others = [name for name, column in plain.items() if text in column.counts and name not in names]
        if text in SURE or target not in others:
            result.texts.append(text)
            result.found[text] = [*names, *others]
            for name in others:
                result.kept.pop(name, None)
    _sentinels(plain, target, result)
    return result


def _between_numbers(column: Column) -> list[str]:
    """Texts between the numbers of a column that mean no value."""
    others = [text for text in column.counts if text not in column.numbers]
    sure = [text for text in others if text in SURE]
    rest = column.values - column.places(sure)
    numbers = column.places(column.numbers)
    likely = [text for text in others if text in LIKELY]
    if rest and numbers >= _MOSTLY * rest and 0 < len(likely) <= _MOST_LIKELY:
        return [*sure, *likely]
    return sure


def _among_words(column: Column, name: str, result: Missing) -> list[str]:
    """The same between words; NA among codes of two letters may be Namibia."""
    sure = [text for text in column.counts if text in SURE]
    codes = [text for text in column.counts if text not in SURE]
    if sure == ["NA"] and len(codes) >= _CODES and all(len(text) == 2 and text.isupper() for text in codes):
        result.kept[name] = "NA"
        return []
    return sure


def _sentinels(columns: Mapping[str, Column], target: str, result: Missing) -> None:
    """Numbers that mean no value: for all columns where no other has them as a value, else for one alone."""
    found: dict[float, list[str]] = {}
    for name, column in columns.items():
        if name == target or column.numeric_share < 1 - column.places(result.texts) / max(column.values, 1):
            continue
        for number in _apart(column):
            found.setdefault(number, []).append(name)
    for number, names in found.items():
        written = {text for name in names for text, value in columns[name].numbers.items() if value == number}
        if any(written & column.counts.keys() for name, column in columns.items() if name not in names):
            for name in names:
                result.alone.setdefault(name, []).append(number)
        else:
            text = f"{number:.0f}"
            result.texts.append(text)
            result.found[text] = names


def _apart(column: Column) -> Sequence[float]:
    amounts = column.amounts
    found = []
    for number in SENTINELS:
        others = amounts[~np.isin(amounts, SENTINELS)]
        if number not in amounts or len(others) < 2:
            continue
        rows = sum(column.counts[text] for text, value in column.numbers.items() if value == number)
        low, high = float(others[0]), float(others[-1])
        gap = low - number if number < low else number - high
        if number < 0:
            is_apart = low >= 0 or gap > _APART * (high - low)
        else:
            is_apart = rows >= _SENTINEL_ROWS and gap > _APART * (high - low)
        if is_apart and gap > 0:
            found.append(float(number))
    return found
