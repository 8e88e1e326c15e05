"""Suspects within train: columns that reveal the label, and identifiers of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract.tables import Feature
from etl.audit.alone import almost_copy, almost_presence, alone
from etl.audit.doubt import Guess, without_excuse
from etl.audit.evidence import (
    has_value,
)
from etl.audit.reveals import copied, told_by_presence
from etl.audit.suspects import ALONE, COPY, IDENTIFIER, LATER, MISSING, Suspect
from etl.audit.train import Train

DISTINCT = 0.95
IDENTIFIER_ROWS = 30
DENSE = 1.5
"""A counter fills its range: it spans at most this many times its distinct values."""
IN_ORDER = 0.99
LATER_SHARE, LATER_ROWS = 0.01, 3


def within_train(train: Train) -> tuple[list[Suspect], list[str]]:
    """Suspects among the features of a model, and the kinds that were checked."""
    checked = [COPY, ALONE, MISSING, IDENTIFIER]
    time = train.contract.problem.time
    if time is not None and time in train.columns:
        dates = [name for name, feature in train.contract.inputs.items() if feature.type == "date"]
        checked += [LATER] if dates else []
    suspects = [*_revealing(train)]
    for name, feature in train.contract.inputs.items():
        column = train.columns[name]
        later = _later(train, name, column) if feature.type == "date" else None
        suspects += [suspect for suspect in (later, _identifier(train, name, feature, column)) if suspect]
    return suspects, checked


def _revealing(train: Train) -> Iterator[Suspect]:
    """Columns that reveal the label, each reported once, with the simplest kind that applies."""
    guesses: list[Guess] = []
    for name, feature in train.contract.inputs.items():
        column = train.columns[name]
        plain = copied(train, name, column) or told_by_presence(train, name, column)
        if plain:
            yield plain
            continue
        guess = almost_copy(train, name) or almost_presence(train, name) or alone(train, name, feature)
        guesses += [guess] if guess else []
    yield from without_excuse(train, guesses)


def _identifier(train: Train, name: str, feature: Feature, column: NDArray[np.generic]) -> Suspect | None:
    """A category with a value of its own in nearly every row, or a whole number that counts rows."""
    present = has_value(column)
    number = int(present.sum())
    if number < IDENTIFIER_ROWS or feature.type not in ("category", "integer", "number"):
        return None
    values = column[present]
    distinct = len(pd.unique(values))
    if distinct < DISTINCT * number:
        return None
    evidence: dict[str, float | int] = {"distinct": distinct, "rows": number}
    description = "values"
    if feature.type != "category":
        numbers = values.astype(np.float64)
        if (np.floor(numbers) != numbers).any():
            return None
        order = abs(float(np.corrcoef(pd.Series(numbers).rank(), pd.Series(train.places[present]).rank())[0, 1]))
        spread = float(np.ptp(numbers) + 1) / distinct
        if order < IN_ORDER and spread > DENSE:
            return None
        evidence |= {"order": order, "spread": spread}
        description = (
            "values that grow with the row's place" if order >= IN_ORDER else "values without gaps, as a counter has"
        )
    return Suspect(
        IDENTIFIER,
        name,
        evidence,
        f"'{name}' looks like an identifier: {distinct} distinct {description} in {number} rows. A model can only "
        "learn it by "
        "heart. Make it the id of [problem], or take it out of [features].",
    )


def _later(train: Train, name: str, column: NDArray[np.generic]) -> Suspect | None:
    """A date that lies after the moment that the row is about, by more than a time zone."""
    time = train.contract.problem.time
    if time is None or time not in train.columns:
        return None
    days, moments = column.astype("datetime64[D]"), train.columns[time].astype("datetime64[D]")
    present = ~np.isnat(days) & ~np.isnat(moments)
    number, later = int(present.sum()), int((days[present] > moments[present] + np.timedelta64(1, "D")).sum())
    if later < max(LATER_ROWS, LATER_SHARE * number):
        return None
    return Suspect(
        LATER,
        name,
        {"later": later, "rows": number},
        f"'{name}' lies after '{time}' in {later} of {number} rows: it was not known then. Set "
        "available_at_prediction = false, unless it is a planned date.",
    )
