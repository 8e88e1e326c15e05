"""The guard at choice: a trial's answers are no worse than those of the plain linear family."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.stats import metrics
from training import calibrate
from training.documents import GuardedTrial, ScoredTrial, UnscoredTrial
from training.families.spaces import PLAINS
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


def loss_gap(
    scores: Floats, others: Floats, labels: NDArray[Any], groups: Labels, test_to_train: float, loss: str = "log_loss"
) -> LossGap:
    """Compare calibrated out-of-fold scores [rows, outputs] of two trials by a loss, row by row.

    Rows of a group count as one draw. The error is that of the mean difference, and as in `selection.standard_error`
    its variance is larger than that of independent draws, since folds share training rows:

        SE = s / sqrt(n) * sqrt(1 + folds * n_test/n_train) = s / sqrt(n) * sqrt(2 + n_test/n_train)
    """
    one, other = (metrics.losses(loss, labels, each, positive=-1) for each in (scores, others))
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
    """Out-of-fold loss not worse than that of the plain linear family, beyond paired noise.

    The loss is log loss, of calibrated probabilities; of a regression what the metric sums up, squared or absolute
    errors. `scores` gives a trial's out-of-fold scores, `plain` are those of the plain linear family, calibrated; None
    where it could not be scored: then every trial passes. `asked` collects what was compared.
    """

    scores: Callable[[ScoredTrial], Floats]
    plain: Floats | None
    labels: NDArray[Any]
    groups: Labels
    positive: int
    repeats: int
    loss: str = "log_loss"
    asked: list[GuardedTrial] = field(default_factory=list)

    @classmethod
    def against_plain(
        cls,
        trials: Sequence[ScoredTrial | UnscoredTrial],
        scores: Callable[[ScoredTrial], Floats],
        train: TrainingRows,
        positive: int,
        repeats: int,
        loss: str = "log_loss",
    ) -> LossGuard:
        """The guard of a run, by its trial of the plain linear family: a candidate or a baseline."""
        found = next((trial for trial in trials if trial.id in PLAINS and isinstance(trial, ScoredTrial)), None)
        plain = None if found is None else _calibrated(scores(found), train.labels, positive)
        groups = np.unique(np.asarray(train.keys, dtype=str), return_inverse=True)[1]
        return cls(scores, plain, train.labels, groups, positive, repeats, loss)

    def passes(self, trial: ScoredTrial) -> bool:
        """Whether a trial may be chosen."""
        if self.plain is None or trial.id in PLAINS:
            return True
        own = _calibrated(self.scores(trial), self.labels, self.positive)
        ratio = fold_ratio(trial.fold_rows, self.repeats, trial.rows)
        gap = loss_gap(own, self.plain, self.labels, self.groups, ratio, self.loss)
        passed = not gap.beyond_noise
        self.asked.append(GuardedTrial(trial=trial.id, loss_gap=gap.value, error=gap.error, passed=passed))
        return passed


def _calibrated(out_of_fold: Floats, labels: NDArray[Any], positive: int) -> Floats:
    return calibrate.fit(out_of_fold, labels, positive).apply(out_of_fold, positive)
