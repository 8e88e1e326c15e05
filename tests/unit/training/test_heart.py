"""The heart problem, as it is shipped: how good the models are that it trains."""

import json

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.storage import layout
from tests.support.datasets import HEART_FOLDER
from tests.support.etl import Lake
from tests.support.runs import fitted

pytestmark = pytest.mark.slow


def test_the_chosen_model_is_as_good_as_promised_in_cross_validation():
    heart = Contract.load(HEART_FOLDER)
    lake, models = Lake(heart), MemoryObjects("models")
    lake.drop_bytes("heart.csv", (HEART_FOLDER / "heart.csv").read_bytes())
    assert lake.run()["status"] == "published"
    run, result = fitted(lake, models, heart, families=("logistic_regression", "gradient_boosting"))
    chosen = json.loads(models.get(layout.run(run, f"trials/{result.trial}.json")).body)
    assert result.status == "fitted"
    assert chosen["metric"] == "roc_auc"
    assert chosen["mean"] >= 0.88
    assert result.cross_validation["roc_auc"] >= 0.88
