"""One batch a file, one execution a batch, however often the world says that there is one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from andamio.errors import DataError, PreconditionFailed
from andamio.storage import layout
from scoring import batch as batches
from scoring import state
from scoring.batch import id_in_key, new_id, version_id
from tests.support.machine import NOW, Machine, table
from tests.support.releases import serve

ROWS = table(30)
STALE = timedelta(hours=2)


class TestTheSameEvent:
    def test_a_thousand_of_them_leave_one_result(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        first = machine.run(event)
        written = list(machine.batch.writes)
        for number in range(1000):
            said = machine.run(event, f"again {number}")
            assert (said["status"], said["batch"]) == ("done", first["batch"])
        assert machine.batch.writes == written

    def test_one_that_comes_while_the_first_is_at_it_steps_aside(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        machine.plan(event, "first")
        said = machine.plan(event, "second")
        assert said["status"] == "running"
        assert "Execution first is scoring this file" in said["message"]
        assert machine.state(said["batch"])["execution"] == "first"

    def test_many_at_once_leave_one_at_work(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        with ThreadPoolExecutor(16) as pool:
            said = list(pool.map(lambda number: machine.plan(event, f"run {number}"), range(40)))
        assert sorted({each["status"] for each in said}) == ["running", "score"]
        assert [each["status"] for each in said].count("score") == 1

    def test_a_step_that_is_tried_again_keeps_its_claim(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        assert machine.plan(event, "first") == machine.plan(event, "first")
        assert machine.state(machine.plan(event, "first")["batch"])["attempt"] == 1

    def test_a_claim_that_is_stale_is_taken_over(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        machine.plan(event, "killed")
        machine.now += STALE - timedelta(seconds=1)
        assert machine.plan(event, "second")["status"] == "running"
        machine.now += timedelta(seconds=1)
        assert machine.plan(event, "third")["status"] == "score"
        assert machine.plan(event, "fourth")["status"] == "running"

    def test_a_file_that_failed_is_not_tried_again_by_an_event(self) -> None:
        machine = Machine(served=False)
        event = machine.drop("a.csv", ROWS)
        batch = machine.run(event)["batch"]
        serve(machine.models, machine.contract)
        said = machine.run(event, "second")
        assert said["status"] == "ignored"
        assert f"andamio batch --resume {batch}" in said["message"]
        assert machine.state(batch)["status"] == "failed"

    def test_a_person_who_asks_for_its_key_does_not_take_it_from_an_execution(self) -> None:
        machine = Machine()
        machine.plan(machine.drop("a.csv", ROWS), "first")
        assert machine.plan({"key": "incoming/a.csv"}, "second")["status"] == "running"

    def test_but_a_person_may_ask_for_its_key(self) -> None:
        machine = Machine(served=False)
        machine.run(machine.drop("a.csv", ROWS))
        serve(machine.models, machine.contract)
        assert machine.run({"key": "incoming/a.csv"}, "second")["scored"] == 30


class TestWhichFile:
    def test_an_event_is_about_its_version_whatever_came_after(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", table(3))
        machine.drop("a.csv", table(9))
        assert machine.run(event)["rows"] == 3
        assert machine.run({"key": "incoming/a.csv"}, "second")["rows"] == 9
        assert machine.run({"key": "incoming/a.csv", "version": "v1"}, "third")["status"] == "done"

    def test_an_event_without_a_version_is_about_the_latest(self) -> None:
        machine = Machine()
        machine.drop("a.csv", table(3))
        del (event := machine.drop("a.csv", table(9)))["detail"]["object"]["version-id"]
        said = machine.run(event)
        assert said["rows"] == 9
        assert machine.plan_of(said["batch"]).input.version == "v2"

    @pytest.mark.parametrize("key", ["folder/", "folder/below/"])
    def test_a_folder_that_a_console_made_is_no_file(self, key: str) -> None:
        machine = Machine()
        assert machine.run(machine.drop(key, b""))["status"] == "ignored"
        assert not any(machine.batch.list(layout.BATCHES))

    def test_a_file_that_is_gone_is_no_file(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        machine.batch.delete("incoming/a.csv")
        assert machine.run(event)["status"] == "ignored"

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({"key": "incoming/none.csv"}, "incoming/none.csv is not in the bucket"),
            ({"key": "scored/a.csv"}, "scored/a.csv is not under incoming/"),
            ({"batch": "20261121T084011-0123456789ab", "resume": True}, "There is no batch 20261121T084011-"),
            ({"batch": "heart", "resume": True}, "'heart' is not the id of a batch"),
            ({"nothing": 1}, "Expected an event of S3"),
        ],
    )  # fmt: skip
    def test_what_a_person_asks_for_must_be_there(self, asked: dict[str, Any], words: str) -> None:
        said = Machine().run(asked)
        assert said["status"] == "refused"
        assert words in said["message"]

    def test_a_batch_whose_file_is_gone_says_so(self) -> None:
        machine = Machine(served=False)
        batch = machine.score("a.csv", ROWS)["batch"]
        machine.batch.delete("incoming/a.csv")
        said = machine.run({"batch": batch, "resume": True}, "second")
        assert f"The file of batch {batch}, incoming/a.csv, was deleted: upload it again" in said["message"]


class TestIds:
    def test_a_file_that_was_dropped_has_the_id_of_its_version(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", ROWS)["batch"]
        info = machine.batch.head("incoming/a.csv")
        assert batch == version_id("incoming/a.csv", info.version, info.modified)

    def test_a_file_that_was_asked_for_has_the_id_it_was_given_and_the_next_one_there_its_own(self) -> None:
        machine = Machine()
        given = new_id(NOW)
        first, second = (machine.drop(f"{given}/a.csv", table(rows)) for rows in (3, 9))
        assert id_in_key(first["detail"]["object"]["key"]) == given
        assert machine.run(first)["batch"] == given
        other = machine.run(second, "second")
        assert (other["rows"], other["batch"] != given) == (9, True)
        assert machine.run(second, "third")["batch"] == other["batch"]
        assert machine.manifest(given)["rows"] == 3

    def test_nobody_takes_the_id_of_another_file(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", table(3))["batch"]
        other = machine.score(f"{batch}/b.csv", table(9))
        assert other["batch"] != batch
        assert machine.manifest(batch)["rows"] == 3

    def test_two_versions_that_come_at_once_share_no_id(self) -> None:
        machine = Machine()
        given = new_id(NOW)
        events = [machine.drop(f"{given}/a.csv", table(rows)) for rows in (3, 9)]

        class Late(type(machine.batch)):  # type: ignore[misc]
            """A bucket whose first look at a state finds nothing, as if both came at once."""

            blind = 2

            def get(self, key: str, *, version: str | None = None) -> Any:
                if key.endswith("state.json") and self.blind:
                    Late.blind -= 1
                    key = "nothing"
                return super().get(key, version=version)

        machine.batch.__class__ = Late
        batches = [machine.plan(event, f"run {number}")["batch"] for number, event in enumerate(events)]
        assert Late.blind == 0
        assert batches[0] == given != batches[1]


class TestTheSameFile:
    def test_is_scored_once_by_a_release(self) -> None:
        machine = Machine()
        first = machine.score("a.csv", ROWS)["batch"]
        said = machine.score("copy.csv", ROWS)
        assert (said["status"], said["same_as"]) == ("done", first)
        held = machine.state(said["batch"])
        assert (held["status"], held["same_as"], held["key"]) == ("done", first, "incoming/copy.csv")
        assert not any(machine.batch.list(f"{layout.SCORED}{said['batch']}"))

    def test_and_again_when_results_are_made_otherwise(self, monkeypatch: pytest.MonkeyPatch) -> None:
        machine = Machine()
        first, same = (machine.score(name, table(3)) for name in ("a.csv", "b.csv"))
        monkeypatch.setattr(batches, "_RESULT_FORMAT", batches._RESULT_FORMAT + 1)
        again = machine.score("c.csv", table(3))
        assert same["same_as"] == first["batch"]
        assert (again.get("same_as"), again["scored"]) == (None, 3)

    def test_and_again_by_another_one(self) -> None:
        machine = Machine()
        first = machine.score("a.csv", ROWS)
        serve(machine.models, machine.contract, threshold=0.9)
        second = machine.score("a.csv", ROWS)
        assert second["release"] != first["release"]
        third = machine.score("a.csv", ROWS)
        assert third["same_as"] == second["batch"]

    def test_what_is_read_in_another_way_is_not_the_same(self) -> None:
        machine = Machine()
        body = b'{"age": 1, "weight": 2}\n'
        machine.score("a.jsonl", body)
        assert machine.score("a.csv", body)["status"] == "refused"

    def test_a_batch_that_never_ended_is_not_an_answer(self) -> None:
        machine = Machine()
        given = machine.drop("a.csv", ROWS)
        first = machine.run(given, lost=lambda item: item.get("shard") == 1)
        assert first["status"] == "incomplete"
        second = machine.score("a.csv", ROWS)
        assert second["scored"] == 30
        assert machine.run({"batch": first["batch"], "resume": True}, "third")["status"] == "done"


class TestState:
    def test_who_lost_the_batch_no_longer_says_that_it_failed(self) -> None:
        machine = Machine()
        batch = machine.plan(machine.drop("a.csv", ROWS), "first")["batch"]
        machine.plan({"batch": batch, "resume": True}, "second")
        error = {"Error": "States.Timeout"}
        machine.step("fail", input={"batch": batch, "error": error}, execution="first")
        assert machine.state(batch)["status"] == "running"
        machine.step("fail", input={"batch": batch, "error": error}, execution="second")
        held = machine.state(batch)
        assert (held["status"], held["attempt"]) == ("failed", 2)
        assert "States.Timeout" in held["reason"]

    def test_what_is_done_stays_done(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", ROWS)["batch"]
        machine.step("fail", input={"batch": batch, "message": "no"}, execution="first")
        assert machine.state(batch)["status"] == "done"
        assert machine.run({"batch": batch, "resume": True}, "second")["status"] == "done"

    def test_a_swap_that_is_lost_is_tried_again(self) -> None:
        machine = Machine()
        batch = machine.plan(machine.drop("a.csv", ROWS), "first")["batch"]
        races = [3]

        class Raced(type(machine.batch)):  # type: ignore[misc]
            def put(self, key: str, body: bytes, **asked: Any) -> str:
                if key.endswith("state.json") and races[0]:
                    races[0] -= 1
                    raise PreconditionFailed("raced")
                return str(super().put(key, body, **asked))

        machine.batch.__class__ = Raced
        state.fail(machine.batch, batch, NOW, "no", missing=range(200), execution="first")
        assert races == [0]
        assert machine.state(batch)["missing"] == list(range(100))
        races[0] = 10**9
        with pytest.raises(DataError, match="kept changing"):
            machine.plan({"batch": batch, "resume": True}, "second")

    def test_planning_that_breaks_down_is_written_down(self) -> None:
        machine = Machine()
        event = machine.drop("a.csv", ROWS)
        batch = machine.plan(event, "first")["batch"]
        cause = '{"errorMessage": "no connection", "errorType": "EndpointConnectionError"}'
        machine.step("fail", input=event | {"error": {"Error": "x", "Cause": cause}}, execution="first")
        held = machine.state(batch)
        assert held["status"] == "failed"
        assert "A step failed (EndpointConnectionError: no connection)" in held["reason"]
        assert held["missing"] == [shard.number for shard in machine.cut_of(batch).shards]
        assert machine.run({"batch": batch, "resume": True}, "second")["scored"] == 30

    def test_a_machine_that_failed_before_there_was_a_batch_says_nothing(self) -> None:
        machine = Machine()
        assert machine.step("fail", input={"key": "nowhere", "error": {}}, execution="first") == {}
        assert machine.batch.writes == []
