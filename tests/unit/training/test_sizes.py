"""What is estimated without an export: a model's size, and which columns it sees."""

import pytest

from andamio.contract import Contract
from registry.card.columns import by_feature
from tests.support.tables import table
from training import export
from training.families import sizes
from training.families.catalog import FAMILIES, fit
from training.families.selected import used_columns

LARGE = {
    "random_forest": {"n_estimators": 40, "min_samples_leaf": 1},
    "extra_trees": {"n_estimators": 40, "min_samples_leaf": 1},
    "gradient_boosting": {"n_estimators": 60},
    "hist_gradient_boosting": {"max_iter": 60},
    "mlp": {"width": 64, "layers": 2, "max_iter": 20},
}


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_a_size_is_estimated_to_within_a_quarter(name, classes):
    encoded, labels = table(3, rows=600, classes=classes)
    model = fit(name, encoded, labels, classes=classes, seed=7, params=LARGE.get(name))
    assert sizes.estimate(model) == pytest.approx(len(export.to_onnx(model)), rel=0.25, abs=4096)


CONTRACT = Contract.from_toml("""
[problem]
name = "any"
target = "y"
labels = { "0" = "no", "1" = "yes" }
[features.x]
type = "number"
[features.d]
type = "date"
[features.c]
type = "category"
required = false
values = ["a", "b"]
""")


def columns(selection, share=0.5):
    encoded, labels = table(5, rows=200, numbers=4, categories=1)
    encoded.categories[:, 0] = [["a", "b", ""][row % 3] for row in range(200)]
    return used_columns(
        fit("random_forest", encoded, labels, classes=2, seed=7, selection=selection, share=share), CONTRACT
    )


def test_without_a_selection_every_column_is_used_and_named():
    used = ["x", "d_age_days", "d_month", "d_weekday", "c=(missing)", "c=a", "c=b"]
    assert columns("none") == (used, [])


@pytest.mark.parametrize("selection", ["univariate", "model"])
def test_a_selection_keeps_its_share_of_the_columns_and_the_telling_one(selection):
    selected, left_out = columns(selection)
    assert len(selected) == 4
    assert len(left_out) == 3
    assert "x" in selected
    assert sorted(selected + left_out) == sorted(columns("none")[0])


def test_columns_are_told_as_the_features_that_they_come_from():
    told = by_feature(CONTRACT, ["c=a", "c=(missing)", "d_month", "x"])
    assert told == {"x": [""], "c": ["a", "no value"], "d": ["month"]}
    assert list(told) == [name for name in CONTRACT.inputs if name in told]


def test_at_least_two_columns_are_kept():
    assert len(columns("univariate", share=0.01)[0]) == 2
