"""Global importance: what the model does not use is worth nothing, what it needs is, in every metric."""

import hashlib

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.records.encode import Encoded, encode
from andamio.records.parse import parse
from andamio.storage import documents, layout
from tests.support.datasets import HEART_FOLDER, heart_cells, publish
from tests.support.runs import evaluated
from training.evaluate import importance as importances
from training.evaluate.documents import FeatureImportance, Importance
from training.evaluate.importance import importance
from training.rows import TrainingRows

TEXT = """
[problem]
name = "test"
target = "y"
labels = { no = "No", yes = "Yes" }
[training]
metric = "METRIC"
[features.used]
type = "number"
[features.unused]
type = "number"
[features.day]
type = "date"
[features.kind]
type = "category"
values = ["a", "b"]
"""


class Fixed:
    """A model that looks at `used`, at the month of `day`, and at nothing else."""

    def predict(self, encoded):
        score = encoded.numbers[:, 0] * 2 + (encoded.numbers[:, 3] - 6.5) / 2
        positive = 1 / (1 + np.exp(-score))
        return np.stack([1 - positive, positive], axis=1).astype(np.float32)


def made(rows=200, metric="roc_auc", keys=None):
    contract = Contract.from_toml(TEXT.replace("METRIC", metric))
    rng = np.random.default_rng(3)
    days = np.datetime64("2020-01-01") + rng.integers(0, 900, rows)
    cells = {
        "used": rng.normal(size=rows).tolist(),
        "unused": rng.normal(size=rows).tolist(),
        "day": days.astype(str).tolist(),
        "kind": rng.choice(["a", "b"], rows).tolist(),
    }
    encoded = encode(contract, parse(contract, cells, rows, text=False))
    labels = (Fixed().predict(encoded)[:, 1] > rng.uniform(size=rows)).astype(np.int64)
    return contract, TrainingRows(encoded, labels, keys or tuple(map(str, range(rows))), {})


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss", "accuracy", "f1", "average_precision"])
def test_what_the_model_needs_is_positive_whichever_way_the_metric_goes(metric):
    contract, holdout = made(metric=metric)
    found = importance(contract, Fixed(), holdout, 0.5, 7)
    assert found.metric == metric
    by_name = {item.feature: item for item in found.features}
    assert by_name["used"].low > 0
    assert by_name["day"].low > 0, "a date's three columns are shuffled together"
    for name in ("unused", "kind"):
        assert by_name[name] == FeatureImportance(feature=name, value=0.0, low=0.0, high=0.0)


def test_a_feature_that_changes_no_prediction_is_not_shuffled_again():
    contract, holdout = made()
    asked = []

    class Counted(Fixed):
        def predict(self, encoded):
            asked.append(encoded)
            return super().predict(encoded)

    importance(contract, Counted(), holdout, 0.5, 7)
    assert len(asked) == 1 + 2 * importances.REPEATS + 2 * importances.UNCHANGED


def test_the_most_important_comes_first_and_lies_in_its_interval():
    contract, holdout = made()
    features = importance(contract, Fixed(), holdout, 0.5, 7).features
    values = [item.value for item in features]
    assert values == sorted(values, reverse=True)
    assert all(item.low <= item.value <= item.high for item in features)
    assert features[0].feature == "used"


def test_the_same_seed_says_the_same_and_the_holdout_is_left_as_it_was():
    contract, holdout = made()
    before = holdout.encoded.numbers.copy()
    assert importance(contract, Fixed(), holdout, 0.5, 7) == importance(contract, Fixed(), holdout, 0.5, 7)
    assert np.array_equal(holdout.encoded.numbers, before)


def test_rows_of_one_patient_are_drawn_together_so_the_interval_is_wider():
    contract, holdout = made(40)
    often = np.repeat(np.arange(40), 10)  # 40 patients, 10 visits each, all alike

    def width(keys):
        rows = TrainingRows(holdout.encoded.take(often), holdout.labels[often], tuple(map(str, keys)), {})
        (used,) = [i for i in importance(contract, Fixed(), rows, 0.5, 7).features if i.feature == "used"]
        return used.high - used.low

    assert width(often) > 1.5 * width(range(400))


def test_of_a_large_holdout_a_part_is_drawn(monkeypatch):
    monkeypatch.setattr(importances, "MOST_ROWS", 100)
    contract, holdout = made()
    assert importance(contract, Fixed(), holdout, 0.5, 7).rows == 100


def test_a_metric_that_is_undefined_is_null():
    contract, holdout = made()
    one_class = TrainingRows(holdout.encoded, np.zeros(200, dtype=np.int64), holdout.keys, {})
    found = importance(contract, Fixed(), one_class, 0.5, 7)
    assert found.score is None
    assert {item.value for item in found.features} == {None}


def test_three_classes_are_ranked_too():
    contract, holdout = made()
    three = Contract.from_toml(TEXT.replace("METRIC", "log_loss").replace('yes = "Yes"', 'yes = "Yes", so = "So"'))

    class Three:
        def predict(self, encoded: Encoded):
            two = Fixed().predict(encoded)
            return np.concatenate([two * 0.8, np.full((encoded.rows, 1), 0.2)], axis=1)

    assert importance(three, Three(), holdout, 0.5, 7).features[0].feature in ("used", "day")
    assert contract.classes != three.classes


def test_an_evaluation_leaves_the_importance_of_every_feature_and_vouches_for_it():
    lake, models, heart = MemoryObjects("lake"), MemoryObjects("models"), Contract.load(HEART_FOLDER)
    publish(lake, heart, heart_cells())
    run, evaluation = evaluated(lake, models, heart)
    body = models.get(layout.run(run, "importance.json")).body
    assert evaluation.files["importance.json"] == hashlib.sha256(body).hexdigest()
    found = documents.parse(body, Importance, "importance.json")
    assert {item.feature for item in found.features} == set(heart.inputs)
    assert found.metric == "roc_auc"
    assert found.features[0].value > 0
