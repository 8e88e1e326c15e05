"""Folds: rows of one key are never on both sides, and too little data is said, not guessed around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.errors import TrainingError
from training.trials.folds import folds


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 4))
def test_every_row_is_scored_once_and_a_key_is_never_on_both_sides(seed, classes, rows_per_key):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(40) % classes, rows_per_key)
    keys = [f"{row // rows_per_key:x}" for row in range(len(labels))]
    order = rng.permutation(len(labels))
    labels, keys = labels[order], [keys[row] for row in order]
    scored = np.zeros(len(labels), dtype=int)
    for fit, score in folds(labels, keys, [str(index) for index in range(classes)], seed=7):
        scored[score] += 1
        assert not {keys[row] for row in fit} & {keys[row] for row in score}
    assert (scored == 1).all()


def test_there_are_five_folds_with_the_classes_shares_in_each():
    labels = np.array([0, 0, 0, 1] * 50)
    parts = folds(labels, [str(row) for row in range(200)], ["no", "yes"], seed=7)
    assert len(parts) == 5
    assert all(labels[score].mean() == 0.25 for _, score in parts)


def test_a_rare_class_makes_fewer_folds():
    labels = np.array([0] * 30 + [1] * 3)
    assert len(folds(labels, [str(row) for row in range(33)], ["no", "yes"], seed=7)) == 3


@pytest.mark.parametrize("rare", [0, 1])
def test_a_class_without_two_keys_is_named(rare):
    labels = np.array([0] * 30 + [1] * rare)
    with pytest.raises(TrainingError, match=f"'yes' has {rare}"):
        folds(labels, [str(row) for row in range(len(labels))], ["no", "yes"], seed=7)


def test_rows_of_one_key_count_as_one():
    labels = np.array([0] * 30 + [1] * 10)
    keys = [str(row) for row in range(30)] + ["the same patient"] * 10
    with pytest.raises(TrainingError, match="'yes' has 1"):
        folds(labels, keys, ["no", "yes"], seed=7)


def test_the_same_seed_gives_the_same_folds():
    labels, keys = np.arange(60) % 2, [str(row) for row in range(60)]
    first, second = (folds(labels, keys, ["no", "yes"], seed=7) for _ in range(2))
    assert all((a[1] == b[1]).all() for a, b in zip(first, second, strict=True))
