"""Which trial is exported: the simplest within one standard error of the best, then the next-best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """What cross-validation says of one trial; `simplicity` 0 is the simplest."""

    trial: str
    simplicity: int
    mean: float
    standard_error: float


def choose(scores: Sequence[Score], *, higher_is_better: bool) -> list[Score]:
    """The trials in the order in which they are tried for export.

    First the one-standard-error rule (Breiman et al. 1984; Hastie et al., section 7.10): the simplest whose
    mean is no further from the best mean than the best's standard error; then the others, best first.
    """
    sign = 1.0 if higher_is_better else -1.0

    def by_score(score: Score) -> tuple[float, int, str]:
        return -sign * score.mean, score.simplicity, score.trial

    ranked = sorted(scores, key=by_score)
    best = ranked[0]
    near = [score for score in ranked if sign * (best.mean - score.mean) <= best.standard_error]
    chosen = min(near, key=lambda score: (score.simplicity, *by_score(score)))
    return [chosen, *(score for score in ranked if score is not chosen)]
