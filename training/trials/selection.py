"""Which trial is exported: the simplest as good as the best that passes the guard, then the next-best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Self

from training.documents import ScoredTrial


@dataclass(frozen=True, slots=True)
class Score:
    """The cross-validation result of one trial.

    `folds` holds the metric of each fold of each repeat, None where it is undefined; every trial has the same folds.
    `simplicity` is its family's rank (0 is the simplest), `columns` how many encoded columns the model sees, `size` its
    bytes when exported, estimated; `test_to_train` the rows that a fold scores for each that it is fitted on.
    """

    trial: str
    simplicity: int
    mean: float
    folds: tuple[float | None, ...] = ()
    test_to_train: float = 0.25
    columns: float = 0.0
    size: float = 0.0

    @classmethod
    def of(cls, trial: ScoredTrial, repeats: int) -> Self:
        """The score of a trial whose folds were drawn so many times."""
        return cls(
            trial=trial.id,
            simplicity=trial.simplicity,
            mean=trial.mean,
            folds=tuple(trial.folds),
            test_to_train=fold_ratio(trial.fold_rows, repeats, trial.rows),
            columns=trial.columns,
            size=trial.size_bytes,
        )


def choose(
    scores: Sequence[Score],
    *,
    higher_is_better: bool,
    passes: Callable[[str], bool] = lambda trial: True,
    offers: int = 1,
) -> list[Score]:
    """The trials in the order in which they are tried for export.

    First the one-standard-error rule (Breiman et al. 1984; Hastie et al., section 7.10), with the error of the
    difference to the best: the simplest of those that are `near` it and pass the guard; then the others, best
    first. Of two that are as simple, the one that sees fewer columns, then the smaller one, then the better one.

    The first `offers` all pass the guard, as far as so many do: `passes` is asked for a trial by name, at most once.
    Where nothing near passes, the best that does is the first one; where nothing does at all, the guard is left out.
    """
    sign = 1.0 if higher_is_better else -1.0
    guard = cache(passes)

    def by_score(score: Score) -> tuple[float, int, str]:
        return -sign * score.mean, score.simplicity, score.trial

    ranked = sorted(scores, key=by_score)
    close = near(ranked, higher_is_better=higher_is_better)
    simplest = sorted(close, key=lambda score: (score.simplicity, score.columns, score.size, *by_score(score)))
    chosen = next((score for score in [*simplest, *ranked] if guard(score.trial)), simplest[0])
    others = [score for score in ranked if score is not chosen]
    first = [chosen, *islice((score for score in others if guard(score.trial)), offers - 1)]
    return [*first, *(score for score in others if score not in first)]


def near(ranked: Sequence[Score], *, higher_is_better: bool) -> list[Score]:
    """The best of the trials, which is the first one, and those that are no further from it than one standard error.

    The error is that of the difference to the best over the folds that both share: what makes a fold hard is in both.
    """
    sign = 1.0 if higher_is_better else -1.0
    best = ranked[0]
    return [score for score in ranked if sign * (best.mean - score.mean) <= error_of_difference(best, score)]


def error_of_difference(one: Score, other: Score) -> float:
    """The standard error of the difference of two means over the same folds; 0 where fewer than two have both."""
    if len(one.folds) != len(other.folds):
        return 0.0
    pairs = zip(one.folds, other.folds, strict=True)
    differences = [a - b for a, b in pairs if a is not None and b is not None]
    return standard_error(differences, (one.test_to_train + other.test_to_train) / 2)


def fold_ratio(fold_rows: Sequence[int], repeats: int, fitted: int | None = None) -> float:
    """The rows that a fold scores for each row that it is fitted on, by the rows of each fold of each repeat.

    `fitted` are the rows that the trial was given for its folds; None for all.
    """
    rows = sum(fold_rows) / repeats
    given = 1.0 if fitted is None else fitted / rows
    return math.fsum(scored / (given * (rows - scored)) for scored in fold_rows) / len(fold_rows)


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
