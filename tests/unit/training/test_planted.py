"""Bugs that serve something else than what was trained, planted: each is caught before anything is served."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import TrainingError
from andamio.records import encode
from andamio.records.encode import Encoded
from tests.support.datasets import HEART_FOLDER, heart_cells, publish
from tests.support.runs import planned
from training import calibrate, export
from training.documents import TrialSpec
from training.evaluate.evaluate import evaluate
from training.families.catalog import Fitted
from training.fit import fit
from training.run import Run
from training.trials import folds, trial

pytestmark = pytest.mark.slow

HEART = Contract.load(HEART_FOLDER)
CAP = np.float32(5.0)
"""Values beyond exp(5) - 1 = 147.4 are cut, in logarithms."""


@dataclasses.dataclass(frozen=True)
class InLogs(Fitted):
    """A pipeline whose numbers are cut in logarithms: log1p, the smaller one of it and the cap, expm1."""

    def predict(self, encoded):
        """Probabilities of the cut numbers."""
        return super().predict(cut(encoded))


def cut(encoded):
    with np.errstate(invalid="ignore"):  # below -1 there is no logarithm, in the graph neither
        return Encoded(np.expm1(np.minimum(np.log1p(encoded.numbers), CAP)), encoded.categories)


def exported(fitted, *, back):
    """The pipeline's graph behind log1p, the cap, and the way `back`: "expm1", or "exp" where the bug is."""
    model = onnx.load_model_from_string(export.to_onnx(fitted))
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == encode.NUMBERS:
                node.input[index] = "cut"
    steps = [
        helper.make_node("Add", [encode.NUMBERS, "one"], ["more"]),
        helper.make_node("Log", ["more"], ["logs"]),
        helper.make_node("Min", ["logs", "cap"], ["capped"]),
        helper.make_node("Exp", ["capped"], ["back"]),
        helper.make_node("Sub", ["back", "one" if back == "expm1" else "zero"], ["cut"]),
    ]
    for name, value in (("one", 1), ("zero", 0), ("cap", CAP)):
        model.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype=np.float32), name))
    for place, step in enumerate(steps):
        model.graph.node.insert(place, step)
    return model.SerializeToString()


@pytest.fixture
def world():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    return lake, models, planned(lake, models, HEART)


@pytest.fixture
def in_logs(monkeypatch):
    def fitted(contract, encoded, labels, spec, seed, own=None):
        plain = trial.fit_spec(contract, cut(encoded), labels, spec, seed, own)
        return InLogs(**{field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)})

    monkeypatch.setattr("training.fit.fit_spec", fitted)


def test_trained_with_log1p_and_served_with_exp_instead_of_expm1_is_never_served(world, in_logs):
    lake, models, run = world
    result = fit(lake, models, run, exporter=lambda fitted: exported(fitted, back="exp"))
    assert result.status == "no_parity"
    assert not any(attempt.holds for attempt in result.attempts)
    assert result.attempts[0].parity.largest > 100 * export.TOLERANCE
    with pytest.raises(TrainingError, match="no candidate"):
        evaluate(lake, models, run)


def test_the_same_pipeline_served_with_expm1_proves_itself(world, in_logs):
    lake, models, run = world
    result = fit(lake, models, run, exporter=lambda fitted: exported(fitted, back="expm1"))
    assert result.status == "fitted"
    assert result.attempts[0].parity.largest <= export.TOLERANCE


def test_a_calibration_with_its_sign_turned_round_is_never_served(world):
    lake, models, run = world

    def flipped(model, curve, positive):
        return calibrate.attach(model, dataclasses.replace(curve, a=-curve.a), positive)

    result = fit(lake, models, run, attach=flipped)
    assert result.status == "no_parity"
    assert result.attempts[0].calibration.kind == "platt"
    assert result.attempts[0].parity.largest > 0.5
    with pytest.raises(TrainingError, match="no candidate"):
        evaluate(lake, models, run)


def test_a_calibration_that_was_forgotten_in_the_graph_is_never_served(world):
    lake, models, run = world
    assert fit(lake, models, run, attach=lambda model, curve, positive: model).status == "no_parity"


def test_a_scaler_knows_the_rows_of_its_fold_and_no_others(world, monkeypatch):
    """Fitted on all of train, it would know the rows that a fold is scored on."""
    lake, models, run = world
    seen = []
    real = trial.fit_spec

    def watched(contract, encoded, labels, spec, seed, own=None):
        fitted = real(contract, encoded, labels, spec, seed, own)
        seen.append((encoded, fitted))
        return fitted

    monkeypatch.setattr(trial, "fit_spec", watched)
    sealed, train = trial.load_train(lake, Run(run, models), Run(run, models).plan().dataset)
    spec = TrialSpec(id="any", family="logistic_regression", params={}, simplicity=0, round=1)
    trial.cross_validate(sealed, train, spec, 7, folds.repeated(train.labels, train.keys, sealed.classes, 7, 2))
    assert len(seen) == 10
    means = []
    for encoded, fitted in seen:
        assert encoded.rows < len(train.labels)
        steps = fitted.pipeline.named_steps["columns"].named_transformers_["numbers"].named_steps
        numbers = np.where(np.isnan(encoded.numbers), steps["impute"].statistics_, encoded.numbers)
        assert steps["scale"].mean_ == pytest.approx(numbers.mean(axis=0), rel=1e-5)
        means.append(tuple(steps["scale"].mean_))
    assert len(set(means)) == 10
