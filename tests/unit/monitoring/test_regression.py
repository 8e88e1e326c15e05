"""Numbers are watched as classes are: values against those out of fold, errors against what came true."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.truth import known
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.contract.task import Regression
from andamio.feedback import Statement, keep, read
from andamio.stats.conformal import margins
from andamio.storage import layout
from monitoring import delivery as deliveries
from monitoring.captures import Window as Captures
from monitoring.captures import compact_hour, read_window
from monitoring.drift import predictions
from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits
from monitoring.evidence import Evidence
from monitoring.feedback import join
from monitoring.judge import Before, judge
from monitoring.page import page
from monitoring.performance.performance import Terms, performance
from monitoring.performance.window import Labelled
from monitoring.reference import HoldoutFigure, Reference, Scores
from monitoring.report import Report
from monitoring.window import FixedWindow, iso
from tests.support.capture import NOON, RELEASE, delivery, identity, prediction
from tests.support.releases import ROOT

DIABETES = Contract.load(ROOT / "problems" / "diabetes")
PATIENT = example_record(DIABETES)
TASK = DIABETES.task
HOUR = timedelta(hours=1)
ERROR = 50.0
"""The standard deviation of the errors that are drawn, in points."""


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)


def drawn(rng: np.random.Generator, rows: int, *, shift: float = 0.0, error: float = ERROR) -> tuple[Any, Any]:
    """Values `[rows, 1]` and what came true, which lies `shift` above them on average."""
    values = np.clip(rng.normal(150, 60, rows), 20, 400)
    return values[:, None], np.clip(values + shift + rng.normal(0, error, rows), 0, 500)


def reference_of(values: Any, truth: Any, *, metric: str = "rmse", groups: Any = None) -> Reference:
    assert isinstance(TASK, Regression)
    return Reference(
        release=RELEASE,
        rows=0,
        sample=0,
        features={},
        skipped={},
        task=TASK,
        metric=metric,
        scores=Scores(truth, values, np.arange(len(truth)) if groups is None else groups),
        holdout={},
        margins=margins(truth, values[:, 0], 0.9, log=False),
    )


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    return reference_of(*drawn(rng, 1500))


def window_of(values: Any, truth: Any) -> Labelled:
    rows = len(truth)
    return Labelled(values, truth, np.full(rows, 100.0), np.where(known(truth), 24.0, np.nan))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2", "pinball"])
def test_a_model_that_is_as_good_as_before_is_ok(reference: Reference, rng: np.random.Generator, metric: str) -> None:
    found = performance(replace(reference, metric=metric), window_of(*drawn(rng, 800)), Terms())
    assert (found.status, found.coverage.status, found.restricted) == ("ok", "ok", False)
    assert found.plain is not None
    assert found.plain.difference.low is not None
    assert found.plain.difference.low < 0 < (found.plain.difference.high or 0)
    assert found.residuals is not None
    assert (found.residuals.biased, found.residuals.too_narrow) == (False, False)
    assert (found.brier, found.calibration) == (None, None)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2", "pinball"])
def test_larger_errors_are_concept_drift_and_leave_the_intervals(
    reference: Reference, rng: np.random.Generator, metric: str
) -> None:
    found = performance(replace(reference, metric=metric), window_of(*drawn(rng, 800, error=90)), Terms())
    assert found.status == "worse"
    assert found.message.startswith(f"The model has become worse: {metric} is ")
    assert found.residuals is not None
    assert found.residuals.too_narrow
    assert found.residuals.held.value is not None
    assert found.residuals.held.value < 0.8
    assert not found.residuals.biased


def test_numbers_that_all_came_higher_are_a_bias(reference: Reference, rng: np.random.Generator) -> None:
    found = performance(reference, window_of(*drawn(rng, 800, shift=25)), Terms()).residuals
    assert found is not None
    assert found.biased
    assert found.shift.value == pytest.approx(-25, abs=8), "predicted minus true: predictions are too low"


def test_intervals_and_bias_are_rarely_blamed_where_nothing_has_changed() -> None:
    blamed = np.zeros(2)
    rounds = 150
    for seed in range(rounds):
        rng = np.random.default_rng(seed)
        found = performance(reference_of(*drawn(rng, 350)), window_of(*drawn(rng, 300)), Terms()).residuals
        assert found is not None
        blamed += [found.biased, found.too_narrow]
    assert (blamed <= 6).all(), f"of {rounds} windows, at 99%: bias and intervals were blamed {blamed} times"


def test_a_margin_of_an_error_is_a_share_of_what_it_was(reference: Reference, rng: np.random.Generator) -> None:
    window = window_of(*drawn(rng, 1500, error=62))
    assert performance(reference, window, Terms()).status == "worse"
    assert performance(reference, window, Terms(margin=0.5)).status == "ok", "half as large again is allowed"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_the_target_changes_no_verdict(rng: np.random.Generator, scale: float) -> None:
    values, truth = drawn(rng, 1500)
    others, came = drawn(rng, 800, error=90)
    whole = reference_of(values * scale, truth * scale)
    unbounded = replace(whole, task=Regression(None, None, "", False, 0.9))
    plain = performance(reference_of(values, truth), window_of(others, came), Terms())
    scaled = performance(unbounded, window_of(others * scale, came * scale), Terms())
    assert (scaled.status, plain.status) == ("worse", "worse")
    assert plain.weighted is not None
    assert scaled.weighted is not None
    assert scaled.weighted.difference.high == pytest.approx((plain.weighted.difference.high or 0) * scale, rel=1e-6)


def test_rows_of_one_group_are_one_observation_of_the_bias(rng: np.random.Generator) -> None:
    values, truth = drawn(rng, 200)
    twice = reference_of(np.repeat(values, 4, axis=0), np.repeat(truth, 4), groups=np.repeat(np.arange(200), 4))
    once = reference_of(values, truth)
    window = window_of(*drawn(rng, 300))
    wide, plain = (performance(each, window, Terms()).residuals for each in (twice, once))
    assert wide is not None
    assert plain is not None
    assert wide.reference_bias.low == pytest.approx(plain.reference_bias.low)


def test_labels_for_high_values_alone_are_uneven_coverage(reference: Reference, rng: np.random.Generator) -> None:
    values, truth = drawn(rng, 1000)
    truth[values[:, 0] < 150] = np.nan
    found = performance(reference, window_of(values, truth), Terms())
    assert found.coverage.status == "uneven"
    assert found.restricted
    assert "predictions scored 1" in found.coverage.message, "values are shown as numbers of their size"


def test_values_that_moved_are_drift_and_others_are_not(reference: Reference, rng: np.random.Generator) -> None:
    steady, moved = (np.clip(rng.normal(mean, 60, 600), 20, 400)[:, None] for mean in (150, 190))
    labels = np.zeros(600, dtype=np.int64)
    ok, drift = (compare(reference, {}, each, labels, Limits()) for each in (steady, moved))
    assert (ok.predictions.status, drift.predictions.status) == ("ok", "drift")
    found = drift.predictions
    assert (found.labels, found.labels_psi, found.labels_drifted) == ([], None, False)
    assert found.psi is not None
    assert found.psi > 0.1
    assert sum(cell.window for cell in found.cells) == pytest.approx(1.0)
    assert not found.cells[0].label.startswith("0..")
    assert not found.cells[-1].label.endswith("..1")
    assert predictions.measure(reference, moved, labels).labels_p is None


def captured(*values: float, truths: dict[int, float] | None = None) -> tuple[MemoryObjects, Captures]:
    """The captures of predictions of these values, as the API logs them."""
    lake = MemoryObjects("lake")
    lines = [number_line(row, value) for row, value in enumerate(values)]
    deliveries.store(deliveries.read(delivery(lines), DIABETES), DIABETES, lake, MemoryPredictionStore())
    for row, truth in (truths or {}).items():
        keep(lake, [Statement(identity(row), None, truth)], NOON + HOUR / 2, RELEASE)
    compact_hour(lake, lambda version: DIABETES, NOON)
    return lake, read_window(lake, DIABETES, RELEASE, NOON, NOON + HOUR)


def number_line(row: int, value: float) -> dict[str, Any]:
    line = prediction(row, features=PATIENT)
    for name in ("label", "label_text", "probabilities"):
        del line[name]
    interval = {"low": value - 40, "high": value + 60, "level": 0.9}
    return line | {"value": value, "interval": interval, "unit": "points"}


def test_the_log_s_numbers_are_captured_and_go_into_the_table() -> None:
    table = MemoryPredictionStore()
    lake = MemoryObjects("lake")
    deliveries.store(deliveries.read(delivery([number_line(1, 151.5)]), DIABETES), DIABETES, lake, table)
    item = table.find(identity(1))
    assert item is not None
    assert (item["value"], item["interval"]["level"], item["unit"]) == (151.5, 0.9, "points")
    assert "label" not in item
    _, window = captured(151.5, 90.25)
    assert sorted(window.captured.probabilities[:, 0].tolist()) == [90.25, 151.5]
    assert not known(window.captured.truth).any()


@pytest.mark.parametrize("broken", [{"value": None}, {"value": math.inf}, {"interval": None}, {"unit": 5}])
def test_a_line_that_is_not_as_the_api_writes_it_is_broken(broken: dict[str, Any]) -> None:
    found = deliveries.read(delivery([number_line(1, 151.5) | broken]), DIABETES)
    assert (found.predictions, found.broken) == (0, 1)


def test_a_class_is_no_answer_of_a_regression() -> None:
    lake = MemoryObjects("lake")
    lines = [number_line(1, 151.5), prediction(2, features=PATIENT)]
    deliveries.store(deliveries.read(delivery(lines), DIABETES), DIABETES, lake, MemoryPredictionStore())
    summary = compact_hour(lake, lambda version: DIABETES, NOON)
    assert summary is not None
    assert [(fault.code, fault.records) for fault in summary.unreadable] == [("other-classes", 1)]


def test_numbers_that_came_join_their_predictions_and_the_latest_counts() -> None:
    lake, window = captured(151.5, 90.25, 70.0, truths={0: 140.0, 1: 99.0})
    keep(lake, [Statement(identity(0), None, 141.5)], NOON + HOUR * 3 / 4, RELEASE)
    said = [one for info in lake.list(layout.FEEDBACK) for one in read(info.key, lake.get(info.key).body)]
    said.sort(key=lambda one: one.received)
    found = join(window.captured, said, TASK)
    by_id = {window.captured.ids[row]: label for row, label in zip(found.rows, found.labels, strict=True)}
    assert by_id == {identity(0): 141.5, identity(1): 99.0}
    assert found.unknown == 0


def test_a_label_of_an_earlier_problem_of_classes_is_no_number() -> None:
    _, window = captured(151.5)
    lake = MemoryObjects("lake")
    keep(lake, [Statement(identity(0), None, "1")], NOON, RELEASE)
    (info,) = lake.list(layout.FEEDBACK)
    found = join(window.captured, list(read(info.key, lake.get(info.key).body)), TASK)
    assert (len(found.rows), found.unknown) == (0, 1)


def report_of(reference: Reference, values: Any, truth: Any) -> Report:
    rows = len(truth)
    times = np.full(rows, NOON.replace(tzinfo=None), dtype="datetime64[ms]")
    evidence = Evidence(
        times=times,
        columns={},
        probabilities=values,
        labels=np.zeros(rows, dtype=np.int64),
        rows_seen=rows,
        requests=rows,
        truth=truth,
        labelled=window_of(values, truth),
    )
    fixed = FixedWindow(start=iso(NOON), end=iso(NOON + 24 * HOUR), release=RELEASE, since=iso(NOON), run="run-1")
    reference = replace(reference, holdout={"rmse": HoldoutFigure(ERROR, 3.0, 89)})
    return judge(
        "diabetes", "diabetes", fixed, DIABETES.monitor, evidence, reference, Before(None, ()), [], NOON + 24 * HOUR
    )


def test_the_report_says_it_in_the_target_s_unit(reference: Reference, rng: np.random.Generator) -> None:
    values, truth = drawn(rng, 800, shift=60, error=90)
    found = report_of(reference, values, truth)
    assert "performance" in found.alarms
    kinds = {finding.kind: finding for finding in found.findings}
    assert "points below what came true" in kinds["bias"].message
    assert kinds["intervals"].message.endswith("90.0% were to.")
    assert not kinds["bias"].alarm
    assert not kinds["intervals"].alarm
    assert (found.model.task, found.model.unit) == ("regression", "points")


def test_before_labels_come_it_has_no_estimate_and_says_so(reference: Reference, rng: np.random.Generator) -> None:
    values, _ = drawn(rng, 400)
    found = report_of(reference, values, np.full(400, np.nan))
    assert found.estimate is None
    assert any("no estimate of performance before labels come" in note for note in found.notes)


def test_the_page_shows_values_errors_and_intervals(reference: Reference, rng: np.random.Generator) -> None:
    html = page(report_of(reference, *drawn(rng, 800, shift=60)), DIABETES).decode()
    assert "Errors and intervals" in html
    assert "Values (points)" in html
    assert "Brier score" not in html
    assert "Labels predicted" not in html
