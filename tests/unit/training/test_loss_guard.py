"""The guard at choice: a trial whose probabilities are worse than plain logistic regression's is not chosen."""

import numpy as np
import pytest

from tests.support.runs import scored
from training.documents import UnscoredTrial
from training.trials.loss_guard import LossGuard, loss_gap

ROWS = 400


def probabilities(labels, noise, seed=0):
    """Out-of-fold probabilities [rows, 2] whose log odds tell the class, with so much noise."""
    draw = np.random.default_rng(seed)
    odds = 2.0 * (labels - 0.5) + draw.normal(0, noise, len(labels))
    positive = 1 / (1 + np.exp(-odds))
    return np.column_stack([1 - positive, positive])


def test_the_error_is_that_of_rows_widened_for_the_folds_that_share_train_rows():
    labels = np.array([0, 1, 1, 0])
    one, other = np.full((4, 2), 0.5), np.array([[0.6, 0.4], [0.3, 0.7], [0.2, 0.8], [0.9, 0.1]])
    gap = loss_gap(one, other, labels, np.arange(4), 0.25)
    differences = np.log([0.6, 0.7, 0.8, 0.9]) - np.log(0.5)
    assert gap.value == pytest.approx(differences.mean())
    assert gap.error == pytest.approx(differences.std(ddof=1) / 2 * 1.5)


def test_rows_of_one_group_are_one_draw():
    labels = np.tile([0, 1], 50)
    one, other = probabilities(labels, 1.0), probabilities(labels, 2.0, seed=1)
    rows = loss_gap(one, other, labels, np.arange(100), 0.25)
    twice = np.repeat(np.arange(100), 2)
    doubled = loss_gap(one[twice], other[twice], labels[twice], twice, 0.25)
    assert doubled.value == pytest.approx(rows.value)
    assert doubled.error == pytest.approx(rows.error)


def test_equal_trials_are_told_worse_about_as_often_as_a_standard_error_lets_them():
    worse = 0
    for seed in range(200):
        labels = np.random.default_rng(seed).integers(0, 2, ROWS)
        gap = loss_gap(
            probabilities(labels, 1.0, seed + 1000),
            probabilities(labels, 1.0, seed + 5000),
            labels,
            np.arange(ROWS),
            0.25,
        )
        worse += gap.beyond_noise
    assert 0.02 < worse / 200 < 0.14  # 1.5 standard errors of independent rows: 6.7%


class Guarded:
    """The guard over trials whose out-of-fold noise is known."""

    def __init__(self, **noise):
        self.labels = np.random.default_rng(5).integers(0, 2, ROWS)
        self.noise = noise
        self.trials = [scored(name, fold_rows=[ROWS // 4] * 4) for name in noise]

    def guard(self):
        class Rows:
            labels, keys = self.labels, tuple(map(str, range(ROWS)))

        return LossGuard.against_plain(self.trials, self.scores, Rows, positive=1, repeats=1)

    def scores(self, trial):
        return probabilities(self.labels, self.noise[trial.id], seed=len(trial.id))


def test_a_noisier_trial_does_not_pass_and_a_better_one_does():
    guarded = Guarded(logistic_regression=1.0, noisier=4.0, better=0.2)
    guard = guarded.guard()
    plain, noisier, better = guarded.trials
    assert guard.passes(plain)
    assert not guard.passes(noisier)
    assert guard.passes(better)
    assert [(each.trial, each.passed) for each in guard.asked] == [("noisier", False), ("better", True)]
    assert guard.asked[0].loss_gap > guard.asked[0].error > 0


def test_a_trial_on_fewer_rows_is_compared_with_a_larger_error():
    guarded = Guarded(logistic_regression=1.0, noisier=4.0)
    guarded.trials.append(guarded.trials[1].model_copy(update={"rows": ROWS // 100}))
    guard = guarded.guard()
    for each in guarded.trials:
        guard.passes(each)
    whole, limited = guard.asked
    assert limited.loss_gap == whole.loss_gap
    assert limited.error == pytest.approx(whole.error * np.sqrt((2 + 100 / 3) / (2 + 1 / 3)))


def test_without_a_score_of_plain_logistic_regression_every_trial_passes():
    guarded = Guarded(noisier=4.0)
    spec = {"id": "logistic_regression", "family": "logistic_regression", "params": {}, "simplicity": 0, "round": 1}
    guarded.trials.append(UnscoredTrial(**spec, status="failed", metric="roc_auc", why="no column is left"))
    assert guarded.guard().passes(guarded.trials[0])
