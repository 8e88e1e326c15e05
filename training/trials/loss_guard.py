"""The guard at choice: a trial's probabilities are no worse than those of plain logistic regression."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from andamio.stats import metrics
from training import calibrate
from training.documents import GuardedTrial, ScoredTrial, UnscoredTrial
from training.families.spaces import PLAIN
from training.rows import TrainingRows
from training.trials.selection import fold_ratio

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LossGap:
    """By how much the out-of-fold log loss of a trial is above another's, and the standard error of that difference."""

    value: float
    error: float

    @property
    def beyond_noise(self) -> bool:
        """Whether it is worse by more than one standard error."""
        return self.value > self.error


def loss_gap(scores: Floats, others: Floats, labels: Labels, groups: Labels, test_to_train: float) -> LossGap:
    """Compare calibrated out-of-fold probabilities [rows, classes] of two trials, row by row.

    Rows of a group count as one draw. The error is that of the mean difference, and as in `selection.standard_error`
    its variance is larger than that of independent draws, since folds share training rows:

        SE = s / sqrt(n) * sqrt(1 + folds * n_test/n_train) = s / sqrt(n) * sqrt(2 + n_test/n_train)
    """
    one, other = (metrics.losses("log_loss", labels, each, positive=-1) for each in (scores, others))
    differences = one - other
    value = float(differences.mean())
    sums = np.bincount(groups, weights=differences - value)
    count = len(sums)
    if count < 2:
        return LossGap(value, 0.0)
    variance = float(np.sum(sums**2)) / len(labels) ** 2 * count / (count - 1)
    return LossGap(value, math.sqrt(variance * (2 + test_to_train)))


@dataclass(frozen=True, slots=True)
class LossGuard:
    """Calibrated out-of-fold log loss not worse than plain logistic regression's, beyond paired noise.

    `scores` gives a trial's out-of-fold probabilities, `plain` are those of plain logistic regression, calibrated; None
    where it could not be scored: then every trial passes. `asked` collects what was compared.
    """

    scores: Callable[[ScoredTrial], Floats]
    plain: Floats | None
    labels: Labels
    groups: Labels
    positive: int
    repeats: int
    asked: list[GuardedTrial] = field(default_factory=list)

    @classmethod
    def against_plain(
        cls,
        trials: Sequence[ScoredTrial | UnscoredTrial],
        scores: Callable[[ScoredTrial], Floats],
        train: TrainingRows,
        positive: int,
        repeats: int,
    ) -> LossGuard:
        """The guard of a run, by its trial of plain logistic regression: a candidate or a baseline."""
        found = next((trial for trial in trials if trial.id == PLAIN and isinstance(trial, ScoredTrial)), None)
        plain = None if found is None else _calibrated(scores(found), train.labels, positive)
        groups = np.unique(np.asarray(train.keys, dtype=str), return_inverse=True)[1]
        return cls(scores, plain, train.labels, groups, positive, repeats)

    def passes(self, trial: ScoredTrial) -> bool:
        """Whether a trial may be chosen."""
        if self.plain is None or trial.id == PLAIN:
            return True
        own = _calibrated(self.scores(trial), self.labels, self.positive)
        ratio = fold_ratio(trial.fold_rows, self.repeats, trial.rows)
        gap = loss_gap(own, self.plain, self.labels, self.groups, ratio)
        passed = not gap.beyond_noise
        self.asked.append(GuardedTrial(trial=trial.id, loss_gap=gap.value, error=gap.error, passed=passed))
        return passed


def _calibrated(out_of_fold: Floats, labels: Labels, positive: int) -> Floats:
    return calibrate.fit(out_of_fold, labels, positive).apply(out_of_fold, positive)
