"""Inputs and results of the gate, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andamio.stats.bootstrap import RESAMPLES, Interval
from andamio.stats.undefined import undefined_as_null

Outcome = Literal["promoted", "rejected", "tied"]
Rule = Literal["majority_class", "champion", "recent", "same_model", "same_graph", "other_split", "other_classes"]


@dataclass(frozen=True, slots=True)
class Holdout:
    """The rows that both models are compared on: class indices `[n]`, split keys `[n]`, and the split's digest.

    `recent` says which rows `[n]` arrived after the champion's data; None when nobody knows.
    """

    labels: NDArray[np.int64]
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
    """A model's honest scores on its training rows: class indices `[n]`, keys `[n]`, probabilities `[n, classes]`."""

    labels: NDArray[np.int64]
    keys: NDArray[np.str_]
    probabilities: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of the contract: metric, confidence, strict minimal gain; the positive class (-1: more than two)."""

    metric: str
    confidence: float
    min_gain: float
    positive: int
    seed: int
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Recent:
    """The rows since the champion's data: how many, of which classes, both scores, and P(gain > 0)."""

    rows: int
    class_rows: tuple[int, ...]
    enough: bool
    score: Interval | None = None
    baseline: Interval | None = None
    gain: Interval | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Guard:
    """A further condition for promotion, with value, limit and message; `bars`: a failure blocks promotion."""

    name: str
    holds: bool
    bars: bool
    value: float | None
    limit: float | None
    words: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by which rule, on which numbers, and why in words.

    `probability` is the share of resamples in which the gain on all rows exceeds `min_gain`; it, `gain` and
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
    class_rows: tuple[int, ...]
    confidence: float
    min_gain: float
    resamples: int
    seed: int
    score: Interval | None = None
    baseline: Interval | None = None
    gain: Interval | None = None
    probability: float | None = None
    recent: Recent | None = None
    evidence: Literal["holdout", "cross_validation"] = "holdout"
    out_of_fold_rows: int | None = None
    guards: tuple[Guard, ...] = ()
    tries: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `decision.json`; a number that is undefined is None."""
        plain: dict[str, Any] = undefined_as_null(self)
        return plain
