"""Retraining after the Hungarian hospital, from drift to a model that the rule `recent` promotes, with true labels.

What is real: the hospital's 294 patients, their values and their diagnoses, and that most of them were not asked for
three of the features. What is resampled: they are too few for the gate (20 new holdout rows of each class), so each
comes four times, as if more months had passed. Age, blood pressure, cholesterol and pulse are moved by a little, and
each has a record id of its own. No label is changed. Since copies of a patient may be on both sides of the split, the
gain that the gate sees says nothing about the hospital: the test is of the way, not of the model.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from andamio import names
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.storage import documents, layout
from monitoring.report import REPORT, LatestReport, Report
from monitoring.window import iso, moment

from .conftest import HEART, Clone, Deployed, until
from .test_verify import NIGHTLY
from .test_watch import TARGET, Row, captured, ended, retrainings, rows_of

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("demo"),
    pytest.mark.skipif(not NIGHTLY, reason="a training more: every night, and in `make e2e`"),
]

COPIES, AT_ONCE = 4, 500
MOVED = {"age": 2.0, "trestbps": 4.0, "chol": 8.0, "thalach": 4.0}
"""By so many units (standard deviation); a value that is missing stays missing."""


def patients() -> list[Row]:
    """The hospital's own patients, each several times, as the docstring of this file says."""
    random = np.random.default_rng(0)

    def moved(row: Row) -> Row:
        numbers = {name: row[name] for name in MOVED if row[name] not in ("", "?")}
        return row | {
            name: str(max(1, round(float(value) + random.normal(0, MOVED[name])))) for name, value in numbers.items()
        }

    real = rows_of(HEART / "heart-hungary.csv")
    return [*real, *(moved(row) for _ in range(COPIES - 1) for row in real)]


def ask(heart: Deployed, rows: list[Row]) -> list[dict[str, Any]]:
    records = [
        {
            "id": f"hungary-{number}",
            "features": {
                name: float(value) if value not in ("", "?") else None for name, value in row.items() if name != TARGET
            },
        }
        for number, row in enumerate(rows)
    ]
    found: list[dict[str, Any]] = []
    for first in range(0, len(records), AT_ONCE):
        reply = heart.request("POST", "/predict/batch", json={"records": records[first : first + AT_ONCE]})
        assert reply.status_code == 200, reply.text
        found += reply.json()["predictions"]
    return found


def tell(heart: Deployed, rows: list[Row]) -> None:
    labels = [{"record_id": f"hungary-{number}", "label": row[TARGET]} for number, row in enumerate(rows)]
    for first in range(0, len(labels), AT_ONCE):
        reply = heart.request("POST", "/feedback", json=labels[first : first + AT_ONCE])
        assert reply.status_code == 202, reply.text


def looked(clone: Clone, heart: Deployed, rows: int, labels: int) -> Report:
    """The report of `andamio monitor` once it has seen all rows and labels."""

    def report() -> Report | None:
        clone.ok("monitor")
        lake = heart.bucket("lake")
        found = documents.read(lake, documents.read(lake, layout.LATEST_REPORT, LatestReport).report, Report)
        return found if found.traffic.rows >= rows and found.labels.joined >= labels else None

    found: Report = until(report)
    return found


def watch_at_once(heart: Deployed) -> Report | None:
    """Two monitors at once, and the event of one of them a second time; the report that they write, once it starts one.

    Labels of the last second are not in it.
    """
    client, machine = heart.account.client("stepfunctions"), heart.outputs["state_machines"]["monitor"]
    now = datetime.now(UTC)
    ends = [iso(now), iso(now), iso(now - timedelta(seconds=1))]
    arns = [
        client.start_execution(stateMachineArn=machine, input=json.dumps({"end": end}))["executionArn"] for end in ends
    ]
    for arn in arns:
        until(lambda arn=arn: not heart.account.execution(arn).running)
    assert [heart.account.execution(arn).status for arn in arns] == ["SUCCEEDED"] * 3
    reports = [
        documents.read(heart.bucket("lake"), layout.monitoring(one, REPORT), Report) for one in map(moment, ends)
    ]
    return next((one for one in reports if one.retraining is not None and one.retraining.status == "start"), None)


@pytest.mark.timeout(3600)
def test_drift_with_true_labels_starts_one_training_and_recent_rows_promote_its_model(
    clone: Clone, heart: Deployed, twin: str
) -> None:
    lake = heart.bucket("lake")
    for prefix in (layout.FEEDBACK, layout.CAPTURED_RECORDS, layout.RETRAINING):
        for info in lake.list(prefix):
            heart.account.delete(heart.outputs["buckets"]["lake"], info.key)
    known = set(retrainings(heart))
    rows = patients()
    captured(heart, ask(heart, rows))

    without = looked(clone, heart, len(rows), 0)
    assert "drift" in without.alarms
    assert without.retraining is not None
    assert without.retraining.status == "missing"
    assert "0 labelled records are new, and 50 are needed" in without.message
    assert set(retrainings(heart)) == known

    tell(heart, rows)
    report: Report = until(lambda: watch_at_once(heart))
    assert report.model.release == twin
    (name,) = set(retrainings(heart)) - known
    cooling = looked(clone, heart, len(rows), len(rows))
    assert cooling.retraining is not None
    assert cooling.retraining.status == "waiting"
    assert "the cool-down ends at" in cooling.retraining.message

    etl = ended(heart, "etl", name)
    ended(heart, "train", names.training_execution(etl.output["version"]))
    assert set(retrainings(heart)) - known == {name}

    champion = read_pointer(heart.bucket("models"), "heart")[0].champion
    assert champion is not None
    decision = json.loads(Release.open(heart.bucket("models"), champion.release).read("decision.json"))
    assert (decision["outcome"], decision["rule"]) == ("promoted", "recent"), decision["reason"]
    assert champion.release != twin
    assert "The watch started this training. Retraining: drift" in decision["reason"]
