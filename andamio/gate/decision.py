"""Inputs of the gate, as dataclasses, and its results, as parts of a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from andamio.stats.bootstrap import RESAMPLES, Interval
from andamio.stats.undefined import undefined_as_null
from andamio.storage.documents import Part

Outcome = Literal["promoted", "rejected", "tied"]
Floor = Literal["majority_class", "median"]
"""What looks at no feature: the first model is compared with it."""
Rule = Literal[
    "majority_class",
    "median",
    "champion",
    "recent",
    "same_model",
    "same_graph",
    "other_split",
    "other_classes",
    "withdrawn",
]


@dataclass(frozen=True, slots=True)
class Holdout:
    """The rows that both models are compared on: the truth `[n]`, split keys `[n]`, and the split's digest.

    `recent` says which rows `[n]` arrived after the champion's data; None when nobody knows.
    """

    labels: NDArray[Any]
    keys: NDArray[np.str_]
    split: str
    recent: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Contender:
    """A model as the gate sees it: its probabilities on the holdout `[n, classes]`, its sealed threshold.

    `identity` is the digest of all that a client can tell (graph, contract, threshold), `graph` of the
    graph alone, `split` the split it was trained under, `name` what a reader knows it by.
    """

    name: str
    identity: str
    graph: str
    split: str
    probabilities: NDArray[np.floating]
    threshold: float


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """A model's honest scores on its training rows: the truth `[n]`, keys `[n]`, probabilities `[n, outputs]`."""

    labels: NDArray[Any]
    keys: NDArray[np.str_]
    probabilities: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the contract: metric, confidence, strict minimal gain; the positive class (-1: more than two).

    `min_gain` is a share of the champion's score where the metric is in the target's unit.
    """

    metric: str
    confidence: float
    min_gain: float
    positive: int
    seed: int
    resamples: int = RESAMPLES
    floor: Floor = "majority_class"


class Figure(Part):
    """A figure and its 95% interval; null where it is undefined on these rows."""

    value: float | None
    low: float | None
    high: float | None

    @classmethod
    def of(cls, interval: Interval) -> Self:
        """The figure that an interval is in a document: what is not a number is null."""
        return cls(**undefined_as_null(interval))


class Recent(Part):
    """The rows since the champion's data: how many, of which classes (if any), both scores, and P(gain > 0)."""

    rows: int
    class_rows: list[int]
    enough: bool
    score: Figure | None = None
    baseline: Figure | None = None
    gain: Figure | None = None
    probability: float | None = None


class Guard(Part):
    """A further condition for promotion, with value, limit and message; `bars`: a failure blocks promotion."""

    name: str
    holds: bool
    bars: bool
    value: float | None
    limit: float | None
    message: str


class Decision(Part):
    """What was decided, by which rule, on which numbers, and the reason as a sentence.

    `probability` is the share of resamples in which the gain on all rows exceeds `min_gain` (a share of the baseline's
    score, where the metric is in the target's unit); it, `gain` and
    `baseline` are None where nothing was compared. `tries` is how many models were judged on these rows against the
    same champion so far, this one included. `evidence` is "holdout", or "cross_validation" where the
    holdout is too small to judge on.
    """

    outcome: Outcome
    rule: Rule
    reason: str
    challenger: str
    against: str
    metric: str
    rows: int
    class_rows: list[int]
    confidence: float
    min_gain: float
    resamples: int
    seed: int
    score: Figure | None = None
    baseline: Figure | None = None
    gain: Figure | None = None
    probability: float | None = None
    recent: Recent | None = None
    evidence: Literal["holdout", "cross_validation"] = "holdout"
    out_of_fold_rows: int | None = None
    guards: list[Guard] = Field(default_factory=list)
    tries: int = 1
