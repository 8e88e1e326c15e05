"""A batch is complete when what is in storage says so."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from andamio.errors import DataError
from andamio.storage import layout
from scoring.batch import Cut, Shard, ShardResult
from tests.support.machine import Machine, table

POISONED = table(30).replace("p7,7,", "p7,old,").replace("p20,20,", "p20,,")


@pytest.fixture
def machine() -> Machine:
    """Everything scored, nothing verified: rows 7 and 20 are rejected."""
    machine = Machine(shard_bytes=70)
    said = machine.plan(machine.drop("a.csv", POISONED))
    for item in machine.json(said["items"]):
        machine.step("score", **item)
    return machine


def batch_of(machine: Machine) -> str:
    return next(info.key for info in machine.batch.list(layout.BATCHES)).split("/")[1]


def result(machine: Machine, shard: int, **changed: Any) -> None:
    key = layout.shard_result(batch_of(machine), shard)
    found = ShardResult.from_json(machine.batch.get(key).body)
    machine.batch.put(key, replace(found, **changed).to_json())


def verified(machine: Machine) -> dict[str, Any]:
    return machine.step("verify", batch=batch_of(machine))


def test_a_batch_of_which_everything_is_there_is_complete(machine: Machine) -> None:
    assert verified(machine) == {"status": "complete", "batch": batch_of(machine)}
    assert len(machine.cut_of(batch_of(machine)).shards) > 3


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"scored": 99}, "99 scored and "),
        ({"rows": 1}, "its result says 1 rows"),
        ({"number": 0}, " rejected of shard 0"),
        ({"lines": 1}, "rows on 1 lines"),
        ({"lines": 99}, "and the next one begins on line"),
        ({"bytes": 7}, "its scored part is not what was written"),
        ({"etag": '"0"'}, "its scored part is not what was written"),
    ],
)
def test_a_result_that_does_not_add_up_is_noticed(machine: Machine, changed: dict[str, Any], words: str) -> None:
    result(machine, 1, **changed)
    said = verified(machine)
    assert (said["status"], said["missing"]) == ("incomplete", [1])
    assert words in said["message"]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (lambda batch: layout.scored_part(batch, 2, "csv"), "its scored part is missing"),
        (lambda batch: layout.lookup(batch, 2), "its lookup file is missing"),
        (lambda batch: layout.shard_result(batch, 2), "its function ended without an error message"),
    ],
)
def test_what_is_gone_is_noticed(machine: Machine, key: Any, words: str) -> None:
    machine.batch.delete(key(batch_of(machine)))
    said = verified(machine)
    assert (said["status"], said["missing"]) == ("incomplete", [2])
    assert words in said["message"]
    shards = machine.cut_of(batch_of(machine)).shards
    assert f"1 of {len(shards)} shards are not scored. shard 2 (from line {shards[2].line})" in said["message"]


def test_a_part_that_is_not_what_was_written_is_noticed(machine: Machine) -> None:
    key = layout.scored_part(batch_of(machine), 2, "csv")
    machine.batch.put(key, machine.batch.get(key).body.replace(b"Healthy", b"Ill...."))
    assert "shard 2" in verified(machine)["message"]


def test_rejects_that_are_gone_are_noticed(machine: Machine) -> None:
    batch = batch_of(machine)
    key = next(machine.batch.list(f"{layout.REJECTED}{batch}/")).key
    machine.batch.delete(key)
    assert "its 1 rejected rows are missing" in verified(machine)["message"]


def test_a_shard_that_was_given_up_says_why(machine: Machine) -> None:
    batch = batch_of(machine)
    for number in range(4):
        machine.batch.delete(layout.shard_result(batch, number))
    cause = {"errorType": "MemoryError", "errorMessage": "of\n  2 GB"}
    machine.step("give_up", batch=batch, shard=1, error={"Error": "x", "Cause": json.dumps(cause)})
    machine.step("give_up", batch=batch, shard=2, error={"Error": "States.Timeout"})
    machine.step("give_up", batch=batch, shard=3, error={"Error": "E", "Cause": "plain words"})
    said = verified(machine)
    assert said["missing"] == [0, 1, 2, 3]
    assert "shard 1 (from line" in said["message"]
    for words in (
        "MemoryError: of 2 GB",
        "States.Timeout",
        "E: plain words",
        "its function ended without an error message",
    ):
        assert words in said["message"]
    assert f"andamio batch --resume {batch}" in said["message"]


def test_no_more_is_told_than_can_be_read(machine: Machine) -> None:
    batch = batch_of(machine)
    shards = machine.cut_of(batch).shards
    assert len(shards) > 5
    for shard in shards:
        machine.batch.delete(layout.shard_result(batch, shard.number))
    assert f"; and {len(shards) - 5} more." in verified(machine)["message"]


@pytest.mark.parametrize("without", [0, -1, 1])
def test_shards_that_do_not_cover_the_file_are_a_fault(machine: Machine, without: int) -> None:
    batch = batch_of(machine)
    shards: list[Shard] = list(machine.cut_of(batch).shards)
    del shards[without]
    machine.batch.put(layout.batch(batch, "shards.json"), Cut(tuple(shards), stored=True).to_json())
    with pytest.raises(DataError, match="do not cover its file"):
        verified(machine)


def test_before_it_is_cut_there_is_nothing_to_verify() -> None:
    machine = Machine(shard_bytes=50)
    batch = machine.plan(machine.drop("a.csv", table(30)))["batch"]
    for step, asked in (("verify", {}), ("score", {"shard": 0})):
        with pytest.raises(DataError, match="not cut yet"):
            machine.step(step, batch=batch, **asked)


class TestResuming:
    @pytest.mark.parametrize("missing", [(0,), (1, 3), (5,)])
    def test_does_what_is_missing_and_nothing_else(self, missing: tuple[int, ...]) -> None:
        machine = Machine(shard_bytes=70)
        said = machine.run(machine.drop("a.csv", POISONED), lost=lambda item: item.get("shard") in missing)
        assert said["status"] == "incomplete"
        state = machine.state(said["batch"])
        assert (state["status"], state["missing"]) == ("failed", list(missing))
        assert "Killed: out of memory" in state["reason"]
        before = len(machine.batch.writes)
        again = machine.plan({"batch": said["batch"], "resume": True}, "second")
        assert [item["shard"] for item in machine.json(again["items"])] == list(missing)
        assert machine.run({"batch": said["batch"], "resume": True}, "second")["scored"] == 28
        written = {key for key in machine.batch.writes[before:] if key.startswith(f"{layout.SCORED}{said['batch']}/")}
        assert written == {layout.scored_part(said["batch"], number, "csv") for number in missing}
        assert machine.state(said["batch"])["reason"] is None

    def test_makes_a_part_anew_that_is_gone(self, machine: Machine) -> None:
        batch = batch_of(machine)
        key = layout.scored_part(batch, 2, "csv")
        before = machine.batch.get(key).body
        machine.batch.delete(key)
        assert machine.run({"batch": batch, "resume": True}, "second")["scored"] == 28
        assert machine.batch.get(key).body == before
