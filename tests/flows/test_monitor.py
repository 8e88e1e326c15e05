"""From a scheduled event to a report that is published and told, through the whole state machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from andamio.adapters.events import BusEvents
from andamio.feedback import Statement, keep
from andamio.storage import layout
from andamio.storage.events import Event
from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.monitor import handler as monitor_handler
from monitoring.window import Window
from tests.support.capture import identity
from tests.support.watched import capture, hospital, watched_release

from .cloud import FUNCTION_SECONDS, Cloud, account, throttled
from .conftest import HEART
from .faults import timing_out

SCHEDULED = {"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-11-27T18:07:12Z", "detail": {}}
FOLDER = "monitoring/dt=2026-11-27/180000/"


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account for the heart problem with the watch deployed, and no model yet."""
    with account(HEART, tmp_path, monkeypatch) as cloud:
        values = {
            "MonitorFunction": cloud.function("monitor", monitor_handler),
            **asl.task_seconds("MonitorFunction", FUNCTION_SECONDS),
            "EtlMachine": cloud.machine("etl", TRAINING_STARTED, {}),
            "Partition": "aws",
        }
        cloud.machine("monitor", asl.FOLDER / "monitor.asl.json", values)
        yield cloud


@pytest.fixture
def hungary(watched: Cloud) -> Cloud:
    """The same with Cleveland's model, which was asked about the patients of Hungary in the day before `SCHEDULED`."""
    release = watched_release(watched.models)
    end = datetime(2026, 11, 27, 18, tzinfo=UTC)
    window = Window(end - timedelta(days=1), end)
    capture(watched.lake, watched.table, window, hospital("heart-hungary"), release)
    return watched


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events that were put on the bus."""
    put, events = BusEvents.put, []

    def noted(self: BusEvents, event: Event) -> None:
        put(self, event)
        events.append(event)

    monkeypatch.setattr(BusEvents, "put", noted)
    return events


def steps(cloud: Cloud) -> list[str]:
    return [call.event["step"] for call in cloud.calls]


def written(cloud: Cloud) -> set[tuple[str, str]]:
    return {(info.key, info.version) for info in cloud.lake.list(layout.MONITORING)}


def test_without_a_model_there_is_nothing_to_watch(watched: Cloud) -> None:
    ended = watched.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["status"] == "no-model"
    assert steps(watched) == ["gather"]


def test_a_window_without_predictions_is_reported_and_nothing_is_told(watched: Cloud) -> None:
    watched_release(watched.models)
    ended = watched.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["status"] == "not-enough-data"
    assert steps(watched) == ["gather", "compare", "draw", "publish"]
    assert {key for key, _ in written(watched)} == {
        layout.LATEST_REPORT,
        *(FOLDER + file for file in ("window.json", "report.json", "report.html")),
    }


def test_drift_is_reported_measured_and_told_and_the_same_event_again_changes_nothing(
    hungary: Cloud, sent: list[Event]
) -> None:
    ended = hungary.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["alarms"] == ["drift"]
    assert ended.output["moved"][:3] == ["ca", "thal", "slope"]
    assert steps(hungary)[-2:] == ["publish", "tell"]
    metrics = boto3.client("cloudwatch").list_metrics(Namespace="Andamio")["Metrics"]
    assert {metric["MetricName"] for metric in metrics} >= {"DriftPersistent", "DriftedFeatures", "RowsCompared"}
    assert {tuple(metric["Dimensions"][0].values()) for metric in metrics} == {("System", "heart")}
    (event,) = sent
    assert (event.kind, event.detail.system) == ("Drift seen", "heart")
    assert (event.detail.window, event.detail.report) == ("2026-11-27T18:00:00Z", FOLDER + "report.json")
    before = written(hungary)
    again = hungary.run("monitor", SCHEDULED)
    assert again.output == ended.output | {"tell": False}
    assert written(hungary) == before
    assert sent == [event]


def test_labels_that_came_are_joined_and_those_without_a_prediction_are_counted(
    hungary: Cloud, sent: list[Event]
) -> None:
    """Flipped labels show a model that is worse, and leave raw data and data versions as they were."""
    untouched = {"raw/heart.csv", "datasets/current.json", "datasets/v1/holdout.npz"}
    for key in untouched:
        hungary.lake.put(key, b"as it was")
    before = {(info.key, info.version) for info in hungary.lake.list("") if info.key in untouched}
    truth = hospital("heart-hungary").labels
    said = [Statement(identity(row), None, "01"[1 - label]) for row, label in enumerate(truth)]
    end = datetime(2026, 11, 27, 18, tzinfo=UTC)
    keep(hungary.lake, said, end - timedelta(minutes=1), "v1")
    scored, unknown = "20261101T100000-0123456789ab", "20261101T100000-0123456789ac"
    hungary.batch.put(layout.batch(scored, "plan.json"), b"{}")
    early = [
        *(Statement(prediction, None, "1") for prediction in (f"{scored}-7", f"{unknown}-7", "f" * 32)),
        *(Statement(None, record, "1") for record in ("patient-3", "nobody")),
    ]
    keep(hungary.lake, early[:2], end - timedelta(hours=30), "v1")
    keep(hungary.lake, early[2:], end - timedelta(hours=30), "v1")
    ended = hungary.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    report = json.loads(hungary.lake.get(FOLDER + "report.json").body)
    assert report["labels"] == {"joined": len(truth), "orphans": 4, "elsewhere": 1, "asked": 0, "answered": 0}, (
        "of patient-3 nothing was predicted by then"
    )
    assert [info.key for info in hungary.lake.list(layout.FEEDBACK_HOURS)] == [
        layout.feedback_hour(end - timedelta(hours=30))
    ], "the hour with two requests"
    assert report["performance"]["status"] == "worse"
    assert {event.kind for event in sent} == {"Drift seen", "Performance worse"}
    assert {(info.key, info.version) for info in hungary.lake.list("") if info.key in untouched} == before


def test_a_start_by_hand_watches_up_to_now(hungary: Cloud) -> None:
    ended = hungary.run("monitor", {})
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["window"] > "2026-11-27T18"
    latest = json.loads(hungary.lake.get(layout.LATEST_REPORT).body)
    assert latest["window"] == ended.output["window"]


def test_a_page_that_cannot_be_drawn_keeps_no_finding_back(hungary: Cloud, waits: list[float]) -> None:
    hungary.fake_function("monitor", failing("draw"))
    ended = hungary.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["alarms"] == ["drift"]
    assert ended.output["page"] is None


@pytest.mark.parametrize("step", ["gather", "compare", "publish", "tell"])
def test_a_fault_ends_the_execution_with_its_cause(hungary: Cloud, waits: list[float], step: str) -> None:
    hungary.fake_function("monitor", failing(step))
    ended = hungary.run("monitor", SCHEDULED)
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Fault")
    assert "the disk is full" in ended.cause


def test_a_step_that_times_out_fails_the_execution_by_its_name(
    hungary: Cloud, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    monkeypatch.setattr(StateTaskLambda, "_eval_parameters", timing_out("compare"))
    ended = hungary.run("monitor", SCHEDULED)
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Fault")
    assert "States.Timeout" in ended.cause


def test_a_throttled_function_is_waited_for(hungary: Cloud, waits: list[float]) -> None:
    answers = throttled(10, monitor_handler.handler, "gather", "compare", "draw", "publish", "tell")
    hungary.fake_function("monitor", answers)
    ended = hungary.run("monitor", SCHEDULED)
    assert ended.status == "SUCCEEDED", ended.cause
    assert len(waits) == 50


def failing(step: str) -> Any:
    """The function with a step that always fails."""

    def handler(event: dict[str, Any], context: Any) -> Any:
        if event["step"] == step:
            raise OSError("the disk is full")
        return monitor_handler.handler(event, context)

    return handler
