"""Export: the ONNX model says what the fitted one says, byte for byte the same each time."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.support.tables import table
from training import export
from training.families.catalog import FAMILIES, fit
from training.families.spaces import SELECTIONS, SHARE

ROOT = Path(__file__).parents[3]
NAMES = sorted(FAMILIES)
TREES = {name: {"n_estimators": 12} for name in ("random_forest", "extra_trees", "gradient_boosting")}
SMALL = {**TREES, "logistic_regression": {}, "hist_gradient_boosting": {"max_iter": 12}, "mlp": {"max_iter": 40}}
SMALL["svm"] = {}


def fitted(name, encoded, labels, classes, selection="none", share=1.0):
    chosen = {"selection": selection, "share": share}
    return fit(name, encoded, labels, classes=classes, seed=7, params=SMALL[name], **chosen)


def predictor(body):
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    return lambda encoded: session.run(["probabilities"], encoded.feeds())[0]


@settings(max_examples=30, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(12, 80),
    columns=st.tuples(st.integers(0, 4), st.integers(0, 3)).filter(any),
    classes=st.integers(2, 4),
    missing=st.sampled_from([0.0, 0.1, 0.6]),
    selection=st.sampled_from(SELECTIONS),
    share=st.floats(SHARE.low, SHARE.high),
)
@pytest.mark.slow
def test_export_agrees_on_train_and_on_perturbed_rows(name, seed, rows, columns, classes, missing, selection, share):
    encoded, labels = table(
        seed, rows=rows, numbers=columns[0], categories=columns[1], classes=classes, missing=missing
    )
    assume(name != "svm" or np.bincount(labels).min() >= 2)
    model = fitted(name, encoded, labels, classes, selection, share)
    ranges = dict.fromkeys(range(columns[0]), (-1000000.0, 2000000000.0))
    proof = export.parity(model.predict, predictor(export.to_onnx(model)), encoded, ranges, seed=7)
    assert proof.holds, proof


@pytest.mark.parametrize("name", NAMES)
def test_a_column_without_any_value_in_train_still_exports_exactly(name):
    encoded, labels = table(1, numbers=3)
    encoded.numbers[:, 1] = np.nan
    encoded.numbers[:, 2] = -7.5
    encoded.categories[:, 1] = ""
    model = fitted(name, encoded, labels, 2)
    assert export.parity(model.predict, predictor(export.to_onnx(model)), encoded, {1: (0.0, 1e5)}, seed=7).holds


@pytest.mark.parametrize(("numbers", "categories"), [(3, 2), (3, 0), (0, 2)])
def test_the_model_takes_and_gives_what_serving_expects(numbers, categories):
    encoded, labels = table(1, numbers=numbers, categories=categories, classes=3)
    session = onnxruntime.InferenceSession(export.to_onnx(fitted("gradient_boosting", encoded, labels, 3)))
    expected = [("numbers", "tensor(float)", numbers), ("categories", "tensor(string)", categories)]
    found = [(tensor.name, tensor.type, tensor.shape[1]) for tensor in session.get_inputs()]
    assert found == [item for item in expected if item[2]]
    assert [(tensor.name, tensor.shape[1]) for tensor in session.get_outputs()] == [("probabilities", 3)]


def test_opsets_are_declared_once_as_asked_for():
    encoded, labels = table(1)
    for name in NAMES:
        model = onnx.load_model_from_string(export.to_onnx(fitted(name, encoded, labels, 2)))
        assert {opset.domain: opset.version for opset in model.opset_import} == {"": 18, "ai.onnx.ml": 3}
        assert len(model.opset_import) == 2


PRINT_DIGESTS = """
import hashlib
from tests.support.tables import table
from training import export
from training.families.catalog import FAMILIES, fit
for name in sorted(FAMILIES):
    encoded, labels = table(9, classes=3)
    few = {"n_estimators", "max_iter"} & set(FAMILIES[name].space.defaults)
    params = dict.fromkeys(few, 20)
    model = fit(name, encoded, labels, classes=3, seed=7, params=params, selection="model", share=0.5)
    print(hashlib.sha256(export.to_onnx(model)).hexdigest())
"""


@pytest.mark.slow
def test_the_same_data_and_seed_give_the_same_bytes_in_any_process():
    def digests(hash_seed):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT), "PATH": ""}
        return subprocess.run(
            [sys.executable, "-c", PRINT_DIGESTS], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    first, second = digests("1"), digests("2")
    assert first == second
    assert len(set(first)) == len(NAMES)


def test_a_model_that_answers_differently_does_not_hold():
    encoded, labels = table(1)
    model = fitted("logistic_regression", encoded, labels, 2)
    exact = predictor(export.to_onnx(model))
    assert export.parity(model.predict, exact, encoded, {}, seed=7).holds
    assert not export.parity(model.predict, lambda rows: exact(rows) + np.float32(2e-5), encoded, {}, seed=7).holds


def test_a_model_that_answers_nan_does_not_hold():
    encoded, labels = table(1)
    model = fitted("logistic_regression", encoded, labels, 2)
    proof = export.parity(
        model.predict, lambda rows: np.full((rows.rows, 2), np.nan, dtype=np.float32), encoded, {}, seed=7
    )
    assert not proof.holds
    assert proof.result().largest is None


def test_a_difference_that_shows_at_the_stated_range_ends_alone_is_found():
    encoded, labels = table(1, numbers=1, categories=0)
    model = fitted("logistic_regression", encoded, labels, 2)
    exact = predictor(export.to_onnx(model))

    def wrong_far_out(rows):
        return exact(rows) + np.float32(0.1) * (rows.numbers > 9e9)

    assert export.parity(model.predict, wrong_far_out, encoded, {}, seed=7).holds
    assert not export.parity(model.predict, wrong_far_out, encoded, {0: (-1e10, 1e10)}, seed=7).holds
