"""Families: each fits whatever a contract can encode, and gives every class its column."""

import numpy as np
import pytest

from andamio.encode import Encoded
from andamio.errors import TrainingError
from tests.support.tables import table
from training.families import FAMILIES, fit

NAMES = sorted(FAMILIES)
TREES = {name: {"n_estimators": 10} for name in ("random_forest", "extra_trees", "gradient_boosting")}
SMALL = {**TREES, "logistic_regression": {}, "hist_gradient_boosting": {"max_iter": 10}, "mlp": {"max_iter": 40}}


@pytest.mark.parametrize("name", NAMES)
def test_a_class_that_a_fold_lacks_gets_probability_zero(name):
    encoded, labels = table(1, classes=3)
    fitted = fit(name, encoded, np.where(labels == 1, 0, labels), classes=3, seed=7, params=SMALL[name])
    probabilities = fitted.predict(encoded)
    assert probabilities.shape == (60, 3)
    assert (probabilities[:, 1] == 0).all()
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert not fitted.complete


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_one_class_are_refused_with_the_reason(name):
    encoded, labels = table(1)
    with pytest.raises(TrainingError, match="at least two"):
        fit(name, encoded, np.zeros_like(labels), classes=2, seed=7)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_rows_and_seed_give_the_same_probabilities(name):
    encoded, labels = table(2)
    first, second = (fit(name, encoded, labels, classes=2, seed=7, params=SMALL[name]) for _ in range(2))
    assert (first.predict(encoded) == second.predict(encoded)).all()


@pytest.mark.parametrize("name", NAMES)
def test_balanced_classes_raise_the_rare_one(name):
    encoded, labels = table(3, rows=200)
    rare = np.where((labels == 1) & (np.arange(200) % 4 != 1), 0, labels)
    plain, balanced = (
        fit(name, encoded, rare, classes=2, seed=7, class_weight=weight, params=SMALL[name]).predict(encoded)[:, 1]
        for weight in ("none", "balanced")
    )
    assert balanced.mean() > plain.mean()


@pytest.mark.parametrize("name", NAMES)
def test_columns_that_say_nothing_do_no_harm(name):
    encoded, labels = table(4, numbers=4)
    encoded.numbers[:, 1] = np.nan
    encoded.numbers[:, 2] = 3.25
    encoded.categories[:, 0] = ""
    assert np.isfinite(fit(name, encoded, labels, classes=2, seed=7, params=SMALL[name]).predict(encoded)).all()


def test_an_unknown_category_and_a_missing_value_are_scored():
    encoded, labels = table(5)
    fitted = fit("logistic_regression", encoded, labels, classes=2, seed=7)
    strange = Encoded(np.full((1, 3), np.nan, dtype=np.float32), np.array([["never seen", "nor this"]], dtype=object))
    assert np.isfinite(fitted.predict(strange)).all()
