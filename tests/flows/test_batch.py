"""From a file under incoming/ to its predictions, through the whole state machine, with the real function."""

from __future__ import annotations

import json
import random

import boto3
import pytest

from andamio.storage import layout
from scoring.batch import prediction_id
from tests.support.api import Api
from tests.support.releases import linear_onnx, serve

from .scoring import CONTRACT, FEATURES, Scoring, heart_file, lines_of

ADDED = {"prediction_id", "label", "label_text", "probability_0", "probability_1", "model_version"}


def as_json(feature: str, cell: str) -> float | str | None:
    """A cell as somebody would send it over HTTP."""
    if cell in ("", "?"):
        return None
    return float(cell) if CONTRACT.inputs[feature].type in ("integer", "number") else cell


def test_a_file_that_lands_is_scored(scoring: Scoring) -> None:
    ended = scoring.score("patients.csv", heart_file(303, target=True))
    assert ended.status == "SUCCEEDED", ended.cause
    batch = ended.output["batch"]
    assert (ended.output["status"], ended.output["rows"], ended.output["rejected"]) == ("done", 303, 0)
    rows = scoring.scored(batch)
    assert list(rows[0]) == ["record_id", *FEATURES, "disease", *(name for name in rows[0] if name in ADDED)]
    assert set(rows[0]) >= ADDED
    assert [row["record_id"] for row in rows] == [f"patient-{number}" for number in range(303)]
    assert lines_of(rows) == list(range(2, 305)), "the line on which each row begins; the header is line 1"
    assert len(scoring.parts(batch)) > 5
    results = [call.result for call in scoring.cloud.calls if call.event["step"] == "score"]
    assert results == [{}] * len(scoring.parts(batch)), "children of a Map hand nothing back"
    assert scoring.rejected(batch) == []
    assert scoring.state(batch)["status"] == "done"
    merged = scoring.cloud.batch.get(layout.scored_whole(batch, "csv")).body.decode()
    assert merged.count("\n") == 304
    assert merged.count("prediction_id") == 1


def test_a_file_of_which_every_row_is_rejected_is_a_failed_batch(scoring: Scoring) -> None:
    body = heart_file(60, poisoned=list(range(60)))
    ended = scoring.score("patients.csv", body)
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Rejected")
    assert "patients.csv holds no row that can be scored: all of its 60 rows are rejected" in ended.cause
    (batch,) = {event["batch"] for event in scoring.calls("verify")}
    state = scoring.state(batch)
    assert (state["status"], state["rejected"], state["reason"]) == ("failed", 60, ended.cause)
    assert len(scoring.rejected(batch)) == 60
    scoring.cloud.calls.clear()
    again = scoring.score("copy.csv", body)
    assert (again.status, f"as batch {batch}" in again.cause) == ("FAILED", True)
    assert scoring.calls("score") == []


def test_the_manifest_says_what_it_was_made_of_and_adds_up(scoring: Scoring) -> None:
    batch = scoring.score("patients.csv", heart_file(303, poisoned=[4, 200])).output["batch"]
    manifest = scoring.manifest(batch)
    head = scoring.cloud.batch.head("incoming/patients.csv")
    assert manifest["input"]["key"] == head.key
    assert manifest["input"]["version"] == head.version
    assert (manifest["input"]["size"], manifest["input"]["etag"]) == (head.size, head.etag)
    assert (manifest["rows"], manifest["scored"], manifest["rejected"]) == (303, 301, 2)
    for figure in ("rows", "scored", "rejected"):
        assert sum(shard[figure] for shard in manifest["shards"]) == manifest[figure]
    assert manifest["files"]["scored"] == scoring.parts(batch)
    champion = json.loads(scoring.cloud.models.get(layout.pointer("heart")).body)["champion"]["release"]
    assert manifest["release"]["version"] == champion


def test_whoever_subscribed_is_told_once_that_a_batch_is_done(scoring: Scoring) -> None:
    batch = scoring.score("patients.csv", heart_file(50, poisoned=[7])).output["batch"]
    (told,) = scoring.told()
    assert told["Subject"] == f"Batch {batch}: 49 of 50 rows scored"
    assert len(told["Subject"]) < 60, "SNS takes 100 characters, numbers of rows may be long"
    said = json.loads(told["Message"])
    assert (said["batch"], said["scored"], said["rejected"]) == (batch, 49, 1)
    assert said["manifest"] == layout.batch_manifest(batch)
    scoring.score("patients.csv", heart_file(50, poisoned=[7]))
    assert scoring.told() == []


def test_a_batch_is_done_even_when_nobody_can_be_told(scoring: Scoring) -> None:
    (topic,) = boto3.client("sns").list_topics()["Topics"]
    boto3.client("sns").delete_topic(TopicArn=topic["TopicArn"])
    ended = scoring.score("patients.csv", heart_file(3))
    assert ended.status == "SUCCEEDED"
    assert scoring.state(ended.output["batch"])["status"] == "done"


@pytest.mark.parametrize("seed", range(3))
def test_bad_rows_cost_themselves_and_no_other_whatever_the_order(scoring: Scoring, seed: int) -> None:
    drawn = random.Random(seed)
    rows = drawn.randrange(150, 400)
    poisoned = sorted(drawn.sample(range(rows), drawn.randrange(1, 60)))
    ended = scoring.score("patients.csv", heart_file(rows, poisoned=poisoned, seed=seed))
    assert ended.status == "SUCCEEDED", ended.cause
    batch = ended.output["batch"]
    rejected = scoring.rejected(batch)
    assert [reject["line"] for reject in rejected] == [place + 2 for place in poisoned]
    assert all(reject["reason"] for reject in rejected)
    assert [reject["row"]["record_id"] for reject in rejected] == [f"patient-{place}" for place in poisoned]
    scored = scoring.scored(batch)
    assert lines_of(scored) == [place + 2 for place in range(rows) if place not in poisoned]
    assert (ended.output["scored"], ended.output["rejected"]) == (rows - len(poisoned), len(poisoned))


def test_every_prediction_of_a_small_batch_is_in_the_table_once(scoring: Scoring) -> None:
    batch = scoring.score("patients.csv", heart_file(120, poisoned=[3])).output["batch"]
    items = scoring.items()
    assert (
        {item["prediction_id"]["S"] for item in items}
        == {row["prediction_id"] for row in scoring.scored(batch)}
        == {prediction_id(batch, place + 2) for place in range(120) if place != 3}
    )
    found = scoring.cloud.table.of_record("patient-5", limit=10)
    said = [(item["prediction_id"], item["batch"], item["line"]) for item in found]
    assert said == [(prediction_id(batch, 7), batch, 7)]
    row = scoring.scored(batch)[4]
    assert found[0]["label"] == row["label"]
    assert found[0]["probabilities"]["1"] == pytest.approx(float(row["probability_1"]), abs=1e-6)
    assert not set(FEATURES) & set(found[0]), "no features in the table"


def test_the_same_file_again_is_answered_from_the_manifest_until_the_model_changes(scoring: Scoring) -> None:
    first = scoring.score("patients.csv", heart_file(100)).output["batch"]
    scoring.cloud.calls.clear()
    again = scoring.score("copy of patients.csv", heart_file(100))
    assert again.output["status"] == "done"
    assert again.output["batch"] != first
    assert scoring.state(again.output["batch"])["same_as"] == first
    assert {call.event["step"] for call in scoring.cloud.calls} == {"plan"}
    assert len(scoring.items()) == 100
    serve(scoring.cloud.models, CONTRACT, linear_onnx(CONTRACT, favour=1))
    other = scoring.score("patients.csv", heart_file(100)).output
    assert other["rows"] == 100
    assert scoring.state(other["batch"])["same_as"] is None
    assert len(scoring.items()) == 200


def test_a_batch_says_what_the_api_says_of_the_same_records(scoring: Scoring) -> None:
    api = Api(objects=scoring.cloud.models)  # type: ignore[arg-type]
    batch = scoring.score("patients.csv", heart_file(303)).output["batch"]
    rows = scoring.scored(batch)
    records = [{name: value for name in FEATURES if (value := as_json(name, row[name])) is not None} for row in rows]
    answer = api.post("/predict/batch", {"records": [{"features": record} for record in records]})
    assert answer.status == 200, answer.text
    for row, said in zip(rows, answer.json["predictions"], strict=True):
        assert row["label"] == said["label"]
        for name, value in said["probabilities"].items():
            assert float(row[f"probability_{name}"]) == pytest.approx(value, abs=1e-6)


def test_a_file_without_a_column_is_refused_before_any_row_is_scored(scoring: Scoring) -> None:
    ended = scoring.score("patients.csv", heart_file(50).replace(",cp,", ",chest_pain,", 1))
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Rejected")
    assert "cp" in ended.cause
    assert {call.event["step"] for call in scoring.cloud.calls} == {"plan", "fail"}
    (state,) = [info.key for info in scoring.cloud.batch.list(layout.BATCHES) if info.key.endswith("/state.json")]
    assert scoring.json(state)["status"] == "failed"
    assert scoring.json(state)["reason"] == ended.cause
    assert not scoring.versions(layout.SCORED)
