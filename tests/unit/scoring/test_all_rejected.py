"""A file of which every row is rejected: a failed batch, as it is a failed file in ETL."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.storage import layout
from scoring.status import read_status, result_files
from tests.support.machine import NOW, SMALL, Machine

BAD = "patient,age,weight\n" + "".join(f"p{row},old,{40 + row}.5\n" for row in range(20))


def rejects(machine: Machine, batch: str) -> list[dict[str, Any]]:
    """The rejected rows that are in the bucket."""
    keys = [info.key for info in machine.batch.list(f"{layout.REJECTED}{batch}/")]
    return [json.loads(line) for key in keys for line in machine.batch.get(key).body.splitlines()]


@pytest.mark.parametrize("shard_bytes", [40, 200, 10_000])
def test_it_fails_and_says_why_and_its_rejects_stay(shard_bytes: int) -> None:
    machine = Machine(shard_bytes=shard_bytes)
    said = machine.score("a.csv", BAD)
    batch = said["batch"]
    assert said["status"] == "refused"
    assert "a.csv holds no row that can be scored: all of its 20 rows are rejected (age: expected a" in said["message"]
    assert f"{layout.REJECTED}{batch}/" in said["message"]
    assert machine.state(batch)["reason"] == said["message"]
    status = read_status(machine.batch, batch, NOW)
    assert status is not None
    assert (status.status, status.rows, status.scored, status.rejected) == ("failed", 20, 0, 20)
    assert status.model is not None
    assert status.model.version == machine.release
    assert [row["line"] for row in rejects(machine, batch)] == list(range(2, 22))
    files = result_files(machine.batch, status)
    assert (files.whole, files.parts, files.manifest) == (None, (), None)
    assert files.rejected


def test_one_good_row_makes_a_result() -> None:
    machine = Machine()
    said = machine.score("a.csv", BAD + "p,50,60.5\n")
    assert (said["status"], said["scored"], said["rejected"]) == ("done", 1, 20)


def test_the_same_bytes_are_not_scored_again_by_the_same_release() -> None:
    machine = Machine()
    first = machine.score("a.csv", BAD)["batch"]
    said = machine.score("copy.csv", BAD)
    assert said["status"] == "refused"
    assert f"copy.csv was scored by the same release before, as batch {first}: a.csv holds no row" in said["message"]
    assert not rejects(machine, said["batch"])
    status = read_status(machine.batch, said["batch"], NOW)
    assert status is not None
    assert (status.status, status.rejected, status.same_as) == ("failed", 20, first)
    files = result_files(machine.batch, status)
    assert files.rejected == result_files(machine.batch, read_status(machine.batch, first, NOW) or status).rejected


def test_they_are_scored_again_once_the_rejects_have_expired() -> None:
    machine = Machine()
    first = machine.score("a.csv", BAD)["batch"]
    for info in list(machine.batch.list(f"{layout.REJECTED}{first}/")):
        machine.batch.delete(info.key)
    again = machine.score("copy.csv", BAD)
    assert "was scored by the same release before" not in again["message"]
    assert len(rejects(machine, again["batch"])) == 20
    third = machine.score("third.csv", BAD)
    assert f"as batch {again['batch']}" in third["message"]


def test_a_repeated_event_and_a_resumed_batch_score_nothing() -> None:
    machine = Machine()
    event = machine.drop("a.csv", BAD)
    batch = machine.run(event)["batch"]
    before = len(machine.batch.writes)
    assert machine.run(event, "second")["status"] == "ignored"
    resumed = machine.run({"batch": batch, "resume": True}, "third")
    assert resumed["status"] == "refused"
    assert not [key for key in machine.batch.writes[before:] if key.startswith((layout.SCORED, layout.REJECTED))]
    assert machine.state(batch)["rejected"] == 20


def test_rows_too_long_to_sample_are_counted_without_their_reasons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.verify._REASONS_SAMPLE", 10)
    said = Machine().score("a.csv", "patient,age,weight\np,old,1\n")
    assert "its only row is rejected. The rows with" in said["message"]


def test_each_reason_is_counted_for_itself_and_cut() -> None:
    values = ", ".join(f'"{"v" * 90}{number}"' for number in range(20))
    contract = Contract.from_toml(SMALL.replace('"red", "blue"', values))
    rows = "".join(f"p{row},{age},x,green\n" for row, age in enumerate(["old", "old", "50"]))
    said = Machine(contract, shard_bytes=10_000).score("a.csv", f"patient,age,weight,colour\n{rows}")
    (listed,) = re.findall(r"are rejected \((.*)\)\. The rows", said["message"])
    reasons = listed.split("; ")
    assert [reason.split(":")[0] for reason in reasons] == ["weight", "colour", "age"]
    assert reasons[1].startswith("colour: must be one of vvv")
    assert [len(reason) <= 200 for reason in reasons] == [True] * 3


def test_a_copy_that_is_scored_after_all_is_the_same_as_no_other() -> None:
    machine = Machine()
    first, copy = (machine.score(name, BAD)["batch"] for name in ("a.csv", "copy.csv"))
    assert machine.state(copy)["same_as"] == first
    for info in list(machine.batch.list(f"{layout.REJECTED}{first}/")):
        machine.batch.delete(info.key)
    machine.plan({"batch": copy, "resume": True}, "second")
    held = machine.state(copy)
    assert (held["status"], held["same_as"]) == ("running", None)


OPTIONAL = Contract.from_toml(re.sub(r'(type = "(integer|number)")', r"\1\nrequired = false", SMALL))


@pytest.mark.parametrize("shard_bytes", [40, 10_000])
def test_a_row_of_nothing_is_no_record_even_where_every_feature_is_optional(shard_bytes: int) -> None:
    lines = [
        '{"patient": "p1", "age": 1}',
        "{}",
        '{"patient": null, "age": null, "weight": " "}',
        '{"patient": "p3"}',
        '{"note": "not nothing"}',
    ]
    machine = Machine(OPTIONAL, shard_bytes=shard_bytes)
    said = machine.score("a.jsonl", "\n".join([*lines, ""]))
    assert (said["status"], said["scored"]) == ("done", 3)
    assert [(row["line"], row["code"]) for row in rejects(machine, said["batch"])] == [
        (2, "no-values"),
        (3, "no-values"),
    ]
    columns = {"patient": pa.array(["p1", None, "p3"]), "age": pa.array([1, None, None], pa.int64())}
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    said = machine.score("a.parquet", file.getvalue())
    assert (said["status"], said["scored"]) == ("done", 2)
    assert [(row["line"], row["reason"]) for row in rejects(machine, said["batch"])] == [(2, "has no values")]
