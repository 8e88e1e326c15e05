"""The draft of a contract: what each column is to be, and why. Decisions are functions of the columns alone."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.cli.new import roles
from andamio.cli.new.column import Column
from andamio.cli.new.marks import Missing
from andamio.contract.tables import EXACT_INTEGER, LARGEST_NUMBER, RESERVED

LISTED = 30
"""Values of a category that are written down; of more they are learned."""
_LEARNED = 100
_STRICT = 10
"""Up to so many values, each seen twice, a value that is not listed is rejected."""
_REPEATS = 3.0
"""A text whose values come so often in the mean is a category; one that is more distinct is left out."""
_LONG = 60
"""Characters in the mean from which on a text is prose."""
_LONGEST = 200
_CODES = 10
"""Whole numbers of so few values may be codes."""
_MOSTLY_NUMBERS = 0.95
_DISTINCT = 0.95
_FEW_ROWS = 20
_MERGED = 0.5
_SHOWN = 4
_ZERO_APART = 0.5
_TWO_DIGITS = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}(\s.*)?")
_SPOKEN = re.compile(
    r"\d.*\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|am|pm)|\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*"
    r".*\d|\d{1,2}:\d{2}|\d{1,4}[/.-]\d{1,2}[/.-]\d{1,4}",
    re.IGNORECASE,
)


@dataclass
class Decision:
    """What a column is to be. `keys` are those of its table, in order; `comments` say why; `used` or left out."""

    name: str
    keys: dict[str, Any] = field(default_factory=dict)
    comments: list[str] = field(default_factory=list)
    used: bool = True

    def leave_out(self, why: str) -> Decision:
        """Leave the column out of the features, for this reason."""
        self.used = False
        self.comments.append(f"Left out: {why}")
        return self


def decide(column: Column, missing: Missing, *, nested: bool = False, unread: str = "") -> Decision:
    """What a column that has no role is to be; `unread` is the type of its cells where no reader takes it."""
    decision = Decision(column.name)
    if column.name in RESERVED or len(column.name) > _LONGEST or not column.name.isprintable():
        return decision.leave_out("the format does not allow its name; call it otherwise in the file to use it.")
    if nested:
        return decision.leave_out("its cells are lists or objects. Write what matters of them into columns.")
    if unread:
        return decision.leave_out(
            f"its cells are of the type {unread}, which is not read. Write them as numbers (such as seconds), texts or "
            "timestamps."
        )
    if not column.values:
        return decision.leave_out("no row has a value.")
    if column.distinct == 1:
        less = f", or none ({column.empty} rows)" if column.empty else ""
        return decision.leave_out(f"all rows have the same value{less}: nothing can be learned from it.")
    texts = [text for text, names in missing.found.items() if column.name in names]
    if column.empty:
        also = f" ({', '.join(map(_quoted, texts))} counts as none)" if texts else ""
        decision.comments.append(f"{column.empty} of {column.rows} rows have no value{also}.")
    if column.name in missing.kept:
        decision.comments.append(f"{missing.kept[column.name]} is read as a value here: a code of two letters.")
    _typed(decision, column, missing)
    if not decision.used:
        return decision
    if column.empty or column.name in missing.alone:
        decision.keys["required"] = False
    if missing.alone.get(column.name):
        decision.keys["on_invalid"] = "missing"
    unit = roles.unit_of(column.name)
    if unit and decision.keys["type"] in ("integer", "number"):
        decision.keys = {"type": decision.keys["type"], "unit": unit} | decision.keys
    if roles.is_personal(column.name):
        decision.keys["private"] = True
        decision.comments.append("By its name it says who a person is, so it is never logged. Is it needed at all?")
    if roles.is_afterwards(column.name):
        decision.comments.append(
            "By its name it may be known only after what is to be predicted. If so: available_at_prediction = false"
        )
    return decision


def _typed(decision: Decision, column: Column, missing: Missing) -> None:
    if not column.text:
        decision.comments.append("The file has its numbers in quotes, so they are read as texts.")
    lower = {text.lower() for text in column.counts}
    if lower == {"true", "false"}:
        decision.keys["type"] = "boolean"
        return
    if roles.is_row_number(column.name) and column.whole and column.distinct == column.values:
        decision.leave_out("it counts the rows of the file.")
        return
    dates = column.dates
    if dates is not None and not (dates.format == "%Y%m%d" and not _plausible_days(column)):
        _date(decision, column)
    elif roles.is_entity(column.name) and column.whole and column.distinct < _DISTINCT * column.values:
        decision.comments.append("By its name these are codes and no amounts.")
        _text(decision, column)
    elif (
        column.numeric_share < _MOSTLY_NUMBERS
        or column.has_leading_zeros
        or roles.is_code(column.name)
        or (column.numeric_share < 1 and len(column.amounts) < 2)
    ):
        _text(decision, column)
    elif len(_amounts(column, missing)) < 2:
        decision.leave_out("all rows that have a value have the same number: nothing can be learned from it.")
    elif column.numeric_share == 1:
        _number(decision, column, missing)
    else:
        others = [text for text in column.counts if text not in column.numbers]
        shown = ", ".join(_quoted(text) for text in others[:_SHOWN]) + (", ..." if len(others) > _SHOWN else "")
        decision.comments.append(
            f"{column.places(others)} rows hold text ({shown}) and are rejected. If such a text means no value, list "
            "it under [data] missing."
        )
        _number(decision, column, missing)


def _plausible_days(column: Column) -> bool:
    return roles.is_time(column.name) or column.distinct > _CODES


def _date(decision: Decision, column: Column) -> None:
    dates = column.dates
    assert dates is not None
    decision.keys["type"] = "date"
    if dates.format:
        decision.keys["format"] = dates.format
    if dates.other:
        decision.comments.append(f"All dates can be read as {dates.other} as well: a look at the file decides.")
    decision.comments.append(f"Seen: {column.distinct} dates. A model sees its age in days, month and weekday.")


def _amounts(column: Column, missing: Missing) -> NDArray[np.float64]:
    """The distinct numbers of a column, without those that mean no value in it alone."""
    return column.amounts[~np.isin(column.amounts, missing.alone.get(column.name, []))]


def _number(decision: Decision, column: Column, missing: Missing) -> None:
    alone = missing.alone.get(column.name, [])
    amounts = _amounts(column, missing)
    low, high = float(amounts[0]), float(amounts[-1])
    if column.whole and len(amounts) == 2 and not alone:
        decision.keys["type"] = "category"
        order = sorted(column.counts, key=lambda text: column.numbers.get(text, math.inf))
        decision.keys["values"] = list(dict.fromkeys(map(column.value, order)))
        meanings = ", ".join(f'{value} = "..."' for value in decision.keys["values"])
        decision.comments.append(f"Two whole numbers: most often a code. Say what each means: {{ {meanings} }}")
        return
    if column.counts_rows and column.rows >= _FEW_ROWS:
        decision.leave_out(
            "it counts the rows of the file, as an index does. If it identifies a record, make it the id."
        )
        return
    if roles.is_identifier(column.name) and column.distinct >= _DISTINCT * column.values and column.whole:
        decision.leave_out(
            f"it looks like an identifier: {column.distinct} values in {column.values} rows. A model can only learn "
            "it by heart."
        )
        return
    largest = max(abs(low), abs(high))
    whole = column.whole and largest <= EXACT_INTEGER
    exact = len(np.unique(amounts.astype(np.float32))) / len(amounts) if largest <= LARGEST_NUMBER else 0.0
    if exact < _MERGED:
        decision.leave_out(
            "models compute in float32, for which most of its values are one. Subtract an offset, use a larger unit, "
            "or make it a date."
        )
        return
    if column.whole and exact < _DISTINCT and column.distinct == column.values:
        decision.leave_out(
            "it has another whole number in each row, and more digits than models compute with, as an identifier has. "
            "If it is an amount or a moment, subtract an offset, use a larger unit, or make it a date."
        )
        return
    decision.keys["type"] = "integer" if whole else "number"
    decision.keys["min"], decision.keys["max"] = bounds(low, high, whole=whole)
    shown = f"{low:.10g} to {high:.10g}"
    decision.comments.append(
        f"Seen: {shown}, {len(amounts)} values. min and max are a guess: a value outside is rejected."
    )
    if alone:
        decision.comments.append(
            f"{', '.join(f'{number:.0f}' for number in alone)} means no value here, for it lies far from the others; "
            "in other columns it is a value. So what is outside the range counts as missing."
        )
    if whole and len(amounts) <= _CODES:
        decision.comments.append(
            'If these are codes and no amounts: type = "category", values = '
            f"[{', '.join(_quoted(f'{value:.0f}') for value in amounts)}]"
        )
    _zeros(decision, column, low, amounts.tolist())


def _zeros(decision: Decision, column: Column, low: float, amounts: Sequence[float]) -> None:
    """Point out zeros far below all other values: they may stand for what was not measured."""
    if low != 0 or len(amounts) < _CODES or column.whole is None:
        return
    second, high = amounts[1], amounts[-1]
    rows = sum(column.counts[text] for text, value in column.numbers.items() if value == 0)
    if second > _ZERO_APART * (high - second) or (second > 10 and second > 0.15 * high):
        decision.comments.append(
            f"{rows} rows have 0, and the next value is {second:.10g}. If 0 means that it was not measured: min = "
            f'{second:.10g}, required = false, on_invalid = "missing"'
        )


def bounds(low: float, high: float, *, whole: bool) -> tuple[float, float]:
    """A range around what was seen, half as wide again on either side, in round numbers; below 0 only where seen.

    >>> bounds(29, 77, whole=True)
    (0, 110)
    """
    span = high - low
    step = 10.0 ** math.floor(math.log10(span))
    if whole:
        step = max(step, 1.0)
    digits = max(0, -math.floor(math.log10(step)))
    below = math.floor((low - span / 2) / step) * step
    above = math.ceil((high + span / 2) / step) * step
    if low >= 0:
        below = max(below, 0.0)
    if high <= 0:
        above = min(above, 0.0)
    if whole:
        return max(int(below), -EXACT_INTEGER), min(int(above), EXACT_INTEGER)
    return round(max(below, -LARGEST_NUMBER), digits), round(min(above, LARGEST_NUMBER), digits)


def _text(decision: Decision, column: Column) -> None:
    repeats = column.values / column.distinct
    length = sum(len(text) * rows for text, rows in column.counts.items()) / column.values
    if column.distinct > _CODES and all(map(_TWO_DIGITS.fullmatch, column.counts)):
        decision.leave_out(
            "its dates have years of two digits, which do not say the century: write four, or read it in prepare.py."
        )
    elif column.distinct > _CODES and roles.is_time(column.name) and all(map(_SPOKEN.search, column.counts)):
        decision.leave_out(
            "its dates are written in a way that is not read: write them as 2026-03-31, or read them in prepare.py."
        )
    elif any(map(_is_money, column.counts)) and column.distinct > _CODES:
        decision.leave_out(
            "its numbers have signs around them (a currency, a percent sign): write them as plain numbers, or read "
            "them in prepare.py."
        )
    elif column.distinct > LISTED and length > _LONG:
        decision.leave_out(f"it is prose, {length:.0f} characters in the mean. A model here reads categories.")
    elif (column.distinct > LISTED and repeats < _REPEATS) or (
        column.distinct > column.values / 2 and column.values >= _FEW_ROWS
    ):
        also = " (of which a part may be a category: a title, a city, a prefix)" if length > _CODES else ""
        decision.leave_out(f"{column.distinct} different texts in {column.values} rows{also}: too many for a category.")
    elif max(map(len, column.counts)) > _LONGEST:
        decision.leave_out(f"a value is longer than {_LONGEST} characters, which no category's is.")
    else:
        _category(decision, column)


def _category(decision: Decision, column: Column) -> None:
    decision.keys["type"] = "category"
    if column.distinct > LISTED:
        more = f", the {_LEARNED} most frequent ones" if column.distinct > _LEARNED else ""
        decision.comments.append(
            f"{column.distinct} values: they are learned from train{more}; others are read as one."
        )
        return
    decision.keys["values"] = sorted({column.value(text) for text in column.counts})
    once = sum(rows == 1 for rows in column.counts.values())
    if once or column.distinct > _STRICT:
        decision.keys["unknown"] = "other"
        decision.comments.append(
            f"{column.distinct} values{f', {once} of them in one row' if once else ''}: others are likely, and pass."
        )


def _is_money(text: str) -> bool:
    plain = text.strip().strip("$€£¥%").strip()
    return plain != text.strip() and plain[:1].isdigit()


def _quoted(text: str) -> str:
    shown = text if len(text) <= _SHOWN * 10 else text[: _SHOWN * 10] + "..."
    return f'"{shown}"'
