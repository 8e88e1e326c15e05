"""Racing: trials start with few rows, and those that fall behind end there (successive halving).

Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", 2016. Of the trials
of a rung a quarter goes on, and of that quarter none that is behind the best by more than its noise. Who would be
chosen at this rung goes on whatever its rank: a simple model may be as good as the best without being near it in rank.
So does plain logistic regression, which every choice is held against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from andamio.stats.figures import figure
from andamio.stats.metrics import higher_is_better
from training.documents import ScoredTrial
from training.families.spaces import PLAINS
from training.trials.selection import standard_error

KEPT = 4
"""One trial of so many goes on to the next rung."""
FEWEST = 2
"""At least so many go on."""
NOISE = 2.0
"""Standard errors of a difference that a trial may be behind."""
WIDER = {2: 2.71, 3: 1.34, 4: 1.1}
"""Of so few folds a standard error is known so badly that it counts for more: by Student's t, two of them on five folds
are as much as so many times two on fewer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rung decided: the trials that go on, best first, and why each of the others ends, by its id."""

    promoted: list[ScoredTrial]
    ended: dict[str, str]


def judge(results: Sequence[ScoredTrial], metric: str, rows: int) -> Verdict:
    """Decide a rung by the results of all of its trials, of which each has the same folds; `rows` has train."""
    sign = 1.0 if higher_is_better(metric) else -1.0
    ranked = sorted(results, key=lambda trial: (-sign * trial.mean, trial.simplicity, trial.id))
    if not ranked:
        return Verdict([], {})
    best = ranked[0]
    behind = {trial.id: sign * (best.mean - trial.mean) for trial in ranked}
    noise = {trial.id: _noise(best, trial) for trial in ranked}
    first = ranked[: max(FEWEST, math.ceil(len(ranked) / KEPT))]
    near = [trial for trial in ranked if behind[trial.id] <= noise[trial.id]]
    simplest = min(near, key=lambda trial: (trial.simplicity, trial.columns, trial.size_bytes))
    kept = {best.id, simplest.id}
    kept |= {trial.id for trial in first if behind[trial.id] <= NOISE * noise[trial.id]}
    kept |= {trial.id for trial in ranked if trial.trial in PLAINS}
    return Verdict(
        [trial for trial in ranked if trial.id in kept],
        {
            trial.id: f"ended early, on {trial.rows:,} of {rows:,} rows: {metric} "
            f"{figure(metric, trial.mean, decimals=4)}, behind {best.trial} by "
            f"{figure(metric, behind[trial.id], decimals=4)} "
            f"(standard error {figure(metric, noise[trial.id], decimals=4)})"
            for trial in ranked
            if trial.id not in kept
        },
    )


def _noise(best: ScoredTrial, trial: ScoredTrial) -> float:
    """The standard error of the difference of two trials over their folds."""
    pairs = [
        (one, other)
        for one, other in zip(best.folds, trial.folds, strict=True)
        if one is not None and other is not None
    ]
    fitted_on = (trial.rows or sum(trial.fold_rows)) * (1 - 1 / len(trial.folds))
    ratio = sum(trial.fold_rows) / len(trial.fold_rows) / fitted_on
    return WIDER.get(len(pairs), 1.0) * standard_error([one - other for one, other in pairs], ratio)
