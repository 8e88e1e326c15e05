"""What a problem with a number for a target is: its contract, its task, its metrics and its intervals."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Literal

import numpy as np
import pytest

from andamio.contract import Contract
from andamio.contract.metrics import metrics_of
from andamio.contract.task import Classification, Regression
from andamio.dataset.columns import table_columns
from andamio.errors import ContractError
from andamio.feedback import TrueNumbers
from andamio.records.columns import no_value
from andamio.records.parse import parse, parse_typed
from andamio.stats import bootstrap, conformal, metrics

PRICES = """
[problem]
name = "prices"
task = "regression"
target = "price"
target_min = 1
target_max = 1000
unit = "EUR"
success = "rmse <= 60"
[features.size]
type = "number"
"""


def prices(*edits: tuple[str, str]) -> Contract:
    text = PRICES
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return Contract.from_toml(text)


def test_a_regression_has_a_task_with_one_output_and_defaults_of_its_own() -> None:
    contract = prices()

    assert contract.task == Regression(low=1, high=1000, unit="EUR", log=False, level=0.9)
    assert contract.task.outputs == ("value",)
    assert contract.training.metric == "rmse"
    assert contract.training.families == Regression.default_families
    assert Contract.from_json(contract.to_json()) == contract


@pytest.mark.parametrize(
    ("edits", "named"),
    [
        ((), ()),
        ((("[features", '[training]\nmetric = "pinball"\n[features'),), ("pinball",)),
        ((("rmse <= 60", "pinball <= 30"),), ("pinball",)),
    ],
    ids=["not named", "as the metric", "for success"],
)
def test_the_loss_of_a_median_is_a_figure_only_where_the_contract_names_it(
    edits: tuple[tuple[str, str], ...], named: tuple[str, ...]
) -> None:
    assert metrics_of(prices(*edits)) == ("rmse", "mae", "r2", *named)


def test_the_task_of_classes_has_a_column_for_each() -> None:
    labels = 'labels = { "0" = "a", "1" = "b" }\n'
    contract = Contract.from_toml(f'[problem]\nname = "ab"\ntarget = "y"\n{labels}[features.x]\ntype = "number"')

    assert contract.task == Classification(("0", "1"), 1)
    assert b"target_min" not in contract.to_json()  # a sealed contract of classes is what it was


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (('unit = "EUR"', 'labels = { "0" = "a", "1" = "b" }'), "[problem] labels: a regression has no classes"),
        (('unit = "EUR"', 'positive = "1"'), "[problem] positive: a regression has no classes"),
        (('task = "regression"\n', 'labels = { "0" = "a", "1" = "b" }\n'), "[problem] target_min: only a regression"),
        (("target_min = 1\n", "target_min = 1000\n"), "[problem] target_min: 1000 must be below target_max, which is"),
        (("target_min = 1\n", 'scale = "log"\n'), '[problem] scale: "log" needs a target_min above 0'),
        (("target_min = 1\n", "interval = 1.5\n"), "[problem] interval: expected less than or equal to 0.99"),
        (("rmse <= 60", "roc_auc >= 0.8"), "[problem] success: roc_auc is no metric of a regression; expected rmse"),
        (("[features", '[training]\nmetric = "f1"\n[features'), "[training] metric: f1 is no metric of a regression"),
        (("[features", "[training]\nthreshold = 0.4\n[features"), "[training] threshold: a regression has no classes"),
        (("[features", '[training]\nclass_weight = "balanced"\n[features'), "[training] class_weight: a regression"),
        (
            ("[features", '[training]\nfamilies = ["logistic_regression"]\n[features'),
            "[training] families: logistic_regression is no family of a regression; expected ridge",
        ),
    ],
)
def test_what_does_not_fit_the_task_is_refused_by_name(edit: tuple[str, str], message: str) -> None:
    with pytest.raises(ContractError) as raised:
        prices(edit)

    assert message in str(raised.value)


def test_the_range_of_the_target_decides_what_a_data_version_holds_and_its_unit_does_not() -> None:
    assert prices(("target_max = 1000", "target_max = 2000")).data_digest != prices().data_digest
    assert prices(('unit = "EUR"', 'unit = "USD"')).data_digest == prices().data_digest
    assert prices(('unit = "EUR"', 'unit = "USD"')).served_digest != prices().served_digest


def test_the_target_is_read_like_a_number_and_refused_with_a_reason() -> None:
    columns = {"size": ["1", "2", "3", "4"], "price": ["12,5", "", "2000", "dear"]}

    table = parse(prices(), columns, 4, text=True, training=True, decimal=",")

    assert table.labels is not None
    np.testing.assert_array_equal(table.labels, [12.5, math.nan, math.nan, math.nan])
    assert [(found.row, found.field, found.code) for found in table.violations] == [
        (3, "price", "not-a-number"),
        (2, "price", "out-of-range"),
        (1, "price", "missing-label"),
    ]


def test_a_true_number_is_read_as_data_are() -> None:
    task = prices().task
    assert isinstance(task, Regression)
    truths = TrueNumbers(dataclasses.replace(task, low=None, high=None), no_value(("-999", "n/a")), ",")

    assert truths.read(-999) is None
    assert truths.read(-998) == -998.0
    assert "other than -999 ([data] missing)" in truths.expected
    assert [truths.read_text(text) for text in ("-999", "-999,0", "1_000", "nan", "1.000")] == [None] * 5
    assert truths.read_text("1,5") == 1.5
    assert "with a decimal comma" in truths.refused
    assert [truths.is_absent(text) for text in ("-999,0", "n/a", "", "1_000", "5")] == [True, True, True, False, False]


def test_a_data_version_keeps_the_target_as_a_number_that_reads_back_as_itself() -> None:
    contract = prices()
    table = parse(contract, {"size": [1.0, 2.0], "price": [12.5, 100]}, 2, text=False, training=True)

    columns = table_columns(contract, table)

    assert columns["price"].dtype == np.float64
    again = parse_typed(contract, columns, 2)
    assert again.labels is not None
    assert again.labels.tolist() == [12.5, 100.0]


def test_metrics_of_numbers_agree_with_their_definitions_for_any_weights() -> None:
    truth, said = np.array([1.0, 2.0, 4.0, 9.0]), np.array([[1.5], [2.0], [3.0], [7.0]])
    weights = np.array([1.0, 2.0, 0.0, 1.0])
    rows = np.repeat(np.arange(4), weights.astype(int))
    errors = said[rows, 0] - truth[rows]

    got = {name: metrics.score(name, truth, said, weights=weights) for name in ("rmse", "mae", "r2", "pinball")}

    assert got["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)))
    assert got["mae"] == pytest.approx(np.mean(np.abs(errors)))
    assert got["pinball"] == pytest.approx(np.mean(np.abs(errors)) / 2)
    assert got["r2"] == pytest.approx(1 - np.sum(errors**2) / np.sum((truth[rows] - truth[rows].mean()) ** 2))
    assert math.isnan(metrics.score("r2", np.ones(4), said))
    assert [metrics.higher_is_better(name) for name in got] == [False, False, True, False]


def test_resamples_of_numbers_draw_any_key_again_and_the_rows_of_one_key_together() -> None:
    truth, keys = np.array([1.0, 2.0, 3.0, 4.0]), np.array(["a", "a", "b", "c"])

    drawn = np.array(list(bootstrap.resamples(truth, keys, seed=1, count=50)))

    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert len(np.unique(drawn, axis=0)) > 5  # not every row a stratum of its own, which would be drawn once always


@pytest.mark.parametrize("log", [False, True])
def test_the_interval_holds_a_new_row_as_often_as_its_level_says(log: bool) -> None:
    rng = np.random.default_rng(3)
    held = []
    for _ in range(400):
        noise = rng.standard_gamma(2.0, 60) / 5 - 0.4  # skewed: the two sides differ
        predicted = rng.uniform(10, 20, 60)
        truth = predicted * np.exp(noise) if log else predicted + noise
        margins = conformal.margins(truth[1:], predicted[1:], 0.8, log=log)
        low, high = margins.around(predicted[:1])
        held.append(low[0] <= truth[0] <= high[0])

    assert np.mean(held) == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("log", [False, True])
def test_intervals_hold_as_often_for_small_predictions_as_for_large_ones(log: bool) -> None:
    rng = np.random.default_rng(4)

    def drawn(rows: int) -> tuple[Any, Any]:
        predicted = rng.uniform(1, 11, rows)
        noise = rng.normal(size=rows) * predicted / (50 if log else 5)
        return (predicted * np.exp(noise) if log else predicted + noise), predicted

    margins = conformal.margins(*drawn(4000), 0.9, log=log)
    truth, predicted = drawn(20_000)
    held = conformal.held(truth, margins.around(predicted))
    thirds = np.digitize(predicted, np.quantile(predicted, [1 / 3, 2 / 3]))
    shares = [held[thirds == third].mean() for third in range(3)]
    assert shares == pytest.approx([0.9] * 3, abs=0.03), "of one width they are about 1, 0.93 and 0.77"


@pytest.mark.parametrize("rows", range(200, 210))
def test_equal_predictions_are_one_part_however_many_rows_there_are(rows: int) -> None:
    rng = np.random.default_rng(3)
    predicted = np.where(np.arange(rows) < rows // 2, 21.7, rng.uniform(21.8, 40, rows))
    margins = conformal.margins(predicted + rng.normal(size=rows) * predicted / 10, predicted, 0.9, log=False)
    values = [value for value, _ in margins.widths]
    assert values == sorted(set(values))
    assert values[0] == 21.7
    assert 3 <= len(values) <= 4, "two fifths are of 21.7 alone"
    equal = conformal.margins(rng.normal(size=rows), np.full(rows, 0.1), 0.9, log=False)
    assert equal.widths == ()


def test_margins_that_an_earlier_version_sealed_are_read_and_have_the_identity_that_they_had() -> None:
    sealed: dict[str, Any] = {"level": 0.9, "low": -2.0, "high": 3.0, "scale": "linear"}
    margins = conformal.Margins(**sealed)
    assert f"{margins}" == "Margins(level=0.9, low=-2.0, high=3.0, scale='linear')"
    assert [end.tolist() for end in margins.around(np.array([1.0, 5.0]))] == [[-1.0, 3.0], [4.0, 8.0]]
    wider = conformal.Margins(**sealed, widths=[[1.0, 1.0], [5.0, 2.0]])  # type: ignore[arg-type]  # as JSON has them
    assert [end.tolist() for end in wider.around(np.array([0.0, 3.0, 9.0]))] == [[-2.0, 0.0, 5.0], [3.0, 7.5, 15.0]]
    assert f"{wider}" != f"{margins}"


def test_an_interval_stays_within_the_target_s_range_and_holds_the_prediction() -> None:
    margins = conformal.margins(np.array([3.0, 4.0, 6.0]), np.array([1.0, 1.0, 1.0]), 0.5, log=False)

    low, high = margins.around(np.array([0.0, 9.0]), 0.0, 10.0)

    assert low.tolist() == [0.0, 9.0]  # every residual lies above: the lower end is the prediction itself
    assert high.tolist() == [5.0, 10.0]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_ends_of_an_interval_are_those_that_are_answered(scale: Literal["linear", "log"]) -> None:
    margins = conformal.Margins(0.9, 0.7, 1.1, scale) if scale == "log" else conformal.Margins(0.9, -0.7, 1.1, scale)
    values = np.random.default_rng(1).uniform(0, 10, 200)

    low, high = margins.around(values, 0.1, 9.7)

    for ends in (low, high):
        assert (ends == ends.astype(np.float32)).all()
        assert ends.min() >= 0.1
        assert ends.max() <= 9.7
    assert high.max() == float(np.float32(9.7))


def test_an_interval_holds_a_truth_at_a_bound_that_float32_does_not_hold() -> None:
    margins = conformal.Margins(0.9, -5.0, 5.0, "linear")
    truth = np.array([99.9, 0.1, 99.9, 50.0])
    ends = margins.around(np.array([97.0, 3.0, 90.0, 60.0]), 0.1, 99.9)
    assert ends[1].max() < 99.9
    assert conformal.held(truth, ends, 0.1, 99.9).tolist() == [True, True, False, False]
