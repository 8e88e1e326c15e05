"""The heart problem, as it is shipped: how good the models are that it trains."""

import json

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.storage import layout
from tests.support.datasets import HEART_FOLDER
from tests.support.etl import Lake
from tests.support.runs import a_trial, fitted, planned
from training.documents import ScoredTrial, TrialSpec
from training.npy import from_npy
from training.run import FOLDS_FILE, Run
from training.trials import sample
from training.trials.loss_guard import LossGuard
from training.trials.trial import cross_validate, load_train

pytestmark = pytest.mark.slow

HEART = Contract.load(HEART_FOLDER)


@pytest.fixture(scope="module")
def lake():
    lake = Lake(HEART)
    lake.drop_bytes("heart.csv", (HEART_FOLDER / "heart.csv").read_bytes())
    assert lake.run()["status"] == "published"
    return lake


def test_the_chosen_model_is_as_good_as_promised_in_cross_validation(lake):
    models = MemoryObjects("models")
    run, result = fitted(lake, models, HEART, families=("logistic_regression", "gradient_boosting"))
    chosen = json.loads(models.get(layout.run(run, f"trials/{result.trial}.json")).body)
    assert result.status == "fitted"
    assert chosen["metric"] == "roc_auc"
    assert chosen["mean"] >= 0.88
    assert result.cross_validation["roc_auc"] >= 0.88


def test_a_regression_that_is_pruned_to_a_fifth_of_the_columns_does_not_pass_the_guard(lake):
    models = MemoryObjects("models")
    run = Run(planned(lake, models, HEART), models)
    sealed, train = load_train(lake, run, run.plan().dataset)
    assigned = from_npy(run.read(FOLDS_FILE, run.plan().folds, "plan"))
    scored, scores = {}, {}
    for trial, share in {"logistic_regression": 1.0, "half": 0.5, "fifth": 0.2}.items():
        spec = {**a_trial(trial), "selection": "none" if share == 1 else "univariate", "share": share}
        validation = cross_validate(sealed, train, TrialSpec(**spec), run.plan().seed, assigned)
        scores[trial] = validation.out_of_fold
        scored[trial] = ScoredTrial(**spec, **validation.figures(), metric="roc_auc", scores="", seconds=1.0)
    guard = LossGuard.against_plain(
        list(scored.values()), lambda trial: scores[trial.id], train, sealed.positive_index, sample.REPEATS
    )
    passed = {name: guard.passes(trial) for name, trial in scored.items()}
    assert passed == {"logistic_regression": True, "half": True, "fifth": False}
