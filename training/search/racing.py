"""Racing: trials start with few rows or few folds, and those that fall behind end there (successive halving).

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
from training.trials.sample import LARGE_FROM
from training.trials.selection import Score, error_of_difference

KEPT = 4
"""One trial of so many goes on to the next rung."""
FEWEST = 2
"""At least so many go on."""
NOISE, LARGE_NOISE = 1.0, 2.0
"""Standard errors of a difference that a trial may be behind, on fewer rows of train than `LARGE_FROM` and on more:
rungs of few rows see less of how learning curves cross."""
WIDER = {2: 2.71, 3: 1.34, 4: 1.1}
"""Of so few folds a standard error is known so badly that it counts for more: by Student's t, where two of them on five
folds are as much as so many times two on fewer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rung decided: the trials that go on, best first, and why each of the others ends, by its id."""

    promoted: list[ScoredTrial]
    ended: dict[str, str]


def judge(results: Sequence[ScoredTrial], metric: str, rows: int, repeats: int) -> Verdict:
    """Decide a rung by the results of all of its trials.

    Each has the same folds, drawn `repeats` times, scored or left out; train has `rows`.
    """
    sign = 1.0 if higher_is_better(metric) else -1.0
    ranked = sorted(results, key=lambda trial: (-sign * trial.mean, trial.simplicity, trial.id))
    if not ranked:
        return Verdict([], {})
    best = ranked[0]
    allowed = NOISE if rows < LARGE_FROM else LARGE_NOISE
    behind = {trial.id: sign * (best.mean - trial.mean) for trial in ranked}
    noise = {trial.id: _noise(best, trial, repeats) for trial in ranked}
    first = ranked[: max(FEWEST, math.ceil(len(ranked) / KEPT))]
    near = [trial for trial in ranked if behind[trial.id] <= noise[trial.id]]
    simplest = min(near, key=lambda trial: (trial.simplicity, trial.columns, trial.size_bytes))
    kept = {best.id, simplest.id}
    kept |= {trial.id for trial in first if behind[trial.id] <= allowed * noise[trial.id]}
    kept |= {trial.id for trial in ranked if trial.trial in PLAINS}
    return Verdict(
        [trial for trial in ranked if trial.id in kept],
        {
            trial.id: f"ended early, on {_given(trial, rows)}: {metric} "
            f"{figure(metric, trial.mean, decimals=4)}, behind {best.trial} by "
            f"{figure(metric, behind[trial.id], decimals=4)} "
            f"(standard error {figure(metric, noise[trial.id], decimals=4)})"
            for trial in ranked
            if trial.id not in kept
        },
    )


def _noise(best: ScoredTrial, trial: ScoredTrial, repeats: int) -> float:
    """The standard error of the difference of two trials over the folds that were scored."""
    scored = sum(one is not None and other is not None for one, other in zip(best.folds, trial.folds, strict=True))
    return WIDER.get(scored, 1.0) * error_of_difference(Score.of(best, repeats), Score.of(trial, repeats))


def _given(trial: ScoredTrial, rows: int) -> str:
    given = f"{trial.rows:,} of {rows:,} rows" if trial.rows is not None else f"all {rows:,} rows"
    return f"{given} and {trial.first_folds} of {len(trial.folds)} folds"
