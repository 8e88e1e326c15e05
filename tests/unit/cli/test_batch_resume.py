"""Batches that fail, die or wait: `andamio batch` says so, and `--resume` goes on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.aws import NoAnswer
from andamio.adapters.memory import MemoryObjects
from andamio.cli.batches import batch, watch
from andamio.cli.models.follow import follow
from andamio.errors import AwsError
from andamio.storage import layout
from scoring.batch import Shard
from tests.support.batch_cloud import DEPLOYED, Cloud, refusal, refused, said
from tests.support.batches import BATCH, a_plan, put_cut, put_shard, put_state

LOCAL = "http://127.0.0.1:9"


def test_why_a_batch_failed_is_said_and_how_to_go_on(cloud: Cloud, file: Path) -> None:
    bucket = cloud.buckets["batch"]
    cloud.on_arrival = lambda batch_id, key: put_state(
        bucket, batch_id, status="failed", reason="Column 'cp' is missing."
    )
    said = refused("batch", str(file))
    assert "Column 'cp' is missing." in said
    assert "--resume" not in said, "what is wrong with a file is not mended by going on"

    def half(batch_id: str, key: str) -> None:
        plan = a_plan(batch=batch_id)
        put_cut(bucket, plan, 2, 10)
        put_shard(bucket, plan, Shard(0, 0, 0, 2), {2: (0.5, 0.5)})
        put_state(bucket, batch_id, status="failed", reason="1 part could not be scored.")

    cloud.on_arrival = half
    error = refusal("batch", str(file))
    assert error.code == "execution-failed"
    assert "1 of 2 shards are scored. To resume: andamio batch --resume" in str(error)


def test_an_execution_that_dies_without_a_word_is_noticed(cloud: Cloud, file: Path) -> None:
    def dies(batch_id: str, key: str) -> None:
        put_state(cloud.buckets["batch"], batch_id)
        cloud.run("e-1", "TIMED_OUT", "took too long")

    cloud.on_arrival = dies
    assert "ended as TIMED_OUT: took too long" in refused("batch", str(file))


def test_an_execution_that_begins_while_it_is_looked_for_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    account: Any = SimpleNamespace(executions=lambda machine, limit: [])
    looks = iter([None, SimpleNamespace(running=True)])
    monkeypatch.setattr(watch.Watch, "_execution", lambda self: next(looks))
    monkeypatch.setattr(watch.Watch, "_execution_name", lambda self: "e-1")
    watch.Watch(account, MemoryObjects(), "machine", BATCH)._require_execution(1.0)
    assert next(looks, "none") == "none", "the second look found it"


def failing(monkeypatch: pytest.MonkeyPatch, error: AwsError, endpoint_url: str | None) -> tuple[str, str]:
    """What a batch and a training say when a call fails so while they wait."""

    def gone(*arguments: Any) -> None:
        raise error

    monkeypatch.setattr(watch, "read_status", gone)
    account: Any = SimpleNamespace(execution=gone, endpoint_url=endpoint_url, executions=lambda machine, limit: [])
    with pytest.raises(type(error)) as batch_error:
        watch.Watch(account, MemoryObjects(), "machine", BATCH).await_end()
    with pytest.raises(type(error)) as training_error:
        follow(account, "arn:1", "Training")
    return str(batch_error.value), str(training_error.value)


@pytest.mark.parametrize(
    ("endpoint_url", "emulator", "said"),
    [
        (LOCAL, "ministack", "Nothing answers. Start the local cloud: andamio up"),
        (None, "localstack", "Nothing answers. Check the region's name (AWS_REGION) and your connection."),
    ],
)
def test_where_the_cloud_dies_it_is_said_what_is_safe_and_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, endpoint_url: str | None, emulator: str, said: str
) -> None:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    (tmp_path / "cloud.json").write_text(json.dumps({"emulator": emulator}))
    of_batch, of_training = failing(monkeypatch, NoAnswer(said), endpoint_url)
    sentence = said.rstrip(".")
    assert of_batch == f"{sentence}. What was scored is kept. To go on: andamio batch --resume {BATCH}"
    assert of_training == f"{sentence}. Finished steps are kept. To go on, give this command again."


def test_of_a_cloud_in_memory_and_of_a_call_that_is_refused_nothing_is_said_to_be_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    refused_call = AwsError("AccessDenied")
    assert failing(monkeypatch, refused_call, LOCAL) == ("AccessDenied", "AccessDenied")
    (tmp_path / "cloud.json").write_text(json.dumps({"emulator": "localstack"}))
    assert failing(monkeypatch, NoAnswer("Nothing answers."), LOCAL) == ("Nothing answers.", "Nothing answers.")


def test_a_machine_that_fails_before_it_plans_is_noticed(cloud: Cloud, file: Path) -> None:
    cloud.run("old", "FAILED", "yesterday's")
    cloud.on_arrival = lambda batch_id, key: cloud.run("e-2", "FAILED", '{"errorMessage": "no module"}')
    assert "The batch machine failed: no module" in refused("batch", str(file))


def test_a_file_that_starts_nothing_is_noticed(cloud: Cloud, file: Path) -> None:
    cloud.on_arrival = lambda batch_id, key: None
    assert refusal("batch", str(file)).code == "execution-failed"


def test_going_on_starts_an_execution_and_brings_the_result_into_this_folder(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put_state(cloud.buckets["batch"], status="failed", reason="a worker died")

    def goes_on(name: str, payload: dict[str, Any]) -> None:
        cloud.run(name, "RUNNING")
        cloud.score(BATCH)

    cloud.on_start = goes_on
    said(monkeypatch, "batch", "--resume", BATCH)
    ((name, payload),) = cloud.started
    assert name.startswith("resume-")
    assert payload == {"batch": BATCH, "resume": True}
    assert (tmp_path / "patients.scored.csv").exists()
    said(monkeypatch, "batch", "--resume", BATCH, "--format", "sqlite")
    assert len(cloud.started) == 1, "a batch that is done is only brought"
    assert (tmp_path / "patients.scored.sqlite").exists()


def test_a_failure_of_the_attempt_before_is_not_taken_for_this_one_s(cloud: Cloud) -> None:
    put_state(cloud.buckets["batch"], status="failed", reason="a worker died")
    cloud.on_start = lambda name, payload: cloud.run(name, "FAILED", "and again")
    assert "and again" in refused("batch", "--resume", BATCH)


def test_a_batch_that_runs_is_followed_and_not_started_again(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    put_state(cloud.buckets["batch"])
    cloud.run("e-1", "RUNNING")
    looks = []

    def look_and_finish(*arguments: Any) -> None:
        looks.append(1)
        if len(looks) == 3:
            cloud.score(BATCH)

    monkeypatch.setattr(cloud, "execution", lambda arn: (look_and_finish(), cloud.runs["e-1"])[1])
    said(monkeypatch, "batch", "--resume", BATCH)
    assert cloud.started == []


def test_a_file_that_came_and_started_nothing_is_started_by_its_key(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    key = layout.incoming(BATCH, "patients.csv")
    cloud.buckets["batch"].put(key, b"age\n")
    cloud.on_start = lambda name, payload: cloud.score(BATCH)
    said(monkeypatch, "batch", "--resume", BATCH)
    assert cloud.started[0][1] == {"key": key}


def test_a_file_that_has_just_come_is_only_followed(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "_START_GRACE", timedelta(days=10_000))
    monkeypatch.setattr(cloud, "executions", lambda machine, limit=100: cloud.score(BATCH) or [])
    cloud.buckets["batch"].put(layout.incoming(BATCH, "patients.csv"), b"age\n")
    said(monkeypatch, "batch", "--resume", BATCH)
    assert cloud.started == []


def test_a_file_whose_execution_was_lost_with_the_cloud_is_started_without_advising_oneself(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(batch, "_START_GRACE", timedelta(days=10_000))
    monkeypatch.setattr(batch, "_BEGIN_SECONDS", 0.0)
    key = layout.incoming(BATCH, "patients.csv")
    cloud.buckets["batch"].put(key, b"age\n")
    cloud.on_start = lambda name, payload: cloud.score(BATCH)
    said(monkeypatch, "batch", "--resume", BATCH)
    assert cloud.started[0][1] == {"key": key}


@pytest.mark.parametrize("left", ["FAILED", "nothing"])
def test_a_batch_whose_execution_is_dead_is_not_said_to_run(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], left: str
) -> None:
    put_state(cloud.buckets["batch"])
    cloud.run("e-1", "RUNNING")
    assert "running" in said(monkeypatch, "batches")
    if left == "FAILED":
        cloud.run("e-1", "FAILED", "States.ServiceRestart")
    else:
        cloud.runs.clear()
    (found,) = batch.Batches(DEPLOYED).recent(5)
    assert found.status == "failed"
    assert f"Go on with: andamio batch --resume {BATCH}" in (found.reason or "")
    assert ("States.ServiceRestart" if left == "FAILED" else "not there any more") in (found.reason or "")


def test_a_batch_that_loses_its_execution_while_it_is_followed_is_said_at_once(cloud: Cloud, file: Path) -> None:
    def claimed(batch_id: str, key: str) -> None:
        put_state(cloud.buckets["batch"], batch=batch_id)

    cloud.on_arrival = claimed
    assert "Go on with: andamio batch --resume" in refused("batch", str(file))
