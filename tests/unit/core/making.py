"""Contracts and records for the tests of the core: made by hand, or drawn by hypothesis."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.records.encode import Encoded

HERE = Path(__file__).parent
PROBLEMS = HERE.parents[2] / "problems"

PROBLEM = """
[problem]
name   = "test"
target = "y"
labels = { no = "No", yes = "Yes" }
"""


def contract(features: str, problem: str = PROBLEM) -> Contract:
    """A contract of two classes with these `[features.*]` tables."""
    return Contract.from_toml(problem + features)


def one(table: str, name: str = "x") -> Contract:
    """A contract with the one feature `x`."""
    return contract(f"[features.{name}]\n{table}")


def same(left: Encoded, right: Encoded) -> bool:
    """Whether two encodings are equal, NaN included."""
    return np.array_equal(left.numbers, right.numbers, equal_nan=True) and (
        left.categories.tolist() == right.categories.tolist()
    )


@dataclass(frozen=True)
class Cell:
    """One value as JSON writes it and as CSV writes it."""

    typed: Any
    text: str


VALUES = ("1", "2", "a", "b c", "007", "true", "é", "1.5")
DAYS = st.dates(min_value=date(1900, 1, 1), max_value=date(2100, 1, 1))


@st.composite
def contracts(draw: st.DrawFn, *, time: bool = False) -> Contract:
    """A sealed contract of one to six features of any type."""
    features = {}
    for index in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["integer", "number", "boolean", "category", "date"]))
        feature: dict[str, Any] = {"type": kind, "required": draw(st.booleans())}
        if kind in ("integer", "number"):
            low, high = sorted(draw(st.tuples(st.integers(-999, 999), st.integers(-999, 999))))
            if draw(st.booleans()) and low < high:
                feature |= {"min": low, "max": high}
            if not feature["required"] and draw(st.booleans()):
                feature["on_invalid"] = "missing"
        if kind == "category":
            feature["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=5, unique=True))
            feature["unknown"] = draw(st.sampled_from(["reject", "other"]))
        features[f"f{index}"] = feature
    problem: dict[str, Any] = {"name": "drawn", "target": "y", "labels": {"no": "No", "yes": "Yes"}}
    if time:
        problem["time"] = "at"
    return Contract.from_json(json.dumps({"problem": problem, "data": {"missing": ["", "?"]}, "features": features}))


@st.composite
def cells(draw: st.DrawFn, feature: Any) -> Cell:
    """A valid value of a feature, in one of the ways that JSON and CSV write it."""
    if not feature.required and draw(st.integers(0, 4)) == 0:
        return Cell(draw(st.sampled_from([None, math.nan])), draw(st.sampled_from(["", "?", " ", " ? "])))
    low = -999 if feature.min is None else feature.min
    high = 999 if feature.max is None else feature.max
    if feature.type == "integer":
        whole = draw(st.integers(int(low), int(high)))
        return Cell(
            draw(st.sampled_from([whole, float(whole)])),
            draw(st.sampled_from([f"{whole}", f" {whole} ", f"{whole}.0"])),
        )
    if feature.type == "number":
        number = draw(st.floats(low, high) | st.integers(int(low), int(high)))
        return Cell(number, draw(st.sampled_from([repr(number), f" {number!r}", f"{number!r} "])))
    if feature.type == "boolean":
        truth = draw(st.booleans())
        said = ["true", "True", "TRUE", "1", "yes", "t"] if truth else ["false", "False", "FALSE", "0", "no", "f"]
        return Cell(draw(st.sampled_from([truth, int(truth), *said])), draw(st.sampled_from(said)))
    if feature.type == "date":
        day = draw(DAYS)
        moment = datetime(day.year, day.month, day.day, 13, 5)
        ways = [day.isoformat(), moment.isoformat(), moment.isoformat(" "), f"{moment.isoformat()}Z"]
        return Cell(draw(st.sampled_from(ways)), draw(st.sampled_from(ways)))
    known = list(feature.values)
    value = draw(st.sampled_from([*known, "unlisted"] if feature.accepts_unknown else known))
    typed: list[Any] = [value, f" {value} "]
    texts = [value, f" {value} "]
    if value in ("1", "2"):
        typed += [int(value), float(value), f"{value}.0"]
        texts += [f"{value}.0", f"{value}.00"]
    if value == "1.5":
        typed.append(1.5)
    if value == "true":
        typed.append(True)
        texts += ["True", "TRUE"]
    return Cell(draw(st.sampled_from(typed)), draw(st.sampled_from(texts)))


@st.composite
def tables(draw: st.DrawFn, *, time: bool = False) -> tuple[Contract, list[dict[str, Cell]]]:
    """A contract and one to five records that it accepts."""
    drawn = draw(contracts(time=time))
    record = {name: cells(feature) for name, feature in drawn.inputs.items()}
    if time:
        moments = st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1))
        record["at"] = moments.map(lambda moment: Cell(moment.isoformat(), moment.isoformat(" ")))
    return drawn, draw(st.lists(st.fixed_dictionaries(record), min_size=1, max_size=5))


def typed_records(records: list[dict[str, Cell]]) -> list[dict[str, Any]]:
    """Records as a client sends them."""
    return [{name: cell.typed for name, cell in record.items()} for record in records]


def columns(records: list[dict[str, Cell]], *, text: bool) -> Mapping[str, list[object]]:
    """The same records as columns: of CSV texts or of typed values."""
    return {name: [record[name].text if text else record[name].typed for record in records] for name in records[0]}


def week(start: date, days: int) -> list[str]:
    """Days on end in ISO 8601."""
    return [(start + timedelta(days=day)).isoformat() for day in range(days)]
