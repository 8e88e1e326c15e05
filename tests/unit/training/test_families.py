"""Families: each fits whatever a contract can encode, and gives every class its column."""

import warnings

import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import ThreadpoolController

from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from tests.support.tables import table
from training import export
from training.families import catalog, preprocessing
from training.families.catalog import FAMILIES, fit

NAMES = sorted(FAMILIES)
TREES = {name: {"n_estimators": 10} for name in ("random_forest", "extra_trees", "gradient_boosting")}
SMALL = {**TREES, "logistic_regression": {}, "hist_gradient_boosting": {"max_iter": 10}, "mlp": {"max_iter": 40}}
SMALL["svm"] = {}


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


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("texts", ["some", "none"])
def test_what_fills_a_column_without_information_later_changes_no_answer_by_a_bit(name, texts):
    encoded, labels = table(4, numbers=5)
    encoded.numbers[:, 1] = np.nan  # empty
    encoded.numbers[:, 2] = 3.25  # constant
    encoded.numbers[:, 3] = np.where(np.arange(len(labels)) == 7, 9, np.nan)  # one value, in one row
    encoded.categories[:, 0] = ""
    if texts == "none":
        encoded.categories[:] = "x"
    fitted = fit(name, encoded, labels, classes=2, seed=7, params=SMALL[name])
    assert fitted.used.numbers == (0, 4)
    assert 0 not in fitted.used.categories
    session = onnxruntime.InferenceSession(export.to_onnx(fitted), providers=["CPUExecutionProvider"])
    later = Encoded(encoded.numbers.copy(), encoded.categories.copy())
    later.numbers[:, 1:4] = np.random.default_rng(1).normal(scale=1e4, size=(len(labels), 3))
    later.categories[:, 0] = "new"
    for predict in (fitted.predict, lambda rows: session.run(["probabilities"], rows.feeds())[0]):
        assert (predict(later) == predict(encoded)).all()
    assert np.abs(session.run(["probabilities"], later.feeds())[0] - fitted.predict(later)).max() < 1e-5


def test_rows_whose_columns_are_all_constant_are_refused_with_the_reason():
    encoded, labels = table(4)
    encoded.numbers[:] = 1
    encoded.categories[:] = "x"
    with pytest.raises(ValueError, match="every feature is empty or constant in the 60 rows"):
        fit("mlp", encoded, labels, classes=2, seed=7)
    assert catalog.fit("majority_class", encoded, labels, classes=2, seed=7).predict(encoded).shape == (60, 2)


def test_an_unknown_category_and_a_missing_value_are_scored():
    encoded, labels = table(5)
    fitted = fit("logistic_regression", encoded, labels, classes=2, seed=7)
    strange = Encoded(np.full((1, 3), np.nan, dtype=np.float32), np.array([["never seen", "nor this"]], dtype=object))
    assert np.isfinite(fitted.predict(strange)).all()


def test_a_value_right_at_a_split_of_histogram_boosting_goes_the_same_way_in_the_export():
    encoded, labels = table(6, rows=200, numbers=2, categories=0, missing=0.0)
    fitted = fit("hist_gradient_boosting", encoded, labels, classes=2, seed=7, params=SMALL["hist_gradient_boosting"])
    nodes = [tree.nodes for stage in fitted.pipeline.named_steps["model"]._predictors for tree in stage]
    splits = np.concatenate([each[each["is_leaf"] == 0] for each in nodes])
    for toward in (-np.inf, 0.0, np.inf):
        at = splits["num_threshold"].astype(np.float32)
        assert (at.astype(np.float64) == splits["num_threshold"]).all(), "no split is between two float32 values"
        near = np.nextafter(at, np.float32(toward)) if toward else at
        rows = np.zeros((len(at), 2), dtype=np.float32)
        rows[np.arange(len(at)), splits["feature_idx"]] = near
        probed = Encoded(rows, np.empty((len(at), 0), dtype=object))
        session = onnxruntime.InferenceSession(export.to_onnx(fitted), providers=["CPUExecutionProvider"])
        exported = session.run(["probabilities"], probed.feeds())[0]
        assert np.abs(exported - fitted.predict(probed)).max() < export.TOLERANCE


def test_rounding_splits_down_changes_no_answer_for_any_value_that_a_contract_encodes():
    thresholds = np.concatenate([np.random.default_rng(1).normal(size=500) * scale for scale in (1e-30, 1.0, 1e9)])
    below = catalog._float32_below(thresholds)
    assert (below <= thresholds).all()
    above = np.nextafter(below.astype(np.float32), np.float32(np.inf))
    assert (above.astype(np.float64) > thresholds).all()


@pytest.mark.parametrize("texts", [0, 2])
def test_the_model_is_fitted_on_what_the_rounded_preprocessing_makes_of_the_rows(texts, monkeypatch):
    seen = {}
    fit_model = LogisticRegression.fit

    def spied(self, values, *args, **kwargs):
        seen["values"] = values.copy()
        return fit_model(self, values, *args, **kwargs)

    monkeypatch.setattr(LogisticRegression, "fit", spied)
    encoded, labels = table(5, rows=300, categories=texts)
    fitted = fit("logistic_regression", encoded, labels, classes=2, seed=7)
    scale = fitted.pipeline.named_steps["columns"].named_transformers_["numbers"].named_steps["scale"]
    assert (scale.mean_ == scale.mean_.astype(np.float32)).all()
    assert (seen["values"] == fitted.pipeline.named_steps["columns"].transform(preprocessing.frame(encoded))).all()


def test_the_matrix_is_what_scikit_learn_makes_of_the_frame_whatever_the_rows_hold():
    encoded, labels = table(5, rows=300, categories=2)
    columns = fit("logistic_regression", encoded, labels, classes=2, seed=7).pipeline.named_steps["columns"]
    numbers, texts = encoded.numbers.copy(), encoded.categories.copy()
    numbers[::3, 0], texts[::4, 0], texts[::5, 1] = np.nan, "", "never seen"
    new = Encoded(numbers, texts)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        expected = columns.transform(preprocessing.frame(new))
    assert (preprocessing.transform(columns, new) == expected).all()


def test_prediction_runs_on_one_thread_as_the_fit_does(monkeypatch):
    encoded, labels = table(5)
    fitted = fit("hist_gradient_boosting", encoded, labels, classes=2, seed=7, params={"max_iter": 5})
    used = []
    predict = HistGradientBoostingClassifier.predict_proba

    def spied(self, values):
        used.extend(pool["num_threads"] for pool in ThreadpoolController().info())
        return predict(self, values)

    monkeypatch.setattr(HistGradientBoostingClassifier, "predict_proba", spied)
    fitted.predict(encoded)
    assert used
    assert set(used) == {1}


@pytest.mark.parametrize("rows", [6, 7, 200])
def test_what_is_learned_of_numbers_is_what_scikit_learn_learns_rounded(rows):
    encoded, _ = table(11, rows=rows, numbers=3, categories=0, missing=0.3)
    encoded.numbers[:2, 0] = 1.0, 2.0  # two known values at least, and none in the last column
    encoded.numbers[:, 2] = np.nan
    columns = preprocessing.fit(encoded, (0, 1, 2), (), scaled=True)
    own = columns.named_transformers_["numbers"]
    theirs = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    theirs.fit(encoded.numbers.astype(np.float64))
    impute, scale = theirs.named_steps["simpleimputer"], theirs.named_steps["standardscaler"]
    assert (own.named_steps["impute"].statistics_ == preprocessing.float32(impute.statistics_)).all()
    assert (own.named_steps["scale"].mean_ == preprocessing.float32(scale.mean_)).all()
    assert (own.named_steps["scale"].scale_ == preprocessing.float32(scale.scale_)).all()
    assert np.isfinite(preprocessing.transform(columns, encoded)).all()
