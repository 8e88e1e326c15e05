"""The promotion gate: may this challenger be served? A pure function of scores, and its reasons in words.

Both models are scored now, on the same current holdout. Without a champion the challenger must beat
the majority class, or of a regression the median. With one there are two rules:

- *champion*: no (or too few) rows arrived since the champion's data. Only being better counts: the gain
  must exceed `min_gain`, strictly, in a share `confidence` of paired bootstrap resamples.
- *recent*: enough rows arrived. A model that has seen newer data is the better bet, so it must not be
  worse: not on all rows, not on the recent ones, and better on one of them; or surely better on the
  recent ones, whatever the old ones say, for the world may have changed.

An edit of the contract alone (a text, a description) leaves the graph as it is: there is nothing to gain,
and nothing to lose. Guards come last: what else must hold, whatever the scores say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.gate.decision import Contender, Decision, Figure, Guard, Holdout, Outcome, OutOfFold, Recent, Rule, Rules
from andamio.stats.bootstrap import Comparison, Interval, Scorer, compare, compare_unpaired
from andamio.stats.figures import figure
from andamio.stats.metrics import higher_is_better, in_units

_ROUNDING = 1e-12
"""Less than this is no gain: 0.86 - 0.85 is not more than 0.01. A share of the baseline, of a metric in units."""

MIN_ROWS = 20
"""Rows of each class that make recent rows, and rows in all that make a slice, worth a judgement."""
MIN_HOLDOUT_CLASS_ROWS = 10
"""Rows of each class below which a holdout says so little that out-of-fold scores are judged instead."""

__all__ = [
    "Contender",
    "Decision",
    "Guard",
    "Holdout",
    "OutOfFold",
    "Recent",
    "Rules",
    "apply_guards",
    "decide",
    "with_attempt_number",
]


def class_rows(truth: NDArray[Any], classes: int) -> list[int]:
    """The rows of each class; none of numbers."""
    if truth.dtype.kind == "f":
        return []
    return [int(count) for count in np.bincount(truth, minlength=classes)]


def low_evidence(counts: Sequence[int], rows: int = 0) -> bool:
    """Whether a holdout with so many rows of each class is too small to judge on; of numbers, with twice as many rows.

    `rows` is needed where there are no classes.
    """
    return _fewest(counts, rows) < MIN_HOLDOUT_CLASS_ROWS


def _fewest(counts: Sequence[int], rows: int) -> int:
    """The rows of the rarest class; of numbers half of all."""
    return min(counts) if counts else rows // 2


def decide(
    holdout: Holdout,
    challenger: Contender,
    champion: Contender | None,
    prior: NDArray[np.float64],
    rules: Rules,
    *,
    out_of_fold: tuple[OutOfFold, OutOfFold | None] | None = None,
) -> Decision:
    """Judge a challenger; `prior` is what the floor says of every row `[outputs]`: the classes' shares, or the median.

    `out_of_fold` (the challenger's, the champion's) is what a holdout with too few rows of a class is replaced by.
    """
    floor = f"the {rules.floor.replace('_', ' ')}"
    against = champion.name if champion else floor
    rule: Rule = "champion" if champion else rules.floor
    counts = class_rows(holdout.labels, len(prior))

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
            "tied", "same_model", f"The challenger is {against} itself, byte for byte: there is nothing to compare."
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
            "split, delete the pointer serving/NAME.json: the next model is then judged against " + floor + ".",
        )
    if champion and champion.graph == challenger.graph and _same_probabilities(champion, challenger):
        return decision(
            "promoted",
            "same_graph",
            f"The model is that of {against}, byte for byte, and gives every holdout row the same "
            f"{'probabilities' if counts else 'prediction'}: "
            "only the contract around it was edited, so there is nothing to judge and the edited contract is served.",
        )

    candidate = (Scorer(rules.metric, rules.positive, challenger.threshold), challenger.probabilities)
    baseline = (
        (Scorer(rules.metric, rules.positive, champion.threshold), champion.probabilities)
        if champion
        else (Scorer(rules.metric, rules.positive), np.tile(prior, (len(holdout.labels), 1)))
    )

    def required_gain(baseline: float) -> float:
        share = rules.min_gain if champion else 0.0
        return share * abs(baseline) if in_units(rules.metric) else share

    if out_of_fold is not None and low_evidence(counts, len(holdout.labels)):
        promoted, reason, numbers = _by_cross_validation(
            out_of_fold, candidate[0], baseline[0], prior, against, rules, required_gain
        )
        low_evidence_text = (
            f"The holdout has {_counts_text(counts)} rows by class, and the gate needs at least "
            f"{MIN_HOLDOUT_CLASS_ROWS} of each. "
            if counts
            else f"The holdout has {len(holdout.labels)} rows, and the gate needs {2 * MIN_HOLDOUT_CLASS_ROWS}. "
        )
        return decision(
            "promoted" if promoted else "rejected",
            rule,
            low_evidence_text + reason,
            evidence="cross_validation",
            **numbers,
        )
    sign = 1 if higher_is_better(rules.metric) else -1
    comparison = compare(
        holdout.labels, holdout.keys, candidate, baseline, sign=sign, seed=rules.seed, count=rules.resamples
    )
    if math.isnan(comparison.gain.value):
        return decision(
            "rejected",
            rule,
            f"{rules.metric} is undefined on these {len(holdout.labels)} rows, which show {_classes_text(counts)} "
            "classes: gather rows of every class, or choose another metric in [training]."
            if counts
            else f"{rules.metric} is undefined on these {len(holdout.labels)} rows, whose targets are all the same: "
            "gather more, or choose another metric in [training].",
        )
    required = required_gain(comparison.baseline.value)
    probability = _share_of_gains(comparison, rules, required)
    recent, newer = _recent(holdout, candidate, baseline, sign, len(prior), rules) if champion else (None, None)
    if recent is not None and newer is not None:
        rule = "recent"
        promoted, explanation = _not_worse(comparison, newer, recent.rows, rules)
    else:
        promoted, explanation = _confidently_better(probability, required, recent, rules)
    reason = (
        f"On {len(holdout.labels)} rows that no training run saw, {rules.metric} is "
        f"{_text(comparison.score.value, rules)} against {_text(comparison.baseline.value, rules)} of {against}: "
        f"a gain of {_interval_text(comparison.gain, rules)}. {explanation}, "
        "so it is "
        f"{'promoted' if promoted else 'not promoted'}."
    )
    return decision(
        "promoted" if promoted else "rejected",
        rule,
        reason,
        **_figures(comparison),
        probability=probability,
        recent=recent,
    )


ScoredRows = tuple[Scorer, NDArray[np.floating]]


def _recent(
    holdout: Holdout, candidate: ScoredRows, baseline: ScoredRows, sign: int, classes: int, rules: Rules
) -> tuple[Recent | None, Comparison | None]:
    """Rows newer than the champion's data, None when they are unknown; and the comparison on them, where enough."""
    if holdout.recent is None:
        return None, None
    rows = np.flatnonzero(holdout.recent)
    labels = holdout.labels[rows]
    counts = class_rows(labels, classes)
    if _fewest(counts, len(rows)) < MIN_ROWS:
        return Recent(rows=len(rows), class_rows=counts, enough=False), None
    new = compare(
        labels,
        holdout.keys[rows],
        (candidate[0], candidate[1][rows]),
        (baseline[0], baseline[1][rows]),
        sign=sign,
        seed=rules.seed,
        count=rules.resamples,
    )
    return Recent(
        rows=len(rows), class_rows=counts, enough=True, **_figures(new), probability=_share_of_gains(new, rules)
    ), new


def _figures(comparison: Comparison) -> dict[str, Figure]:
    return {name: Figure.of(getattr(comparison, name)) for name in ("score", "baseline", "gain")}


def _rounding(comparison: Comparison, rules: Rules) -> float:
    """What is no gain."""
    return _ROUNDING * abs(comparison.baseline.value) if in_units(rules.metric) else _ROUNDING


def _share_of_gains(comparison: Comparison, rules: Rules, above: float = 0.0) -> float:
    """The share of resamples with a gain above so much."""
    return float(np.mean(comparison.gains > above + _rounding(comparison, rules)))


def _by_cross_validation(
    out_of_fold: tuple[OutOfFold, OutOfFold | None],
    candidate: Scorer,
    baseline: Scorer,
    prior: NDArray[np.float64],
    against: str,
    rules: Rules,
    required_gain: Callable[[float], float],
) -> tuple[bool, str, dict[str, Any]]:
    """Whether to promote by out-of-fold scores, why, and the numbers. Two models' are of different rows: unpaired."""
    own, other = out_of_fold
    sign = 1 if higher_is_better(rules.metric) else -1
    if other is None:
        flat = np.tile(prior, (len(own.labels), 1))
        comparison = compare(
            own.labels, own.keys, (candidate, own.probabilities), (baseline, flat), sign=sign, seed=rules.seed,
            count=rules.resamples,
        )  # fmt: skip
        caveat = ""
    else:
        comparison = compare_unpaired(
            (own.labels, own.keys, candidate.on(own.labels, own.probabilities)),
            (other.labels, other.keys, baseline.on(other.labels, other.probabilities)),
            sign=sign,
            seed=rules.seed,
            count=rules.resamples,
        )
        caveat = ", each on its own training rows, so that only a large gain shows"
    required = required_gain(comparison.baseline.value)
    probability = _share_of_gains(comparison, rules, required)
    promoted, explanation = _confidently_better(probability, required, None, rules)
    reason = (
        f"By repeated cross-validation, on {len(own.labels)} training rows out of fold{caveat}, {rules.metric} is "
        f"{_text(comparison.score.value, rules)} against {_text(comparison.baseline.value, rules)} of {against}: "
        f"a gain of {_interval_text(comparison.gain, rules)}. "
        f"{explanation}, so it is {'promoted' if promoted else 'not promoted'}. The evidence is low: gather more rows."
    )
    numbers = {**_figures(comparison), "probability": probability, "out_of_fold_rows": len(own.labels)}
    return promoted, reason, numbers


def _confidently_better(
    probability: float, required_gain: float, recent: Recent | None, rules: Rules
) -> tuple[bool, str]:
    more = f"more than {required_gain:g}" if required_gain else "at all"
    explanation = (
        f"It is better {more} in {probability:.1%} of {rules.resamples} resamples; {rules.confidence:.1%} is asked for"
    )
    if recent is not None and recent.rows:
        needed = (
            f"by class {_counts_text(recent.class_rows)}, and {MIN_ROWS} of each are needed"
            if recent.class_rows
            else f"and {2 * MIN_ROWS} are needed"
        )
        explanation = (
            f"Only {recent.rows} of them arrived since the champion's data ({needed} to judge by them), so it must be "
            f"surely better on all. {explanation}"
        )
    return probability >= rules.confidence, explanation


def _not_worse(everywhere: Comparison, newer: Comparison, rows: int, rules: Rules) -> tuple[bool, str]:
    """Whether a challenger is not worse, on all rows and on the `rows` that are newer than the champion's data."""
    compared = {"all rows": everywhere, "the new rows": newer}
    worse = [name for name, each in compared.items() if each.gain.value < -_rounding(each, rules)]
    is_better = any(each.gain.value > _rounding(each, rules) for each in compared.values())
    probability = _share_of_gains(newer, rules)
    gain_text = _interval_text(newer.gain, rules)
    new = f"{rows} of them arrived since the champion's data, and on these the gain is {gain_text}"
    if not worse and is_better:
        return True, f"{new}. It has seen newer data and is worse on neither, and that is asked for"
    if probability >= rules.confidence:
        certainty = f"better on the new rows in {probability:.1%} of {rules.resamples} resamples"
        return True, f"{new}. It is {certainty} ({rules.confidence:.1%} is asked for), whatever the older rows say"
    failed = f"It is worse on {' and on '.join(worse)}" if worse else "It is exactly as good on both"
    return False, (
        f"{new}. {failed}, and better on them in {probability:.1%} of {rules.resamples} resamples "
        f"where {rules.confidence:.1%} would be enough"
    )


def apply_guards(decision: Decision, guards: Sequence[Guard]) -> Decision:
    """The decision after its guards: one that bars turns a promotion into a rejection, others are warnings."""
    failed = [guard for guard in guards if not guard.holds]
    failed_bars = [guard for guard in failed if guard.bars] if decision.outcome == "promoted" else []
    warnings = [guard for guard in failed if guard not in failed_bars]
    reason = decision.reason
    if failed_bars:
        reason += f" But {'; '.join(guard.message for guard in failed_bars)}: it is not promoted after all."
    if warnings:
        reason += f" Note: {'; '.join(guard.message for guard in warnings)}."
    outcome: Outcome = "rejected" if failed_bars else decision.outcome
    return decision.model_copy(update={"outcome": outcome, "reason": reason, "guards": list(guards)})


def with_attempt_number(decision: Decision, tries: int) -> Decision:
    """The decision with how often it was tried: the gate does not count throws of the dice, so a reader has to."""
    if decision.rule not in ("champion", "majority_class", "median"):
        return decision
    reason = decision.reason
    if tries > 1:
        reason += (
            f" It is model number {tries} that is judged on these very rows against {decision.against}: each try is "
            "another chance to pass by luck."
        )
    return decision.model_copy(update={"reason": reason, "tries": tries})


def _text(value: float, rules: Rules, *, signed: bool = False) -> str:
    return figure(rules.metric, value, signed=signed, decimals=4)


def _interval_text(interval: Interval, rules: Rules) -> str:
    value, low, high = (_text(each, rules, signed=True) for each in (interval.value, interval.low, interval.high))
    return f"{value} (95% interval {low} to {high})"


def _counts_text(counts: Sequence[int]) -> str:
    return ", ".join(str(count) for count in counts)


def _classes_text(counts: Sequence[int]) -> str:
    return f"only {sum(count > 0 for count in counts)} of {len(counts)}"


def _same_probabilities(first: Contender, second: Contender) -> bool:
    return np.array_equal(first.probabilities, second.probabilities)
