"""From a window with drift and labels to one training, through the state machines of the watch and of ETL."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from andamio import names
from andamio.adapters.events import BusEvents
from andamio.feedback import Statement, keep
from andamio.storage import layout
from andamio.storage.events import Event
from andamio.testing.machines import TRAINING_STARTED
from infra import asl
from lambdas.monitor import handler as monitor_handler
from monitoring.window import Window, iso
from rollout.retraining import lock
from rollout.retraining.rule import NEW_RECORDS
from tests.support.capture import identity
from tests.support.watched import capture, hospital, watched_release

from .cloud import FUNCTION_SECONDS, Cloud, account
from .conftest import HEART, deploy_etl
from .faults import timing_out

END = datetime(2026, 11, 27, 18, tzinfo=UTC)
HOUR = timedelta(hours=1)


def scheduled(end: datetime = END) -> dict[str, Any]:
    """The event of the rule, some minutes after a window has ended."""
    at = iso(end + timedelta(minutes=7))
    return {"detail-type": "Scheduled Event", "source": "aws.events", "time": at, "detail": {}}


@pytest.fixture
def hungary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """Cleveland's model and data, asked about the patients of Hungary; the contract lets the watch start trainings."""
    with account(HEART, tmp_path, monkeypatch) as cloud:
        deploy_etl(cloud, cloud.machine("train", TRAINING_STARTED, {}))
        cloud.machine(
            "monitor",
            asl.FOLDER / "monitor.asl.json",
            {
                "MonitorFunction": cloud.function("monitor", monitor_handler),
                **asl.task_seconds("MonitorFunction", FUNCTION_SECONDS),
                "EtlMachine": cloud._machines["etl"],
                "Partition": "aws",
            },
        )
        cloud.put("raw/heart.csv", (HEART / "heart.csv").read_bytes())
        assert cloud.run("etl", {}).output["status"] == "published"
        release = watched_release(cloud.models)
        capture(cloud.lake, cloud.table, Window(END - 24 * HOUR, END), hospital("heart-hungary"), release)
        yield cloud


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """The events that were put on the bus."""
    put, events = BusEvents.put, []

    def noted(self: BusEvents, event: Event) -> None:
        put(self, event)
        events.append(event)

    monkeypatch.setattr(BusEvents, "put", noted)
    return events


def label(cloud: Cloud, rows: Collection[int] | None = None) -> int:
    """The hospital's own labels of these predictions, or of all; how many these are."""
    truth = [one for one in enumerate(hospital("heart-hungary").labels.tolist()) if rows is None or one[0] in rows]
    said = [Statement(identity(row), None, "01"[label]) for row, label in truth]
    keep(cloud.lake, said, END - timedelta(minutes=1), "v1")
    return len(truth)


def retrainings(cloud: Cloud) -> list[str]:
    """The names of the executions of ETL that the watch started."""
    arns = [arn.rsplit(":", 1)[1] for arn in cloud.executions("etl")]
    return [name for name in arns if name.startswith("retrain-")]


def report(cloud: Cloud, end: datetime = END) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(cloud.lake.get(layout.monitoring(end, "report.json")).body)
    return content


def etl_of(cloud: Cloud) -> Any:
    """How the retraining's execution of ETL ended."""
    (arn,) = [arn for arn in cloud.executions("etl") if ":retrain-" in arn]
    return cloud.ended(arn)


def test_labels_start_one_training_on_raw_and_captured_records_with_the_reason(
    hungary: Cloud, sent: list[Event]
) -> None:
    patients = range(len(hospital("heart-hungary").labels))
    later = set(patients[::3])
    count = label(hungary, set(patients) - later)
    ended = hungary.run("monitor", scheduled())
    assert ended.status == "SUCCEEDED", ended.cause
    assert "Start ETL" in hungary.history(ended.arn)
    release = ended.output["release"]
    assert retrainings(hungary) == [names.retraining_execution(release, iso(END))]
    made = etl_of(hungary)
    assert made.status == "SUCCEEDED", made.cause
    assert made.output["rows"]["read"] == 303 + count
    (training,) = [arn for arn in hungary.executions("train") if arn.endswith(made.output["version"])]
    asked = hungary.ended(training).output
    assert asked == {
        "dataset": made.output["version"],
        "because": f"Retraining: {report(hungary)['retraining']['reason']}",
    }
    assert "drift in this window (ca, thal, slope moved most)" in asked["because"]
    assert [event.kind for event in sent if event.kind == "Retraining started"] == ["Retraining started"]
    before = hungary.lake.get(layout.CAPTURED_RECORDS).body
    more = label(hungary, later)
    again = hungary.run("monitor", scheduled(END + HOUR))
    assert again.status == "SUCCEEDED", again.cause
    asked_again = report(hungary, END + HOUR)["retraining"]
    assert (asked_again["status"], asked_again["missing"]) == ("waiting", []), "no label is missing"
    assert NEW_RECORDS <= asked_again["new"] <= more
    assert "the cool-down ends at" in again.output["retraining"]
    assert len(retrainings(hungary)) == 1
    assert hungary.lake.get(layout.CAPTURED_RECORDS).body == before


def test_duplicate_and_replayed_events_and_two_windows_at_once_start_one_training(
    hungary: Cloud, sent: list[Event]
) -> None:
    label(hungary)
    arns = [hungary.start("monitor", scheduled()) for _ in range(2)]
    arns.append(hungary.start("monitor", {"end": iso(END - timedelta(minutes=1))}))
    ended = [hungary.ended(arn) for arn in arns]
    assert {one.status for one in ended} == {"SUCCEEDED"}, [one.cause for one in ended]
    replayed = hungary.run("monitor", scheduled())
    assert replayed.status == "SUCCEEDED", replayed.cause
    assert len(retrainings(hungary)) == 1
    assert len(lock.read(hungary.lake).starts) == 1
    assert len({event.detail.id for event in sent if event.kind == "Retraining started"}) == 1


def test_without_labels_none_starts_and_the_report_and_the_event_say_what_is_missing(
    hungary: Cloud, sent: list[Event]
) -> None:
    label(hungary, range(20))
    ended = hungary.run("monitor", scheduled())
    assert ended.status == "SUCCEEDED", ended.cause
    assert "Claim" not in hungary.history(ended.arn)
    assert retrainings(hungary) == []
    (event,) = sent
    for message in (ended.output["retraining"], event.detail.message, report(hungary)["message"]):
        assert "20 labelled records are new, and 50 are needed: send labels (andamio feedback FILE" in message


def test_a_monitor_that_dies_after_it_took_the_lock_is_followed_by_the_same_execution(
    hungary: Cloud, monkeypatch: pytest.MonkeyPatch, waits: list[float]
) -> None:
    label(hungary)
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(StateTaskLambda, "_eval_parameters", timing_out("claim"))
        cut_off = hungary.run("monitor", scheduled())
    assert (cut_off.status, cut_off.error) == ("FAILED", "Andamio.Fault")
    again = hungary.run("monitor", scheduled())
    assert again.status == "SUCCEEDED", again.cause
    assert retrainings(hungary) == [names.retraining_execution(again.output["release"], iso(END))]


def test_a_fault_of_retraining_ends_the_execution_with_its_cause_and_the_same_event_completes_it(
    hungary: Cloud, waits: list[float]
) -> None:
    label(hungary)

    def handler(event: dict[str, Any], context: Any) -> Any:
        if event["step"] == "begun":
            raise OSError("the disk is full")
        return monitor_handler.handler(event, context)

    hungary.fake_function("monitor", handler)
    ended = hungary.run("monitor", scheduled())
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Fault")
    assert "the disk is full" in ended.cause
    hungary.fake_function("monitor", monitor_handler.handler)
    assert hungary.run("monitor", scheduled()).status == "SUCCEEDED"
    assert len(retrainings(hungary)) == 1
    last = lock.read(hungary.lake).last
    assert last is not None
    assert last.started is not None
