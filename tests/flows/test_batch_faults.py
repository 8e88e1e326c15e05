"""What can go wrong on the way from a file to its predictions, and what it costs: time, and nothing else."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.storage import layout
from lambdas.score import handler as score_handler
from scoring.batch import prediction_id
from tests.support.releases import linear_onnx, serve

from .cloud import throttled
from .scoring import CONTRACT, Json, Scoring, heart_file, lines_of


def test_a_worker_killed_between_its_results_and_the_table_loses_and_doubles_nothing(
    scoring: Scoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_all, killed = DynamoPredictionStore.put_all, []

    def kills(self: DynamoPredictionStore, items: Any) -> None:
        if len(killed) < 3:
            killed.append(len(items))
            raise MemoryError("killed")
        put_all(self, items)

    monkeypatch.setattr(DynamoPredictionStore, "put_all", kills)
    ended = scoring.score("patients.csv", heart_file(303))
    assert ended.status == "SUCCEEDED", ended.cause
    assert len(killed) == 3
    batch = ended.output["batch"]
    expected = {prediction_id(batch, line) for line in range(2, 305)}
    assert [row["prediction_id"] for row in scoring.scored(batch)] == sorted(expected, key=lambda name: int(name[29:]))
    assert {item["prediction_id"]["S"] for item in scoring.items()} == expected
    assert set(scoring.versions(layout.SCORED).values()) == {1}


def test_a_throttled_table_takes_longer_and_gets_every_row(scoring: Scoring, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.client import BaseClient
    from botocore.exceptions import ClientError

    call, refusals = BaseClient._make_api_call, iter(range(10))

    def throttled(self: Any, operation: str, asked: Json) -> Any:
        if operation != "BatchWriteItem" or (refusal := next(refusals, None)) is None:
            return call(self, operation, asked)
        if refusal % 2:
            said = {"Code": "ProvisionedThroughputExceededException", "Message": "too fast"}
            raise ClientError({"Error": said}, operation)
        ((table, requests),) = asked["RequestItems"].items()
        reply = call(self, operation, {"RequestItems": {table: requests[:3]}})
        return reply | {"UnprocessedItems": {table: requests[3:]}}

    monkeypatch.setattr(BaseClient, "_make_api_call", throttled)
    ended = scoring.score("patients.csv", heart_file(200))
    assert ended.status == "SUCCEEDED", ended.cause
    assert next(refusals, None) is None, "the table did refuse"
    assert len(scoring.items()) == 200
    assert scoring.calls("give_up") == []


def test_a_throttled_worker_is_waited_for_and_gives_nothing_up(scoring: Scoring, waits: list[float]) -> None:
    scoring.instead(throttled(25, score_handler.handler, "plan", "survey", "score", "verify", "publish"))
    ended = scoring.score("patients.csv", heart_file(200))
    assert ended.status == "SUCCEEDED", ended.cause
    assert scoring.calls("give_up") == []
    assert len(waits) == 100, "four steps, for so short a file is not surveyed"


def test_a_shard_is_given_up_and_the_batch_marked_even_where_both_are_throttled(
    scoring: Scoring, waits: list[float]
) -> None:
    def failing(event: Json, context: Any) -> Json:
        if event["step"] == "score" and event["shard"] == 1:
            raise MemoryError("out of memory")
        return score_handler.handler(event, context)

    scoring.instead(throttled(25, failing, "give_up", "fail"))
    ended = scoring.score("patients.csv", heart_file(200))
    assert ended.status == "FAILED"
    batch = scoring.calls("give_up")[-1]["batch"]
    assert scoring.state(batch)["status"] == "failed"
    assert "out of memory" in json.dumps(scoring.state(batch))
    assert len(waits) == 2 * 25 + 2, "and two for the shard itself"


def test_ten_executions_side_by_side_and_990_more_plans_of_one_event_leave_one_result(scoring: Scoring) -> None:
    """A duplicate that comes late ends with its first step: that step alone is what the 990 are."""
    event = scoring.drop("patients.csv", heart_file(120))
    arns = [scoring.cloud.start("batch", event) for _ in range(10)]
    ended = [scoring.cloud.ended(arn) for arn in arns]
    assert {execution.status for execution in ended} == {"SUCCEEDED"}, [execution.cause for execution in ended]
    assert sorted({execution.output["status"] for execution in ended}) in (["done"], ["done", "running"])
    (batch,) = {execution.output["batch"] for execution in ended}
    before = scoring.versions("")
    said = {
        json.dumps(score_handler.handler({"step": "plan", "event": event, "execution": f"again-{number}"}, None))
        for number in range(990)
    }
    (answer,) = said
    assert (json.loads(answer)["status"], json.loads(answer)["batch"]) == ("done", batch)
    assert scoring.versions("") == before, "nothing was written again"
    results = {key: times for key, times in before.items() if not key.endswith("/state.json")}
    assert set(results.values()) == {1}
    assert len(scoring.calls("score")) == len(scoring.parts(batch))
    assert len(scoring.items()) == len(scoring.scored(batch)) == 120
    assert len(scoring.told()) == 1


def test_a_promotion_in_the_middle_does_not_mix_models(scoring: Scoring) -> None:
    planned = json.loads(scoring.cloud.models.get(layout.pointer("heart")).body)["champion"]["release"]
    promoted: list[str] = []
    one = threading.Lock()

    def promoting(event: Json, context: Any) -> Json:
        with one:
            if event["step"] == "score" and not promoted:
                promoted.append(serve(scoring.cloud.models, CONTRACT, linear_onnx(CONTRACT, favour=1)))
        return score_handler.handler(event, context)

    scoring.instead(promoting)
    batch = scoring.score("patients.csv", heart_file(303)).output["batch"]
    assert {row["model_version"] for row in scoring.scored(batch)} == {planned}
    assert scoring.manifest(batch)["release"]["version"] == planned
    assert promoted != [planned]
    next_batch = scoring.score("others.csv", heart_file(30)).output["batch"]
    assert {row["model_version"] for row in scoring.scored(next_batch)} == set(promoted)


def test_a_shard_that_always_fails_is_reported_and_resumed_by_itself(scoring: Scoring) -> None:
    def failing(event: Json, context: Any) -> Json:
        if event["step"] == "score" and event["shard"] == 2:
            raise MemoryError("out of memory")
        return score_handler.handler(event, context)

    scoring.instead(failing)
    ended = scoring.score("patients.csv", heart_file(303))
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Rejected")
    assert "out of memory" in ended.cause
    ((batch,),) = {tuple({event["batch"] for event in scoring.calls("score")})}
    state = scoring.state(batch)
    assert (state["status"], state["missing"]) == ("failed", [2])
    assert state["reason"] == ended.cause
    good = scoring.versions(layout.SCORED)
    assert layout.batch_manifest(batch) not in good
    assert len(good) > 4, "good shards are kept"
    assert scoring.told() == []

    scoring.instead(score_handler.handler)
    scoring.cloud.calls.clear()
    resumed = scoring.resume(batch)
    assert resumed.status == "SUCCEEDED", resumed.cause
    assert scoring.calls("score") == [{"step": "score", "batch": batch, "shard": 2}]
    assert lines_of(scoring.scored(batch)) == list(range(2, 305))
    assert scoring.state(batch)["status"] == "done"
    assert set(scoring.versions(layout.SCORED).values()) == {1}
    assert len(scoring.items()) == 303
