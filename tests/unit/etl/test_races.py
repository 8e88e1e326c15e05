"""Runs beside each other: who steps aside, and what none of them may undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.storage import layout
from tests.support.datasets import a_current
from tests.support.etl import Lake

HEAD = """
[problem]
name = "kinds"
target = "kind"
labels = { a = "A", b = "B" }
"""
FEATURES = """
[features.size]
type = "number"
"""
CONTRACT = Contract.from_toml(HEAD + FEATURES)
TIMED = Contract.from_toml(HEAD + 'time = "at"\n' + FEATURES + '[training]\nsplit = "time"\n')


def rows(start: int, count: int = 40) -> list[str]:
    return [f"{n},{'ab'[n % 2]}" for n in range(start, start + count)]


class Interrupted(Lake):
    """A lake where something else happens just before certain writes, once each."""

    def __init__(self, contract: Contract) -> None:
        super().__init__(contract)
        self.before: dict[str, list[Callable[[], Any]]] = {}

    def put(self, key: str, body: bytes, **options: Any) -> str:
        self._interrupt(key)
        return super().put(key, body, **options)

    def put_new(self, key: str, body: bytes, **options: Any) -> bool:
        self._interrupt(key)
        return super().put_new(key, body, **options)

    def _interrupt(self, key: str) -> None:
        if self.before.get(key):
            self.before[key].pop(0)()


def staged(lake: Lake) -> tuple[str, str]:
    """Run up to the commit; returns input and version."""
    digest = lake.step("collect", event={})["input"]
    assert lake.step("validate", input=digest)["status"] == "valid"
    return digest, lake.step("publish", input=digest)["version"]


# Which event goes on


def test_of_files_that_land_together_only_the_newest_goes_on() -> None:
    lake = Lake(CONTRACT)
    events = [lake.drop(f"{index}.csv", "size,kind", *rows(40 * index)) for index in range(5)]
    said = [lake.step("collect", event=event)["status"] for event in events]
    assert said == ["superseded"] * 4 + ["ready"]


def test_files_of_the_same_moment_are_ordered_by_key() -> None:
    lake = Lake(CONTRACT)
    moment = lake._now
    events = []
    for name in ("b.csv", "c.csv", "a.csv"):
        lake._now = moment
        events.append(lake.drop(name, "size,kind", *rows(0)))
    assert [lake.step("collect", event=event)["status"] for event in events] == ["superseded", "ready", "superseded"]


def test_a_file_that_is_written_again_supersedes_its_older_self() -> None:
    lake = Lake(CONTRACT)
    old = lake.drop("a.csv", "size,kind", *rows(0))
    new = lake.drop("a.csv", "size,kind", *rows(100))
    assert lake.step("collect", event=old)["status"] == "superseded"
    assert lake.step("collect", event=new)["status"] == "ready"
    del old["detail"]["object"]["version-id"]  # as an emulator sends it: then both go on, to one result
    assert lake.step("collect", event=old) == lake.step("collect", event=new)


def test_an_event_about_a_file_that_is_gone_gives_way_to_nobody() -> None:
    """Else the data that are left would wait for an execution that never comes."""
    lake = Lake(CONTRACT)
    older = lake.drop("a.csv", "size,kind", *rows(0))
    gone = lake.drop("b.csv", "size,kind", *rows(100))
    assert lake.step("collect", event=older)["status"] == "superseded"
    lake.delete("raw/b.csv")
    assert lake.step("collect", event=gone)["status"] == "ready"


@pytest.mark.parametrize("event", [{}, {"detail": {}}, {"detail": {"object": {}}}, {"detail": None}, {"families": []}])
def test_a_start_by_hand_reads_what_there_is(event: dict[str, Any]) -> None:
    lake = Lake(CONTRACT)
    assert lake.step("collect", event=event)["status"] == "empty"
    lake.drop("a.csv", "size,kind", *rows(0))
    assert lake.step("collect", event=event)["status"] == "ready"


# current.json


def test_raw_files_that_change_meanwhile_supersede_the_run() -> None:
    for change in (
        lambda lake: lake.drop("b.csv", "size,kind", *rows(100)),
        lambda lake: lake.drop("a.csv", "size,kind", *rows(0)),
        lambda lake: (lake.delete("raw/a.csv"), lake.drop("b.csv", "size,kind", *rows(100))),
    ):
        lake = Lake(CONTRACT)
        lake.drop("a.csv", "size,kind", *rows(0))
        digest, version = staged(lake)
        change(lake)
        assert lake.step("commit", input=digest, version=version)["status"] == "superseded"
        assert not list(lake.list(layout.CURRENT_DATASET))


def test_a_file_that_is_deleted_meanwhile_starts_no_execution_so_that_this_one_collects_again() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    lake.drop("b.csv", "size,kind", *rows(100))
    digest, version = staged(lake)
    lake.delete("raw/b.csv")
    said = lake.step("commit", input=digest, version=version)
    assert (said["status"], said["input"]) == ("changed", digest)
    assert not list(lake.list(layout.CURRENT_DATASET))
    lake.drop("c.csv", "size,kind", *rows(200))
    assert lake.step("commit", input=digest, version=version)["status"] == "superseded", "the event of c.csv starts one"


def test_an_older_run_never_overwrites_a_newer_one() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    old = staged(lake)
    newer = lake.run(lake.drop("b.csv", "size,kind", *rows(100)))
    assert newer["status"] == "published"
    assert lake.step("commit", input=old[0], version=old[1])["status"] == "superseded"
    assert lake.read(layout.CURRENT_DATASET)["version"] == newer["version"]


def test_who_loses_the_race_for_current_looks_again() -> None:
    lake = Interrupted(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    digest, version = staged(lake)
    # First write of current.json: another run of the same input is faster.
    lake.before[layout.CURRENT_DATASET] = [lambda: lake.step("commit", input=digest, version=version)]
    assert lake.step("commit", input=digest, version=version)["status"] == "unchanged"
    assert lake.read(layout.CURRENT_DATASET)["revision"] == 1
    # Later: a file lands and its run commits between this run's look and its write.
    lake.drop("b.csv", "size,kind", *rows(100))
    digest, version = staged(lake)

    def overtake() -> None:
        assert lake.run(lake.drop("c.csv", "size,kind", *rows(200)))["status"] == "published"

    lake.before[layout.CURRENT_DATASET] = [overtake]
    assert lake.step("commit", input=digest, version=version)["status"] == "superseded"
    assert lake.read(layout.CURRENT_DATASET)["rows"]["read"] == 120


def test_the_bytes_of_current_never_repeat() -> None:
    """An ETag that comes back would let a run that read it long ago believe that nothing changed."""
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    first = lake.run()
    seen = [lake.get(layout.CURRENT_DATASET).etag]
    lake.drop("b.csv", "size,kind", *rows(100))
    lake.run()
    seen.append(lake.get(layout.CURRENT_DATASET).etag)
    lake.delete("raw/b.csv")
    assert lake.run()["version"] == first["version"]
    seen.append(lake.get(layout.CURRENT_DATASET).etag)
    assert len(set(seen)) == 3


def test_a_run_that_was_overtaken_by_a_later_cutoff_divides_again() -> None:
    lake = Lake(TIMED)
    lake.drop("a.csv", "at,size,kind", *[f"2026-01-{n % 28 + 1:02},{n},{'ab'[n % 2]}" for n in range(60)])
    digest, version = staged(lake)
    split = lake.manifest(version)["split"]
    overtaker = a_current("another", revision=4, cutoff="2026-01-26T00:00:00", split=split)
    lake.put(layout.CURRENT_DATASET, overtaker.to_json())
    assert lake.step("commit", input=digest, version=version) == {"status": "again", "input": digest}
    said = lake.finish(digest)
    assert said["status"] == "published"
    assert lake.manifest(said["version"])["cutoff"] == "2026-01-26T00:00:00"
    assert lake.read(layout.CURRENT_DATASET)["revision"] == 5


# The split


def test_runs_that_seal_at_once_agree_on_the_first_split() -> None:
    lake = Interrupted(CONTRACT)
    lake.drop("a.csv", "size,visit,kind", *[f"{n},{n},{'ab'[n % 2]}" for n in range(40)])
    other = Contract.from_toml(HEAD + 'id = "visit"\n' + FEATURES)

    def faster() -> None:
        lake.contract = other
        assert lake.run()["status"] == "published"
        lake.contract = CONTRACT

    lake.before[layout.SPLIT] = [faster]
    said = lake.run()
    assert said["status"] == "published"
    assert lake.read(layout.SPLIT)["columns"] == ["visit"], "the first one stays"
    manifest = lake.manifest(said["version"])
    assert manifest["split_by"]["columns"] == ["visit"]
    assert manifest["files"][0]["extra_columns"] == ["visit"], "the key's column needs no place in the contract"
    assert "visit" not in lake.side(said["version"], "train")


def test_the_split_is_not_sealed_while_files_are_still_landing() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    digest = lake.step("collect", event={})["input"]
    lake.drop("b.csv", "size,kind", *rows(100))
    assert lake.step("validate", input=digest)["status"] == "superseded"
    assert not list(lake.list(layout.SPLIT))


def test_a_file_that_is_deleted_before_it_is_read_is_left_out_of_the_run() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    lake.drop("b.csv", "size,kind", *rows(100))
    digest = lake.step("collect", event={})["input"]
    lake.delete("raw/b.csv")
    assert lake.step("validate", input=digest)["status"] == "changed"
    assert lake.run()["rows"]["read"] == 40


def test_a_split_that_is_sealed_anew_divides_the_same_rows_anew() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,visit,kind", *[f"{n},{n % 30},{'ab'[n % 2]}" for n in range(60)])
    first = lake.run()
    lake.delete(layout.SPLIT)
    lake.contract = Contract.from_toml(HEAD + 'group = "visit"\n' + FEATURES)
    lake.run()
    lake.contract = CONTRACT
    digest = lake.step("collect", event={})["input"]
    with pytest.raises(DataError, match="changed since the rows were staged"):
        lake.step("publish", input=digest)
    said = lake.run()
    assert said["version"] != first["version"]
    assert lake.manifest(said["version"])["split_by"]["columns"] == ["visit"]


def test_a_contract_that_is_deployed_meanwhile_ends_the_run() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", "size,kind", *rows(0))
    digest = lake.step("collect", event={})["input"]
    lake.contract = Contract.from_toml(HEAD + FEATURES + "max = 30\n")
    said = lake.step("validate", input=digest)
    assert said["status"] == "superseded"
    assert "Start another execution" in said["message"]
