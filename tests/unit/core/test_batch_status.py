"""How far a batch is, from the upload that is awaited to the result."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.storage import layout
from scoring.batch import new_id
from scoring.documents import UploadRequest
from scoring.status import BatchProgress, Files, ScoringModel, Status, read_status, recent, result_files
from tests.support.machine import NOW, Machine, table

POISONED = table(30).replace("p7,7,", "p7,old,").replace("p20,20,", "p20,,")


def status(machine: Machine, batch: str) -> Status:
    found = read_status(machine.batch, batch, NOW)
    assert found is not None
    return found


def ask(objects: MemoryObjects, batch: str) -> str:
    key = layout.incoming(batch, "a.csv")
    expires = (NOW + timedelta(minutes=15)).isoformat()
    request = UploadRequest(batch, key, NOW.isoformat(), expires)
    objects.put(layout.batch(batch, "request.json"), request.to_json())
    return key


class TestAStatus:
    def test_of_a_batch_that_nobody_knows_is_none(self) -> None:
        assert read_status(MemoryObjects(), new_id(NOW), NOW) is None

    def test_of_an_upload_that_is_awaited(self) -> None:
        machine = Machine()
        batch = new_id(NOW)
        key = ask(machine.batch, batch)
        assert status(machine, batch) == Status(batch, "waiting", NOW.isoformat(), key)
        assert result_files(machine.batch, status(machine, batch)) == Files(None, (), (), None)

    def test_of_an_upload_that_never_came(self) -> None:
        machine = Machine()
        ask(machine.batch, batch := new_id(NOW))
        late = read_status(machine.batch, batch, NOW + timedelta(minutes=74))
        assert late is not None
        assert late.status == "waiting"
        late = read_status(machine.batch, batch, NOW + timedelta(minutes=75))
        assert late is not None
        assert (late.status, late.reason) == ("failed", "No file was uploaded in time. Request another upload.")

    def test_goes_on_from_the_upload_to_the_file(self) -> None:
        machine = Machine()
        ask(machine.batch, batch := new_id(NOW))
        machine.score(f"{batch}/a.csv", table(3))
        assert status(machine, batch).status == "done"

    def test_of_every_step_on_the_way(self) -> None:
        machine = Machine(shard_bytes=50)
        event = machine.drop("a.csv", POISONED)
        seen: list[tuple[Any, ...]] = []

        def look() -> None:
            found = status(machine, batch)
            assert found.status == "running"
            seen.append((found.step, found.shards and (found.shards.done, found.shards.all), found.model is not None))

        said = machine.plan(event)
        batch = said["batch"]
        look()
        for item in machine.json(said["items"]):
            machine.step("survey", **item)
        said = machine.step("cut", batch=batch)
        look()
        items = machine.json(said["items"])
        for item in items:
            machine.step("score", **item)
            look()
        machine.step("publish", batch=batch)
        found = status(machine, batch)
        shards = len(items)
        assert seen[0] == ("cutting", None, True)
        assert seen[1] == ("scoring", (0, shards), True)
        assert [each[1] for each in seen[2:]] == [(done, shards) for done in range(1, shards + 1)]
        assert seen[-2][0] == "scoring"
        assert seen[-1][0] == "verifying"
        assert found.to_dict() == {
            "batch": batch,
            "status": "done",
            "created": NOW.isoformat(),
            "file": "incoming/a.csv",
            "step": None,
            "shards": {"done": shards, "all": shards},
            "rows": 30,
            "scored": 28,
            "rejected": 2,
            "model": {"name": "small", "version": machine.release},
            "reason": None,
            "same_as": None,
            "last_progress": None,
        }

    @pytest.mark.parametrize(("name", "body", "step"), [("a.csv", b"", "planning"), ("a.csv.gz", b"", "unpacking")])
    def test_before_there_is_a_plan(self, name: str, body: bytes, step: str) -> None:
        machine = Machine()
        machine.run(machine.drop(name, gzip.compress(body)))
        key = next(info.key for info in machine.batch.list("batches/2") if info.key.endswith("state.json"))
        state = machine.json(key) | {"status": "running"}
        machine.batch.put(key, json.dumps(state).encode())
        assert status(machine, key.split("/")[1]).step == step

    def test_of_a_file_that_was_refused(self) -> None:
        machine = Machine()
        said = machine.score("a.csv", "a,b\n")
        found = status(machine, said["batch"])
        assert (found.status, found.reason, found.step) == ("failed", said["message"], None)
        assert (found.model, found.shards, found.rows) == (None, None, None)

    def test_of_a_batch_that_lost_a_shard_shows_the_others(self) -> None:
        machine = Machine()
        said = machine.run(machine.drop("a.csv", POISONED), lost=lambda item: item.get("shard") == 1)
        found = status(machine, said["batch"])
        shards = len(machine.cut_of(said["batch"]).shards)
        assert (found.status, found.shards) == ("failed", BatchProgress(shards - 1, shards))
        assert "Killed: out of memory" in (found.reason or "")
        files = result_files(machine.batch, found)
        assert files.parts == tuple(
            layout.scored_part(said["batch"], number, "csv") for number in range(shards) if number != 1
        )
        assert (files.whole, files.manifest) == (None, None)

    def test_of_the_same_file_again_is_that_of_the_first(self) -> None:
        machine = Machine()
        first, second = (machine.score(name, POISONED)["batch"] for name in ("a.csv", "b.csv"))
        found = status(machine, second)
        assert (found.status, found.same_as, found.file) == ("done", first, "incoming/b.csv")
        assert (found.rows, found.scored, found.rejected) == (30, 28, 2)
        assert found.model == ScoringModel("small", str(machine.release))
        files = result_files(machine.batch, found)
        assert files == result_files(machine.batch, status(machine, first))
        assert files.whole == layout.scored_whole(first, "csv")
        assert files.manifest == layout.batch_manifest(first)
        assert len(files.rejected) == 2

    def test_whose_results_are_kept_no_longer_says_so(self) -> None:
        machine = Machine()
        first, second = (machine.score(name, POISONED)["batch"] for name in ("a.csv", "b.csv"))
        # What a lifecycle rule does: the first batch is older than the second, which is answered with its results.
        for info in [*machine.batch.list(f"batches/{first}/"), *machine.batch.list("scored/")]:
            machine.batch.delete(info.key)
        found = status(machine, second)
        assert (found.status, found.same_as, found.rows) == ("done", first, None)
        assert "have expired" in (found.reason or "")
        assert result_files(machine.batch, found) == Files(None, (), (), None)
        assert [each.batch for each in recent(machine.batch, 5, NOW)] == [second]


class TestRecent:
    def test_shows_the_newest_first(self) -> None:
        objects = MemoryObjects()
        batches = [new_id(NOW - timedelta(minutes=n)) for n in (5, 1, 3, 2, 4)]
        for batch in batches:
            ask(objects, batch)
        assert [found.batch for found in recent(objects, 3, NOW)] == sorted(batches, reverse=True)[:3]
        assert len(recent(objects, 20, NOW)) == 5

    @pytest.mark.parametrize("days", [0.5, 3, 30, 300, 3000])
    def test_looks_back_as_far_as_it_must(self, days: float) -> None:
        objects = MemoryObjects()
        old, new = new_id(NOW - timedelta(days=days)), new_id(NOW)
        for batch in (old, new):
            ask(objects, batch)
        assert [found.batch for found in recent(objects, 20, NOW)] == [new, old]

    def test_does_not_look_back_further_than_that(self) -> None:
        class Watched(MemoryObjects):
            def list(self, prefix: str, *, after: str = "") -> Any:
                marks.append(after)
                return super().list(prefix, after=after)

        marks: list[str] = []
        objects = Watched()
        for minutes in range(5):
            ask(objects, new_id(NOW - timedelta(minutes=minutes)))
        recent(objects, 5, NOW)
        assert marks == ["batches/20261121T085500"]

    def test_passes_over_the_many_keys_of_a_large_batch(self) -> None:
        seen = 0

        class Watched(MemoryObjects):
            def list(self, prefix: str, *, after: str = "") -> Any:
                nonlocal seen
                for info in super().list(prefix, after=after):
                    seen += 1
                    yield info

        objects = Watched()
        large, small = sorted((new_id(NOW - timedelta(minutes=9)), new_id(NOW)))
        for batch in (large, small):
            ask(objects, batch)
        for number in range(1000):
            objects.put(layout.lookup(large, number), b"")
        assert [found.batch for found in recent(objects, 2, NOW)] == [small, large]
        assert seen < 250

    def test_what_is_known_of_files_is_no_batch(self) -> None:
        machine = Machine()
        machine.score("a.csv", table(3))
        assert len(recent(machine.batch, 20, NOW)) == 1
