"""Our explanations of a model trained on heart, beside those of the shap library."""

import dataclasses
import warnings

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.records.encode import Encoded
from andamio.release.explain import explain, read_reference, rows_for, seed_of
from andamio.release.model import Model
from andamio.release.samples import ReferenceRows
from andamio.storage import documents, layout
from tests.support.datasets import HEART_FOLDER, heart_cells, publish
from tests.support.runs import fitted
from training.evaluate.evaluate import load_holdout

pytestmark = pytest.mark.slow

HEART = Contract.load(HEART_FOLDER)
RECORDS = 3


@pytest.fixture(scope="module", params=["logistic_regression", "gradient_boosting"])
def trained(request):
    """The model and its size, the reference rows as a release keeps them, and the holdout."""
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    version = publish(lake, HEART, heart_cells())
    run, _ = fitted(lake, models, HEART, families=[request.param])
    onnx = models.get(layout.run(run, "candidate/model.onnx")).body
    document = documents.read(models, layout.run(run, "candidate/reference.json"), ReferenceRows)
    return Model(HEART, onnx), len(onnx), read_reference(HEART, document), load_holdout(lake, HEART, version).encoded


def ours(trained, reference, record):
    model, size, _, _ = trained
    probability = float(model.predict(record)[0, 1])
    return explain(model.predict, reference, record, probability, 1, rows=rows_for(size), seed=seed_of("1", record))


def theirs(trained, reference, records):
    """Shap's exact values `[records, features]` and its base value: it takes numbers only, so texts are numbered."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import shap

    model, rows = trained[0], reference.encoded
    texts = np.array(sorted({*rows.categories.ravel(), *records.categories.ravel()}), dtype=object)
    width = rows.numbers.shape[1]

    def numbered(encoded):
        return np.concatenate([encoded.numbers.astype(np.float64), np.searchsorted(texts, encoded.categories)], axis=1)

    def probability(matrix):
        return model.predict(Encoded(matrix[:, :width].astype(np.float32), texts[matrix[:, width:].astype(int)]))[:, 1]

    masker = shap.maskers.Independent(numbered(rows), max_samples=rows.rows)
    found = shap.ExactExplainer(probability, masker)(numbered(records))
    order = [*HEART.number_columns, *HEART.category_columns]
    return [dict(zip(order, row, strict=True)) for row in found.values], np.ravel(found.base_values)


def test_contributions_agree_with_shap_s_exact_ones(trained):
    # shap asks about each of the 8,192 coalitions with every row.
    reference = dataclasses.replace(trained[2], encoded=trained[2].encoded.take(np.arange(0, 200, 10)))
    records = trained[3].take(np.arange(RECORDS))
    expected, base = theirs(trained, reference, records)
    for row in range(RECORDS):
        found = ours(trained, reference, records.take(np.array([row])))
        assert found.average == pytest.approx(float(base[row]), abs=1e-5)
        assert sum(found.contributions.values()) == pytest.approx(found.probability - found.average, abs=1e-3)
        for feature, value in found.contributions.items():
            assert value == pytest.approx(expected[row][feature], abs=0.02), feature
        largest = max(found.contributions, key=lambda feature: abs(found.contributions[feature]))
        most = max(map(abs, expected[row].values()))
        assert abs(expected[row][largest]) == pytest.approx(most, abs=0.02)


def test_a_release_s_own_reference_gives_what_many_more_orders_give(trained):
    model, _, reference, holdout = trained
    for row in range(RECORDS):
        record = holdout.take(np.array([row]))
        found = ours(trained, reference, record)
        many = explain(model.predict, reference, record, found.probability, 1, rows=60_000, seed=99)
        assert found.average == many.average
        assert found.contributions == pytest.approx(many.contributions, abs=0.02)
