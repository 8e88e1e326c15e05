"""The promotion gate: may this challenger be served? A pure function of scores, and its reasons in words.

Both models are scored now, on the same current holdout. Without a champion the challenger must beat
the majority class; with one it must gain more than `min_gain`, strictly, at `confidence`. The share of
paired bootstrap resamples in which it does stands for that probability. An edit of the contract alone
(a text, a description) leaves the graph as it is: there is nothing to gain, and nothing to lose.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andamio.bootstrap import RESAMPLES, Interval, Scorer, compare
from andamio.metrics import higher_is_better

_ROUNDING = 1e-12
"""Less than this is no gain: 0.86 - 0.85 is not more than 0.01."""

Outcome = Literal["promoted", "rejected", "tied"]


@dataclass(frozen=True, slots=True)
class Holdout:
    """The rows both are judged on: class indices `[n]`, split keys `[n]`, and the split's digest."""

    labels: NDArray[np.int64]
    keys: NDArray[np.str_]
    split: str


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
class Rules:
    """What the contract asks: metric, confidence, strict minimal gain; the positive class (-1: more than two)."""

    metric: str
    confidence: float
    min_gain: float
    positive: int
    seed: int
    resamples: int = RESAMPLES


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by which rule, on which numbers, and why in words.

    `probability` is the share of resamples in which the gain exceeds `min_gain`; it, `gain` and
    `baseline` are None where nothing was compared.
    """

    outcome: Outcome
    rule: Literal["majority_class", "champion", "same_model", "same_graph", "other_split"]
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

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for `decision.json`; a number that is undefined is None."""
        plain: dict[str, Any] = _defined(asdict(self))
        return plain


def decide(
    holdout: Holdout, challenger: Contender, champion: Contender | None, prior: NDArray[np.float64], rules: Rules
) -> Decision:
    """Judge a challenger; `prior` holds the classes' shares in train `[classes]`, which the majority class predicts."""
    against = champion.name if champion else "the majority class"
    rule: Literal["majority_class", "champion"] = "champion" if champion else "majority_class"
    counts = tuple(int(count) for count in np.bincount(holdout.labels, minlength=len(prior)))

    def decision(outcome: Outcome, rule: Any, reason: str, **numbers: Any) -> Decision:
        return Decision(
            outcome=outcome,
            rule=rule,
            reason=reason,
            challenger=challenger.name,
            against=against,
            metric=rules.metric,
            rows=len(holdout.labels),
            class_rows=counts,
            confidence=rules.confidence,
            min_gain=rules.min_gain if champion else 0.0,
            resamples=rules.resamples,
            seed=rules.seed,
            **numbers,
        )

    if champion and champion.identity == challenger.identity:
        return decision(
            "tied", "same_model", f"The challenger is {against} itself, byte for byte: there is nothing to judge."
        )
    if challenger.split != holdout.split:
        return decision(
            "rejected",
            "other_split",
            f"The challenger was trained under split {challenger.split}, the holdout is that of split {holdout.split}: "
            "it may have seen these rows. Train again on the current data version.",
        )
    if champion and champion.split != challenger.split:
        return decision(
            "rejected",
            "other_split",
            f"{against} was trained under split {champion.split}, the challenger under {challenger.split}: it may have "
            "seen the rows that both would be judged on, so they cannot be compared. To start over under the new "
            "split, delete the pointer serving/NAME.json: the next model is then judged against the majority class.",
        )
    if champion and champion.graph == challenger.graph and _alike(champion, challenger):
        return decision(
            "promoted",
            "same_graph",
            f"The model is that of {against}, byte for byte, and gives every holdout row the same probabilities: "
            "only the contract around it was edited, so there is nothing to judge and the edited contract is served.",
        )

    ours = (Scorer(rules.metric, rules.positive, challenger.threshold), challenger.probabilities)
    theirs = (
        (Scorer(rules.metric, rules.positive, champion.threshold), champion.probabilities)
        if champion
        else (Scorer(rules.metric, rules.positive), np.tile(prior, (len(holdout.labels), 1)))
    )
    needed = rules.min_gain if champion else 0.0
    sign = 1 if higher_is_better(rules.metric) else -1
    compared = compare(holdout.labels, holdout.keys, ours, theirs, sign=sign, seed=rules.seed, count=rules.resamples)
    score, baseline, gain = compared.score, compared.baseline, compared.gain
    probability = float(np.mean(compared.gains > needed + _ROUNDING))
    promoted = probability >= rules.confidence
    if math.isnan(gain.value):
        return decision(
            "rejected",
            rule,
            f"{rules.metric} is undefined on these {len(holdout.labels)} rows, which show {_counted(counts)} "
            "classes: gather rows of every class, or choose another metric in [training].",
        )
    more = f"more than {needed:g}" if needed else "at all"
    reason = (
        f"On {len(holdout.labels)} rows that no training run saw, {rules.metric} is {score.value:.4f} against "
        f"{baseline.value:.4f} of {against}: a gain of {gain.value:+.4f} (95% interval {gain.low:+.4f} to "
        f"{gain.high:+.4f}). It is better {more} in {probability:.1%} of {rules.resamples} resamples; "
        f"{rules.confidence:.1%} is asked for, so it is {'promoted' if promoted else 'not promoted'}."
    )
    return decision(
        "promoted" if promoted else "rejected",
        rule,
        reason,
        score=score,
        baseline=baseline,
        gain=gain,
        probability=probability,
    )


def _counted(counts: tuple[int, ...]) -> str:
    return f"only {sum(count > 0 for count in counts)} of {len(counts)}"


def _defined(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _defined(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _alike(one: Contender, other: Contender) -> bool:
    return np.array_equal(one.probabilities, other.probabilities)
