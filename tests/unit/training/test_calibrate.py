"""Probabilities mean something, their order never turns round, and the served graph holds the very same curve."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from andamio.stats.metrics import score
from tests.support.tables import table
from training import calibrate, export
from training.calibrate import Calibration
from training.documents import CalibrationResult
from training.families.catalog import FAMILIES, fit


def overconfident(rng, rows, stretch, shift=0.0):
    """Scores whose log odds are `stretch` times too far out."""
    odds = rng.normal(size=rows) * 1.5
    labels = (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.int64)
    positive = 1 / (1 + np.exp(-(odds * stretch + shift)))
    return labels, np.column_stack([1 - positive, positive])


def predictor(body):
    session = onnxruntime.InferenceSession(body, providers=["CPUExecutionProvider"])
    return lambda encoded: session.run(["probabilities"], encoded.feeds())[0]


@pytest.mark.parametrize("positive", [0, 1])
def test_probabilities_that_were_too_sure_become_what_happens(positive):
    labels, raw = overconfident(np.random.default_rng(3), 4000, stretch=3, shift=1)
    found = calibrate.fit(raw, labels, positive)
    sign = 1 if positive == 1 else -1
    assert found.kind == "platt"
    assert found.a == pytest.approx(1 / 3, abs=0.04)
    assert found.b == pytest.approx(-sign / 3, abs=0.1)
    fresh, scores = overconfident(np.random.default_rng(4), 4000, stretch=3, shift=1)
    calibrated = found.apply(scores, positive)
    for metric in ("log_loss", "brier"):
        assert score(metric, fresh, calibrated, positive=positive) < score(metric, fresh, scores, positive=positive)
    sure = calibrated[:, positive] > 0.8
    assert np.mean(fresh[sure] == positive) == pytest.approx(calibrated[sure, positive].mean(), abs=0.05)


def test_it_is_the_logistic_regression_of_smoothed_targets():
    labels, raw = overconfident(np.random.default_rng(5), 120, stretch=2)
    found = calibrate.fit(raw, labels, 1)
    ups, downs = labels.sum(), (1 - labels).sum()
    x = np.tile(calibrate.logit(raw[:, 1])[:, None], (2, 1))
    target = np.where(labels == 1, (ups + 1) / (ups + 2), 1 / (downs + 2))
    plain = LogisticRegression(C=np.inf, tol=1e-10)
    plain.fit(x, np.repeat([1, 0], 120), sample_weight=np.concatenate([target, 1 - target]))
    assert (found.a, found.b) == pytest.approx((plain.coef_[0, 0], plain.intercept_[0]), abs=1e-4)


def test_a_temperature_cools_what_was_too_sure():
    rng = np.random.default_rng(6)
    odds = rng.normal(size=(3000, 3)) * 1.5
    chances = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in chances])
    raw = np.exp(odds * 2.5) / np.exp(odds * 2.5).sum(axis=1, keepdims=True)
    found = calibrate.fit(raw, labels, -1)
    assert (found.kind, found.t) == ("temperature", pytest.approx(2.5, rel=0.08))
    assert score("log_loss", labels, found.apply(raw, -1)) < score("log_loss", labels, raw)
    assert np.array_equal(found.apply(raw, -1).argmax(axis=1), raw.argmax(axis=1))


@pytest.mark.parametrize("positive", [1, -1])
def test_scores_that_point_the_wrong_way_are_left_as_they_are(positive):
    labels, raw = overconfident(np.random.default_rng(7), 500, stretch=1)
    found = calibrate.fit(raw[:, ::-1], labels, positive)
    assert found.kind == "none"
    assert "likelier" in found.result().why
    assert np.array_equal(found.apply(raw, positive), raw)


def test_a_handful_of_rows_fits_no_curve_and_says_so():
    raw = np.tile([0.4, 0.6], (30, 1))
    found = calibrate.fit(raw, np.array([0] * 27 + [1] * 3), 1)
    assert found.result() == CalibrationResult(kind="none", why="a class has 3 rows in train, and 5 of each are needed")


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    stretch=st.floats(0.05, 20),
    shift=st.floats(-5, 5),
    rows=st.integers(20, 400),
    saturated=st.booleans(),
)
def test_the_order_of_scores_never_turns_round(seed, stretch, shift, rows, saturated):
    rng = np.random.default_rng(seed)
    labels, raw = overconfident(rng, rows, stretch, shift)
    if saturated:
        raw = np.round(raw)
    found = calibrate.fit(raw, labels, 1)
    calibrated = found.apply(raw, 1)[np.argsort(raw[:, 1], kind="stable"), 1]
    assert np.all(np.diff(calibrated) >= -1e-12)
    assert np.all((calibrated >= 0) & (calibrated <= 1))


SMALL = {"random_forest": {"n_estimators": 12}, "gradient_boosting": {"n_estimators": 12}}


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(["gradient_boosting", "logistic_regression", "random_forest"]),
    seed=st.integers(0, 2**32 - 1),
    classes=st.integers(2, 4),
    stretch=st.floats(0.1, 6),
    positive=st.integers(0, 1),
)
@pytest.mark.slow
def test_parity_holds_behind_the_curve_whatever_it_is(name, seed, classes, stretch, positive):
    """Saturated rows too: range ends and categories never seen push a linear model to 0 and 1."""
    encoded, labels = table(seed, rows=60, classes=classes, missing=0.1)
    model = fit(name, encoded, labels, classes=classes, seed=7, params=SMALL.get(name))
    positive = positive if classes == 2 else -1
    raw = model.predict(encoded) ** stretch
    curve = calibrate.fit(raw / raw.sum(axis=1, keepdims=True), labels, positive)
    body = calibrate.attach(export.to_onnx(model), curve, positive)
    ranges = dict.fromkeys(range(encoded.numbers.shape[1]), (-1000000.0, 2000000000.0))
    proof = export.parity(lambda rows: curve.apply(model.predict(rows), positive), predictor(body), encoded, ranges, 7)
    assert proof.holds, (proof, curve)


@pytest.mark.parametrize("positive", [0, 1, -1])
def test_attaching_gives_the_same_bytes_each_time_and_one_output(positive):
    encoded, labels = table(2, classes=2 if positive >= 0 else 3)
    body = export.to_onnx(fit("gradient_boosting", encoded, labels, classes=2 if positive >= 0 else 3, seed=7))
    curve = Calibration("platt", a=0.7, b=-0.2) if positive >= 0 else Calibration("temperature", t=1.4)
    one = calibrate.attach(body, curve, positive)
    assert one == calibrate.attach(body, curve, positive) != body
    graph = onnx.load_model_from_string(one).graph
    assert [output.name for output in graph.output] == ["probabilities"]
    assert calibrate.attach(body, Calibration("none", why="none"), positive) == body


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_every_family_is_one_that_a_curve_can_follow(name):
    encoded, labels = table(1, missing=0.1)
    model = fit(name, encoded, labels, classes=2, seed=7)
    curve = Calibration("platt", a=0.4, b=0.3, clip=calibrate._clip(0.4, 0.3))
    body = calibrate.attach(export.to_onnx(model), curve, 1)
    assert export.parity(lambda rows: curve.apply(model.predict(rows), 1), predictor(body), encoded, {}, 7).holds
