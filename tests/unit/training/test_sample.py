"""Samples of train: nested, stratified, and a split key is never torn."""

from itertools import pairwise

import numpy as np
import pytest
from pydantic import TypeAdapter

from training.rungs import ReadRung, Rung, RungOfRows, place_of
from training.trials import folds, sample


def drawn(rows=4_000, keys=None, share=0.2, seed=7):
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < share).astype(np.int64)
    keys = keys or [str(row) for row in range(rows)]
    assigned = folds.repeated(labels, keys, ["no", "yes"], seed, 1)
    return labels, assigned, sample.places(labels, keys, assigned, np.random.default_rng(seed))


def test_a_sample_holds_every_smaller_one():
    _, _, places = drawn()
    samples = [sample.of(places, rows) for rows in (100, 400, 1_600, 4_000, 9_000)]
    assert all((small <= large).all() for small, large in pairwise(samples))
    assert [int(each.sum()) for each in samples] == pytest.approx([100, 400, 1_600, 4_000, 4_000], abs=10)


def test_a_sample_has_its_share_of_each_class_in_each_fold():
    labels, assigned, places = drawn()
    few = sample.of(places, 400)
    for fold in range(5):
        for label in (0, 1):
            there = (assigned[0] == fold) & (labels == label)
            assert few[there].sum() == pytest.approx(there.sum() / 10, abs=1.5)


def test_rows_of_one_key_are_in_a_sample_together_or_not_at_all():
    keys = [str(row // 4) for row in range(4_000)]
    _, _, places = drawn(keys=keys)
    few = sample.of(places, 500).reshape(-1, 4)
    assert (few.all(axis=1) | ~few.any(axis=1)).all()


def given(rungs):
    return [(pytest.approx(rung.rows, abs=10), rung.folds) for rung in rungs]


def test_trials_race_over_folds_from_15_000_rows_on_and_over_rows_from_75_000():
    labels, _, places = drawn(75_000)
    assert given(sample.rungs(labels, places, 5)) == [(9_375, 3), (37_500, 3)]
    assert given(sample.rungs(labels[:-1], places[:-1], 5)) == [(37_500, 2), (75_000, 3)]
    assert given(sample.rungs(labels[:15_000], places[:15_000], 5)) == [(pytest.approx(7_500, abs=200), 2), (15_000, 3)]
    assert sample.rungs(labels[:14_999], places[:14_999], 5) == []


def test_a_rung_needs_enough_of_each_class_and_fewer_folds_than_there_are():
    labels, _, places = drawn(75_000, share=0.002)
    assert given(sample.rungs(labels, places, 5)) == [(37_500, 3)], "nineteen rows of a class are too few"
    labels, _, places = drawn(20_000)
    assert given(sample.rungs(labels, places, 3)) == [(10_000, 2)]
    assert sample.rungs(labels, places, 2) == []


def test_a_plan_of_an_earlier_version_says_the_rows_of_its_rungs_alone():
    rungs = TypeAdapter(list[ReadRung]).validate_json('[9375, {"rows": 75000, "folds": 2}]', strict=True)
    assert rungs == [RungOfRows(rows=9_375, folds=3), Rung(rows=75_000, folds=2)]
    assert [place_of(each, rungs) for each in ("mlp.9375", "mlp-0001.75000.2", "mlp")] == [0, 1, 2]
