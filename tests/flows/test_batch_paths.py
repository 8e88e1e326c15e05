"""The ways through the batch machine that a small CSV file does not take."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from andamio.storage import layout
from lambdas.score import handler as score_handler
from scoring import plan as planning

from .scoring import Json, Scoring, heart_file, lines_of

NOTE = '"said: ""it hurts"",\nthen left"'


def with_notes(rows: int) -> str:
    """A file whose every third record has a note of two lines, in quotes; each begins on a line of its own."""
    header, *lines = heart_file(rows).splitlines()
    notes = (NOTE if place % 3 == 0 else "" for place in range(rows))
    return "\n".join([f"{header},note", *(f"{line},{note}" for line, note in zip(lines, notes, strict=True))])


def test_a_large_file_is_surveyed_side_by_side_and_cut_between_its_rows(scoring: Scoring) -> None:
    ended = scoring.score("patients.csv", with_notes(900))
    assert ended.status == "SUCCEEDED", ended.cause
    batch = ended.output["batch"]
    assert scoring.cloud.history(ended.arn)[:5] == ["Plan", "Ready?", "Survey chunks", "Cut", "Ready?"]
    assert len(scoring.calls("survey")) > 10
    assert {json.dumps(call.result) for call in scoring.cloud.calls if call.event["step"] == "survey"} == {"{}"}
    rows = scoring.scored(batch)
    assert [row["record_id"] for row in rows] == [f"patient-{number}" for number in range(900)]
    assert {row["note"] for row in rows} == {"", 'said: "it hurts",\nthen left'}
    expected = [2 + number + (number + 2) // 3 for number in range(900)]
    assert lines_of(rows) == expected, "the line on which each row begins, notes of two lines before it counted"


def test_a_chunk_that_cannot_be_surveyed_fails_the_batch_and_a_resumed_one_surveys_it_alone(scoring: Scoring) -> None:
    def failing(event: Json, context: Any) -> Json:
        if event["step"] == "survey" and event["chunk"] == 3:
            raise MemoryError("out of memory")
        return score_handler.handler(event, context)

    scoring.instead(failing)
    ended = scoring.score("patients.csv", with_notes(600))
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Rejected")
    assert "out of memory" in ended.cause
    (batch,) = {event["batch"] for event in scoring.calls("survey")}
    assert scoring.state(batch)["status"] == "failed"
    assert scoring.calls("score") == []
    scoring.instead(score_handler.handler)
    scoring.cloud.calls.clear()
    resumed = scoring.resume(batch)
    assert resumed.status == "SUCCEEDED", resumed.cause
    assert scoring.calls("survey") == [{"step": "survey", "batch": batch, "chunk": 3}]
    assert len(scoring.scored(batch)) == 600


def test_a_gzip_file_is_unpacked_and_scored(scoring: Scoring) -> None:
    ended = scoring.score("patients.csv.gz", gzip.compress(heart_file(200, poisoned=[9]).encode()))
    assert ended.status == "SUCCEEDED", ended.cause
    assert "Unpack" in scoring.cloud.history(ended.arn)
    batch = ended.output["batch"]
    assert lines_of(scoring.scored(batch)) == [line for line in range(2, 202) if line != 11]
    assert [reject["line"] for reject in scoring.rejected(batch)] == [11]
    assert scoring.manifest(batch)["input"]["compression"] == "gzip"


def test_a_parquet_file_is_cut_between_its_row_groups_and_scored(scoring: Scoring) -> None:
    table, file = pa.csv.read_csv(io.BytesIO(heart_file(200).encode())), io.BytesIO()
    pa.parquet.write_table(table, file, row_group_size=50)
    ended = scoring.score("columns.parquet", file.getvalue())
    assert ended.status == "SUCCEEDED", ended.cause
    assert (ended.output["rows"], ended.output["scored"]) == (200, 200)
    assert len(scoring.calls("score")) > 1


def test_a_file_is_refused_while_no_model_is_served(scoring: Scoring) -> None:
    models = scoring.cloud.models
    models._s3.delete_object(Bucket=models.bucket, Key=layout.pointer("heart"))
    ended = scoring.score("patients.csv", heart_file(10))
    assert ended.status == "FAILED"
    assert "model" in ended.cause


def test_a_folder_is_no_file_and_nothing_happens(scoring: Scoring) -> None:
    ended = scoring.score("march/", b"")
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "ignored")
    assert not scoring.versions(layout.BATCHES)
    assert scoring.told() == []


def test_a_file_that_lies_there_is_scored_when_somebody_names_it(scoring: Scoring) -> None:
    scoring.drop("patients.csv", heart_file(20))
    ended = scoring.cloud.run("batch", {"key": "incoming/patients.csv"})
    assert ended.status == "SUCCEEDED", ended.cause
    assert len(scoring.scored(ended.output["batch"])) == 20


def test_a_fault_while_planning_is_written_down_and_resumed(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Json:
        raise ConnectionError("S3 hung up")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(planning, "remaining_work", broken)
        ended = scoring.score("patients.csv", heart_file(50))
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Fault")
    assert "S3 hung up" in ended.cause
    (key,) = [key for key in scoring.versions(layout.BATCHES) if key.endswith("/state.json")]
    batch = key.split("/")[1]
    state = scoring.state(batch)
    assert state["status"] == "failed"
    assert "S3 hung up" in state["reason"]
    resumed = scoring.resume(batch)
    assert resumed.status == "SUCCEEDED", resumed.cause
    assert len(scoring.scored(batch)) == 50


def test_an_event_that_comes_again_for_a_batch_that_failed_does_not_try_it_behind_ones_back(scoring: Scoring) -> None:
    event = scoring.drop("patients.csv", heart_file(50).replace(",cp,", ",chest_pain,", 1))
    assert scoring.cloud.run("batch", event).status == "FAILED"
    again = scoring.cloud.run("batch", event)
    assert (again.status, again.output["status"]) == ("SUCCEEDED", "ignored")
    assert "--resume" in again.output["message"]
