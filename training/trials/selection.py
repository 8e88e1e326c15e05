"""Which trial is exported: the simplest within one standard error of the best, then the next-best."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """The cross-validation result of one trial.

    `simplicity` is its family's rank (0 is the simplest), `columns` how many encoded columns the model sees,
    `size` its bytes when exported, estimated.
    """

    trial: str
    simplicity: int
    mean: float
    standard_error: float
    columns: float = 0.0
    size: float = 0.0


def choose(scores: Sequence[Score], *, higher_is_better: bool) -> list[Score]:
    """The trials in the order in which they are tried for export.

    First the one-standard-error rule (Breiman et al. 1984; Hastie et al., section 7.10): the simplest whose
    mean is no further from the best mean than the best's standard error; then the others, best first. Of two
    that are as simple, the one that sees fewer columns, then the smaller one, then the better one.
    """
    sign = 1.0 if higher_is_better else -1.0

    def by_score(score: Score) -> tuple[float, int, str]:
        return -sign * score.mean, score.simplicity, score.trial

    ranked = sorted(scores, key=by_score)
    best = ranked[0]
    near = [score for score in ranked if sign * (best.mean - score.mean) <= best.standard_error]
    chosen = min(near, key=lambda score: (score.simplicity, score.columns, score.size, *by_score(score)))
    return [chosen, *(score for score in ranked if score is not chosen)]


def standard_error(scores: Sequence[float], test_to_train: float) -> float:
    """The standard error of the mean of cross-validated scores, all folds of all repeats; 0 for a single score.

    Fold scores are no independent draws: their training rows overlap, within a repeat and more so between
    repeats, so that s / sqrt(n) is too small, and shrinks towards 0 with ever more repeats of the same rows.
    Nadeau and Bengio (Inference for the Generalization Error, Machine Learning 52, 2003) replace 1/n by
    1/n + n_test/n_train; Bouckaert and Frank (2004) take it over to repeated k-fold cross-validation:

        SE = s * sqrt(1/n + n_test/n_train)        s: sample standard deviation of the n scores
    """
    number = len(scores)
    if number < 2:
        return 0.0
    mean = math.fsum(scores) / number
    variance = math.fsum((score - mean) ** 2 for score in scores) / (number - 1)
    return math.sqrt(variance * (1 / number + test_to_train))
