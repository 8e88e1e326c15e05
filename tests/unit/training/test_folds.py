"""Folds: rows of one key are never on both sides, and too little data is said, not guessed around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from andamio.dataset.digests import DigestTexts
from andamio.errors import TrainingError
from training.trials.folds import Fold, assign, parts, repeated
from training.trials.sample import places


def test_keys_as_numbers_make_the_folds_and_samples_that_their_texts_make():
    rng = np.random.default_rng(3)
    numbers = rng.integers(0, 2**64, size=90, dtype=np.uint64)[rng.integers(0, 90, size=400)]
    numbers[:20] >>= np.uint64(40)
    labels, texts = rng.integers(0, 3, size=400), list(DigestTexts(numbers))
    assigned = repeated(labels, texts, ["a", "b", "c"], 7, 2)
    assert (repeated(labels, numbers, ["a", "b", "c"], 7, 2) == assigned).all()
    by_text, by_number = (places(labels, keys, assigned, np.random.default_rng(1)) for keys in (texts, numbers))
    assert (by_text == by_number).all()


def folds(labels, keys, classes, seed) -> list[Fold]:
    """The folds of one repeat."""
    return parts(repeated(labels, keys, classes, seed, 1)[0])


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


def test_each_repeat_draws_folds_of_its_own():
    labels = np.arange(60) % 2
    first, second = repeated(labels, [str(row) for row in range(60)], ["no", "yes"], 7, 2)
    assert (first != second).any()


def _unevenness(labels, assigned, classes) -> float:
    """The deviation of a class's share among the folds, the mean over classes."""
    rows = np.array([np.bincount(labels[assigned == fold], minlength=classes) for fold in range(5)])
    return float(np.std(rows / rows.sum(axis=0), axis=0).mean())


@pytest.mark.filterwarnings("ignore:The least populated class")
@pytest.mark.parametrize(
    ("rows", "classes", "keys"), [(600, 2, 600), (2000, 3, 400), (2000, 10, 250), (2000, 2, 1000), (900, 2, 40)]
)
def test_the_classes_are_as_even_as_scikit_learn_has_them(rows, classes, keys):
    ours, theirs = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        labels = rng.choice(classes, rows, p=np.r_[0.1, np.full(classes - 1, 0.9 / (classes - 1))])
        groups = np.unique(rng.permutation(rows) if keys == rows else rng.integers(0, keys, rows), return_inverse=True)[
            1
        ]
        ours.append(_unevenness(labels, assign(labels, groups, 5, classes, rng), classes))
        reference = np.empty(rows, dtype=int)
        splitter = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
        for fold, (_, scored) in enumerate(splitter.split(np.zeros(rows), labels, groups)):
            reference[scored] = fold
        theirs.append(_unevenness(labels, reference, classes))
    assert np.mean(ours) <= 1.1 * np.mean(theirs) + 1e-4
