"""The metrics are scikit-learn's, weighted, and the bootstrap's resamples are what they claim to be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from andamio.release.threshold import labels_from
from andamio.stats.bootstrap import Interval, Scorer, compare, draw, interval_of, resamples
from andamio.stats.metrics import METRICS, predicted, score

KEYS = np.array([f"k{row}" for row in range(500)])


def predictions(seed: int, rows: int, classes: int, *, ties: bool) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, rows - classes)])
    raw = rng.random((rows, classes)) + 0.5 * np.eye(classes)[labels] + 0.01
    if ties:
        raw = np.ceil(raw * 3)
    return labels, raw / raw.sum(axis=1, keepdims=True)


def by_scikit_learn(
    metric: str, y: NDArray[np.int64], p: NDArray[np.float64], w: NDArray[np.float64], positive: int, threshold: float
) -> float:
    said = predicted(p, positive, threshold)
    if metric == "log_loss":
        return float(sk.log_loss(y, p, sample_weight=w, labels=list(range(p.shape[1]))))
    if metric == "brier":
        whole = float(sk.brier_score_loss(y, p, sample_weight=w, scale_by_half=False, labels=list(range(p.shape[1]))))
        return whole / 2 if positive >= 0 else whole
    if metric == "accuracy":
        return float(sk.accuracy_score(y, said, sample_weight=w))
    if metric == "f1":
        if positive >= 0:
            return float(sk.f1_score(y, said, pos_label=positive, sample_weight=w, zero_division=0))
        return float(sk.f1_score(y, said, average="macro", labels=range(p.shape[1]), sample_weight=w, zero_division=0))
    binary: Any = sk.roc_auc_score if metric == "roc_auc" else sk.average_precision_score
    if positive >= 0:
        return float(binary(y == positive, p[:, positive], sample_weight=w))
    return float(np.mean([binary(y == k, p[:, k], sample_weight=w) for k in range(p.shape[1])]))


@pytest.mark.parametrize("metric", METRICS)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(6, 60),
    classes=st.integers(2, 4),
    ties=st.booleans(),
    weighted=st.booleans(),
    threshold=st.sampled_from([0.3, 0.5]),
)
def test_metrics_are_those_of_scikit_learn(
    metric: str, seed: int, rows: int, classes: int, ties: bool, weighted: bool, threshold: float
) -> None:
    labels, probabilities = predictions(seed, rows, classes, ties=ties)
    weights = np.random.default_rng(seed).integers(1, 4, rows).astype(np.float64) if weighted else np.ones(rows)
    positive = seed % 2 if classes == 2 else -1
    ours = score(metric, labels, probabilities, positive=positive, threshold=threshold, weights=weights)
    assert ours == pytest.approx(by_scikit_learn(metric, labels, probabilities, weights, positive, threshold), abs=1e-9)


@pytest.mark.parametrize("metric", METRICS)
@given(seed=st.integers(0, 10**6), classes=st.integers(2, 3))
def test_a_weight_of_two_is_a_row_that_is_there_twice(metric: str, seed: int, classes: int) -> None:
    labels, probabilities = predictions(seed, 30, classes, ties=True)
    counts = np.random.default_rng(seed).integers(0, 3, 30)
    counts[:classes] = 1  # every class stays
    positive = 1 if classes == 2 else -1
    weighted = score(metric, labels, probabilities, positive=positive, weights=counts.astype(np.float64))
    repeated = score(metric, np.repeat(labels, counts), np.repeat(probabilities, counts, axis=0), positive=positive)
    assert weighted == pytest.approx(repeated, abs=1e-12)


def test_what_is_undefined_is_not_a_number_instead_of_a_guess() -> None:
    one_class, probabilities = np.zeros(3, dtype=np.int64), np.full((3, 2), 0.5)
    assert math.isnan(score("roc_auc", one_class, probabilities, positive=1))
    assert math.isnan(score("average_precision", one_class, probabilities, positive=1))
    assert math.isfinite(score("log_loss", np.array([0]), np.array([[0.0, 1.0]]), positive=1))


def test_a_label_is_the_positive_class_from_its_threshold_on() -> None:
    half = np.array([[0.5, 0.5], [0.51, 0.49]], dtype=np.float32)
    assert labels_from(half, 1, 0.5).tolist() == [1, 0]
    assert labels_from(half, 0, 0.5).tolist() == [0, 0]
    assert labels_from(half, 1, 0.49).tolist() == [1, 1]
    assert labels_from(np.array([[0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]), -1, 0.5).tolist() == [0, 2]


@given(st.integers(0, 10**6), st.integers(2, 3))
def test_a_resample_keeps_each_class_and_draws_groups_whole(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 12, 40)
    labels = (groups % classes).astype(np.int64)  # a group is of one class
    keys = np.array([f"g{group}" for group in groups])
    for weights in resamples(labels, keys, seed, 20):
        for group in np.unique(groups):
            assert len(set(weights[groups == group])) == 1
        for label in np.unique(labels):
            members = np.unique(groups[labels == label])
            drawn = [weights[groups == group][0] for group in members]
            assert sum(drawn) == len(members)


def test_resamples_are_the_same_for_the_same_seed_and_differ_otherwise() -> None:
    labels = np.array([0, 1] * 250)
    one, again, other = (np.array(list(resamples(labels, KEYS, seed, 50))) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert one.sum(axis=1).tolist() == [500] * 50


def interval(
    scorer: Scorer,
    labels: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    keys: NDArray[np.str_],
    seed: int,
    count: int,
) -> Interval:
    """One metric with the interval of its resamples."""
    score_of = scorer.on(labels, probabilities)
    drawn = draw([score_of], labels, keys, seed, count)[:, 0]
    return interval_of(float(score_of(np.ones(len(labels)))), drawn)


def test_an_interval_holds_its_figure_and_narrows_with_more_rows() -> None:
    widths = []
    for rows in (60, 500):
        labels, probabilities = predictions(3, rows, 2, ties=False)
        found = interval(Scorer("roc_auc", 1), labels, probabilities, KEYS[:rows], 7, 400)
        assert found.low <= found.value <= found.high
        assert found.value == score("roc_auc", labels, probabilities, positive=1)
        widths.append(found.high - found.low)
    assert widths[1] < widths[0]


def test_an_interval_holds_its_figure_where_every_resample_lies_beside_it() -> None:
    found = interval_of(0.147, np.linspace(0.15, 0.19, 200))
    assert (found.low, found.value) == (0.147, 0.147)
    assert found.high < 0.19
    assert np.isnan(interval_of(0.5, np.full(9, np.nan)).low)


def test_rows_of_one_group_are_no_independent_evidence() -> None:
    labels, probabilities = predictions(5, 100, 2, ties=False)
    five_times, keys = np.repeat(np.arange(100), 5), KEYS[:100]
    alone = interval(Scorer("accuracy", 1), labels, probabilities, keys, 7, 500)
    grouped = interval(Scorer("accuracy", 1), labels[five_times], probabilities[five_times], keys[five_times], 7, 500)
    as_rows = interval(Scorer("accuracy", 1), labels[five_times], probabilities[five_times], KEYS, 7, 500)
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))
    assert as_rows.high - as_rows.low < 0.7 * (alone.high - alone.low)


@pytest.mark.parametrize("metric", METRICS)
def test_two_models_are_compared_on_the_same_resamples(metric: str) -> None:
    labels, good = predictions(1, 200, 2, ties=False)
    _, bad = predictions(2, 200, 2, ties=False)
    scorer = Scorer(metric, 1)
    found = compare(labels, KEYS[:200], (scorer, good), (scorer, bad), sign=1, seed=3, count=100)
    assert found.score == interval(scorer, labels, good, KEYS[:200], 3, 100)
    assert found.baseline == interval(scorer, labels, bad, KEYS[:200], 3, 100)
    assert found.gain.value == found.score.value - found.baseline.value
    assert len(found.gains) == 100
