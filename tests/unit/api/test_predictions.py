"""Predictions that were made before: from the table, or from where a batch too large for it has them."""

from __future__ import annotations

from typing import Any

import pytest

from andamio.storage import layout
from lambdas.api.app import create_app
from lambdas.api.predictions import lookup
from scoring.batch import Shard, prediction_id
from tests.support.api import Api, event
from tests.support.batches import BATCH, CREATED, OTHER, a_plan, put_cut, put_shard, put_state
from tests.unit.api.conftest import PATIENT
from tests.unit.api.test_batches import described

ITEM: dict[str, Any] = {
    "prediction_id": prediction_id(BATCH, 3),
    "record_id": "visit-17",
    "label": "1",
    "label_text": "Heart disease detected",
    "probabilities": {"0": 0.25, "1": 0.75},
    "model": "heart",
    "model_version": "0123456789abcdef",
    "created": CREATED,
    "batch": BATCH,
    "line": 3,
    "expires_at": 2_000_000_000,
}
SHOWN: dict[str, Any] = {
    key: value for key, value in ITEM.items() if key not in ("model", "model_version", "expires_at")
} | {"model": {"name": "heart", "version": "0123456789abcdef"}}


def ask(api: Api, line: int, batch: str = BATCH) -> Any:
    return api.get(f"/predictions/{prediction_id(batch, line)}")


@pytest.fixture
def scored(api: Api) -> Api:
    """A batch in two shards that is not in the table: line 4 was rejected, a row spans the lines 11 to 13."""
    plan = a_plan()
    put_cut(api.batch, plan, 2, 10)
    put_shard(
        api.batch,
        plan,
        Shard(0, 0, 0, 2),
        {2: (0.9, 0.1), 3: (0.25, 0.75)},
        rejects={4: "cp: must be one of 1, 2, 3, 4"},
        ids={3: "visit-17"},
    )
    put_shard(api.batch, plan, Shard(1, 0, 0, 10), {10: (0.5, 0.5), 11: (0.125, 0.875), 14: (1, 0)})
    return api


def test_the_table_answers_when_it_has_it(api: Api) -> None:
    api.table.put_all([ITEM])
    answer = ask(api, 3)
    described(api, "StoredPrediction", answer.json)
    assert answer.json == SHOWN


def test_a_large_batch_answers_from_its_lookup_files_alike(scored: Api) -> None:
    answer = ask(scored, 3)
    described(scored, "StoredPrediction", answer.json)
    assert answer.json == SHOWN
    assert ask(scored, 2).json["record_id"] is None
    assert ask(scored, 11).json["probabilities"] == {"0": 0.125, "1": 0.875}
    assert ask(scored, 14).json["label_text"] == "Healthy patient"


def test_a_rejected_row_says_why_and_where_it_is(scored: Api) -> None:
    answer = ask(scored, 4)
    assert answer.status == 404
    detail = answer.json["detail"]
    assert "line 4 was rejected: cp: must be one of 1, 2, 3, 4" in detail
    assert layout.rejected_part(BATCH, 0) in detail


@pytest.mark.parametrize("line", [5, 12, 15, 10**14])
def test_a_line_on_which_no_row_begins_has_no_prediction(scored: Api, line: int) -> None:
    answer = ask(scored, line)
    assert answer.status == 404
    assert f"begins on line {line}" in answer.json["detail"]


def test_the_header_has_no_prediction(scored: Api) -> None:
    answer = ask(scored, 1)
    assert (answer.status, answer.json["detail"]) == (404, "The file of this batch has its first row on line 2.")


def test_among_too_many_rejects_to_search_it_says_that_it_may_be_one(
    scored: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "SEARCHED", 40)
    detail = ask(scored, 4).json["detail"]
    assert "may be one of the rejected rows" in detail
    assert layout.rejected_part(BATCH, 0) in detail


def test_a_shard_that_is_not_scored_yet_says_so(api: Api) -> None:
    put_cut(api.batch, a_plan(), 2, 10)
    answer = ask(api, 12)
    assert answer.status == 404
    assert "not scored" in answer.json["detail"]


def test_an_unknown_batch_has_no_predictions_and_a_repeated_one_names_the_first(api: Api) -> None:
    assert ask(api, 2, OTHER).status == 404
    api.batch.put(layout.batch(BATCH, "plan.json"), a_plan().to_json())
    put_state(api.batch, status="done", same_as=OTHER)
    assert OTHER in ask(api, 2).json["detail"]


def test_an_online_prediction_is_looked_up_by_its_own_id(api: Api) -> None:
    online = "0123456789abcdef" * 2
    answer = api.get(f"/predictions/{online}")
    assert (answer.status, "some seconds after its answer" in answer.json["detail"]) == (404, True)
    item = {key: value for key, value in ITEM.items() if key not in ("batch", "line", "record_id")}
    api.table.put_all([item | {"prediction_id": online}])
    body = api.get(f"/predictions/{online}").json
    described(api, "StoredPrediction", body)
    assert (body["batch"], body["line"], body["record_id"]) == (None, None, None)


@pytest.mark.parametrize("text", ["x", BATCH, f"{BATCH}-", f"{BATCH}-x", f"{BATCH}-{'9' * 16}", "A" * 32, "%2e%2e"])
def test_what_is_no_id_is_told_what_one_is(api: Api, text: str) -> None:
    answer = api.get(f"/predictions/{text}")
    assert answer.status == 422
    assert answer.json["errors"][0]["field"] == "prediction_id"


def test_the_predictions_of_a_record_are_listed_newest_first(api: Api) -> None:
    later = ITEM | {"prediction_id": prediction_id(BATCH, 9), "created": "2026-11-22T10:00:00+00:00"}
    other = ITEM | {"prediction_id": prediction_id(BATCH, 8), "record_id": "visit-18"}
    api.table.put_all([ITEM, later, other])
    body = api.get("/predictions", record_id="visit-17").json
    described(api, "StoredPredictions", body)
    assert [said["prediction_id"] for said in body["predictions"]] == [later["prediction_id"], ITEM["prediction_id"]]
    assert body["predictions"][1] == SHOWN
    assert len(api.get("/predictions", record_id="visit-17", limit="1").json["predictions"]) == 1
    assert api.get("/predictions", record_id="nobody").json == {"predictions": []}


@pytest.mark.parametrize(("kept", "asked"), [("7", "7.0"), ("true", "True"), ("a b", " a b "), ("007", "007")])
def test_a_record_is_found_however_its_id_is_written(api: Api, kept: str, asked: str) -> None:
    api.table.put_all([ITEM | {"record_id": kept}])
    assert len(api.get("/predictions", record_id=asked).json["predictions"]) == 1


@pytest.mark.parametrize("query", [{}, {"record_id": ""}, {"record_id": " "}, {"record_id": "ü" * 1025}])
def test_without_a_record_there_is_nothing_to_list(api: Api, query: dict[str, str]) -> None:
    answer = api.get("/predictions", **query)
    assert (answer.status, answer.json["errors"][0]["field"]) == (422, "record_id")


def test_a_prediction_asks_neither_bucket_nor_table(api: Api) -> None:
    """A prediction pays nothing for batches: what they need is not even connected."""

    def forbidden() -> Any:
        raise AssertionError("a prediction connected to batches")

    api.gateway.app = create_app(lambda: api.serving, forbidden)
    assert api.predict(PATIENT).status == 200
    assert api.get("/ping").status == 200
    assert api.get("/batches").status == 500


QUERIES = {
    "a parameter twice": ("/predictions", {"record_id": ["a", "b"]}, "record_id", "expected once"),
    "a misspelled one": ("/batches", {"limt": ["5"]}, "limt", "unknown parameter; did you mean 'limit'?"),
    "one that is none": ("/model/card", {"x": ["5"]}, "x", "unknown parameter; known are format"),
}


@pytest.mark.parametrize(("path", "query", "field", "reason"), QUERIES.values(), ids=QUERIES.keys())
def test_a_query_is_not_taken_in_part(
    api: Api, path: str, query: dict[str, list[str]], field: str, reason: str
) -> None:
    sent = event("api-ping") | {"resource": path, "path": path, "multiValueQueryStringParameters": query}
    answer = api.send(sent)
    assert answer.status == 422
    assert answer.json["errors"] == [{"field": field, "reason": reason}]
