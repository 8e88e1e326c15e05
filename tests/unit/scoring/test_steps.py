"""The function that does the steps: one call, one line in the log."""

from __future__ import annotations

import json
from typing import Any

import pytest

from andamio.errors import DataError, ReleaseError
from lambdas.score import handler as function
from scoring.context import ScoringContext
from tests.support.machine import Machine, table
from tests.support.releases import seal_release


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(function, "connect", lambda: machine.context)
    return machine


def test_a_step_that_is_not_known_is_a_fault(machine: Machine) -> None:
    with pytest.raises(DataError, match="There is no step 'tidy': expected one of plan, unpack, survey, cut"):
        machine.step("tidy")


def test_every_call_leaves_one_line(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    said = function.handler({"step": "plan", "event": machine.drop("ä.csv", table(5)), "execution": "first"}, None)
    function.handler({"step": "score", "batch": said["batch"], "shard": 0}, None)
    planned, scored = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert planned | {"seconds": 0} == {"event": "andamio.batch", "step": "plan", "seconds": 0, **said}
    assert scored | {"seconds": 0} == {
        "event": "andamio.batch", "step": "score", "batch": said["batch"], "shard": 0, "seconds": 0,
    }  # fmt: skip


def test_results_are_small_whatever_the_file(machine: Machine) -> None:
    machine.context.__dict__["shard_bytes"] = 20
    event = machine.drop("a.csv", table(400))
    said = machine.plan(event)
    for item in machine.json(said["items"]):
        assert machine.step("survey", **item) == {}
    said = machine.step("cut", batch=said["batch"])
    assert len(machine.cut_of(said["batch"]).shards) > 300
    assert len(json.dumps(said)) < 500
    assert len(json.dumps(machine.step("verify", batch=said["batch"]))) < 5000


class TestReleases:
    def test_are_opened_once(self, machine: Machine) -> None:
        reads: list[str] = []

        class Watched(type(machine.models)):  # type: ignore[misc]
            def get(self, key: str, **asked: Any) -> Any:
                reads.append(key)
                return super().get(key, **asked)

        machine.models.__class__ = Watched
        machine.score("a.csv", table(60))
        assert len(machine.cut_of(next(machine.batch.list("batches/2")).key.split("/")[1]).shards) > 3
        assert len([key for key in reads if key.startswith("releases/")]) == 3  # manifest, contract, model

    def test_few_are_kept(self, machine: Machine) -> None:
        versions = [seal_release(machine.models, machine.contract, threshold=share) for share in (0.2, 0.3, 0.4)]
        for version in versions:
            machine.context.model(version)
        assert list(machine.context._models) == versions[1:]
        assert machine.context.open(versions[0]).answers.threshold == 0.2

    @pytest.mark.parametrize("threshold", [True, 1.5, "f1"])
    def test_one_without_a_usable_threshold_is_a_fault(self, machine: Machine, threshold: Any) -> None:
        version = seal_release(machine.models, machine.contract, threshold=threshold)
        with pytest.raises(ReleaseError, match="its threshold must be a number between 0 and 1"):
            _ = machine.context.open(version).answers


def test_the_desk_is_made_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ANDAMIO_PROBLEM": "small", "ANDAMIO_MODELS": "m", "ANDAMIO_BATCH": "b", "ANDAMIO_TABLE": "t",
        "ANDAMIO_SHARD_BYTES": "1000", "ANDAMIO_LAKE": "l", "ANDAMIO_CAPTURE_SHARE": "0.5",
        "ANDAMIO_PRIVATE": '["inc"]',
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    function.connect.cache_clear()
    context = function.connect()
    function.connect.cache_clear()
    assert isinstance(context, ScoringContext)
    assert (context.problem, context.bucket, context.shard_bytes) == ("small", "b", 1000)
    assert context.lake is not None
    assert (context.capture_share, context.private) == (0.5, ("inc",))
