"""The watch: silent on familiar records, loud on the Hungarian hospital, and honest about labels.

Each test has a twin of the champion: a window compares the champion's own predictions, so that what other tests have
asked is another release's. What the watch has learned before, in the whole demo, is gone.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from andamio import names
from andamio.adapters.aws import Execution
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.storage import documents, layout
from monitoring.report import LatestReport, Report

from .conftest import HEART, Clone, Deployed, until
from .test_verify import NIGHTLY

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("demo")]

REQUESTS = 500
TARGET = "disease"
Row = dict[str, str]
Prediction = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def nothing_learned(heart: Deployed) -> None:
    """No label, no record that was trained on, no training that was started: the tests' own alone count."""
    lake = heart.bucket("lake")
    for prefix in (layout.FEEDBACK, layout.CAPTURED_RECORDS, layout.RETRAINING):
        for info in lake.list(prefix):
            heart.account.delete(heart.outputs["buckets"]["lake"], info.key)


def rows_of(file: Path) -> list[Row]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def familiar(count: int, seed: int) -> list[Row]:
    """Rows drawn from the Cleveland data, again and again."""
    rows = rows_of(HEART / "heart.csv")
    chosen = np.random.default_rng(seed).integers(len(rows), size=count)
    return [rows[index] for index in chosen.tolist()]


def ask(heart: Deployed, rows: Sequence[Row]) -> list[Prediction]:
    records = [
        {name: float(value) if value not in ("", "?") else None for name, value in row.items() if name != TARGET}
        for row in rows
    ]
    reply = heart.request("POST", "/predict/batch", json={"records": [{"features": record} for record in records]})
    assert reply.status_code == 200, reply.text
    found: list[Prediction] = reply.json()["predictions"]
    assert len(found) == len(rows)
    return found


def tell(heart: Deployed, labels: Mapping[str, str]) -> None:
    body = [{"prediction_id": prediction, "label": label} for prediction, label in labels.items()]
    reply = heart.request("POST", "/feedback", json=body)
    assert (reply.status_code, reply.json()["accepted"]) == (202, len(body)), reply.text


def captured(heart: Deployed, predictions: Sequence[Prediction]) -> None:
    """Wait until the last predictions are kept: lines come in any order, and each writes its item of the table."""
    for prediction in (predictions[0], predictions[-1]):
        until(lambda p=prediction: heart.request("GET", f"/predictions/{p['prediction_id']}").status_code == 200)


def compared(clone: Clone, heart: Deployed, version: str, rows: int, labels: int = 0) -> Report:
    """The report of `andamio monitor` once it has seen all rows and labels; those of its last second are not in it."""

    def report() -> Report | None:
        clone.ok("monitor")
        lake = heart.bucket("lake")
        latest = documents.read(lake, layout.LATEST_REPORT, LatestReport)
        found = documents.read(lake, latest.report, Report)
        return found if found.traffic.rows >= rows and found.labels.joined >= labels else None

    found: Report = until(report)
    assert found.model.release == version
    assert found.traffic.rows == rows
    return found


def etags(heart: Deployed) -> dict[str, str]:
    """Raw files and data versions as they are."""
    lake = heart.bucket("lake")
    return {info.key: info.etag for prefix in (layout.RAW, layout.DATASETS) for info in lake.list(prefix)}


def test_five_hundred_familiar_records_stay_silent(clone: Clone, heart: Deployed, twin: str) -> None:
    predictions = ask(heart, familiar(REQUESTS, 1))
    captured(heart, predictions)
    report = compared(clone, heart, twin, REQUESTS)
    assert report.status == "quiet", report.message
    assert report.alarms == []
    assert report.data is not None
    assert report.data.drifted == []
    served = heart.request("GET", "/monitoring").json()
    assert served["window"]["end"] == report.window.end
    assert heart.bucket("lake").head(report.page).size > 100_000


def test_the_hungarian_hospital_rings_with_what_moved_in_the_right_order(
    clone: Clone, heart: Deployed, twin: str
) -> None:
    queue = Queue(heart)
    # The demo has made it ring, and within a minute of that it would ring on.
    heart.account.client("cloudwatch").set_alarm_state(
        AlarmName=names.alarm("heart", "drift"), StateValue="OK", StateReason="a test begins"
    )
    rows = rows_of(HEART / "heart-hungary.csv")
    predictions = ask(heart, rows)
    captured(heart, predictions)
    report = compared(clone, heart, twin, len(rows))
    assert report.status == "alarm"
    assert "drift" in report.alarms
    assert report.data is not None
    # Most of the patients were not asked for these.
    assert report.data.drifted[:3] == ["ca", "thal", "slope"]
    assert report.retraining is not None
    assert report.retraining.status == "missing"
    # Other tests have sent a label or two; they are no training.
    assert "labelled records are new, and 50 are needed: send labels (andamio feedback FILE" in report.message
    message = queue.receive()
    assert "drift" in message["AlarmName"]
    said = clone.ok("monitor", "--last").out
    assert [name for name in ("ca", "slope", "thal") if name not in said] == []
    assert "drift" in clone.ok("status").said


def opposite(row: Row) -> str:
    """The other label than the row has."""
    return {"0": "1", "1": "0"}[row[TARGET]]


def retrainings(heart: Deployed) -> dict[str, Execution]:
    """The executions of ETL that the watch started, by name."""
    found = {execution.name: execution for execution in heart.executions("etl")}
    return {name: execution for name, execution in found.items() if name.startswith("retrain-")}


def ended(heart: Deployed, machine: str, name: str) -> Execution:
    """An execution once it has succeeded."""

    def over() -> Execution | None:
        found = next((one for one in heart.executions(machine) if one.name == name), None)
        return None if found is None or found.running else found

    execution: Execution = until(over, 900)
    assert execution.status == "SUCCEEDED", execution.cause
    return execution


@pytest.mark.skipif(not NIGHTLY, reason="a training more: every night, and in `make e2e`")
def test_labels_of_a_world_that_changed_start_one_training_whose_model_is_promoted_by_recent_rows(
    clone: Clone, heart: Deployed, twin: str
) -> None:
    """The patients of Hungary one and two years later: what the label says has become its opposite.

    It comes before the test that flips labels of familiar records: those contradict the data, and hold a training up.
    """
    known = set(retrainings(heart))
    patients = rows_of(HEART / "heart-hungary.csv")
    rows = [{**row, "age": str(int(row["age"]) + years)} for years in (1, 2) for row in patients]
    predictions = ask(heart, rows)
    tell(heart, {made["prediction_id"]: opposite(row) for made, row in zip(predictions, rows, strict=True)})
    captured(heart, predictions)
    report = compared(clone, heart, twin, len(rows), len(rows))
    assert {"drift", "performance"} <= set(report.alarms)
    assert report.retraining is not None
    assert report.retraining.status == "start", report.retraining.message
    (name,) = set(retrainings(heart)) - known
    etl = ended(heart, "etl", name)
    clone.ok("monitor")
    assert set(retrainings(heart)) - known == {name}, "the same labels start no second one"
    ended(heart, "train", names.training_execution(etl.output["version"]))
    champion = read_pointer(heart.bucket("models"), "heart")[0].champion
    assert champion is not None
    assert champion.release != twin
    decision = json.loads(Release.open(heart.bucket("models"), champion.release).read("decision.json"))
    assert (decision["outcome"], decision["rule"]) == ("promoted", "recent")
    assert "The watch started this training. Retraining: the model has become worse" in decision["reason"]
    assert "The watch started this training." in " ".join(clone.ok("history").said.split())


def test_flipped_labels_are_concept_drift_and_leave_raw_data_and_holdout_as_they_were(
    clone: Clone, heart: Deployed, twin: str
) -> None:
    before = etags(heart)
    rows = familiar(REQUESTS, 3)
    predictions = ask(heart, rows)
    flipped = {p["prediction_id"]: {"0": "1", "1": "0"}[row[TARGET]] for p, row in zip(predictions, rows, strict=True)}
    tell(heart, flipped)
    captured(heart, predictions)
    report = compared(clone, heart, twin, REQUESTS, REQUESTS)
    assert report.alarms == ["performance"]
    assert report.performance is not None
    assert report.performance.labelled == REQUESTS
    assert report.performance.status == "worse"
    assert report.retraining is not None
    assert report.retraining.status == "missing"
    assert "labels contradict those of equal rows in the data" in report.retraining.message
    assert etags(heart) == before


def test_labels_of_predicted_positives_only_are_uneven_coverage_and_no_concept_drift(
    clone: Clone, heart: Deployed, twin: str
) -> None:
    rows = familiar(REQUESTS, 4)
    predictions = ask(heart, rows)
    positives = {p["prediction_id"]: row[TARGET] for p, row in zip(predictions, rows, strict=True) if p["label"] == "1"}
    tell(heart, positives)
    captured(heart, predictions)
    report = compared(clone, heart, twin, REQUESTS, len(positives))
    assert report.alarms == ["coverage"]
    assert report.performance is not None
    assert report.performance.status != "worse"
    assert report.labels.joined == len(positives)


class Queue:
    """A queue that hears the alerts topic."""

    def __init__(self, heart: Deployed) -> None:
        sqs, sns = heart.account.client("sqs"), heart.account.client("sns")
        topic = heart.outputs["alerts_topic"]
        self._sqs, self._url = sqs, sqs.create_queue(QueueName="andamio-watch-test")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        may_send = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [may_send]})
        sqs.set_queue_attributes(QueueUrl=self._url, Attributes={"Policy": policy})
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def receive(self) -> dict[str, Any]:
        """The message of the next alarm."""

        def alarm() -> dict[str, Any] | None:
            reply = self._sqs.receive_message(QueueUrl=self._url, WaitTimeSeconds=1)
            for message in reply.get("Messages", []):
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                content: dict[str, Any] = json.loads(json.loads(message["Body"])["Message"])
                if content.get("NewStateValue") == "ALARM":
                    return content
            return None

        found: dict[str, Any] = until(alarm)
        return found
