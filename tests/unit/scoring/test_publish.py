"""What is published is what was scored, once, and the manifest is the last word."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.storage import documents, layout
from scoring.batch import result_key
from scoring.documents import KnownBatch
from scoring.write import merge
from tests.support.machine import NOW, Machine, table

POISONED = table(30).replace("p7,7,", "p7,old,").replace("p20,20,", "p20,,")


def scored(machine: Machine, name: str, body: bytes | str) -> str:
    """Everything but the last step; returns the batch."""
    said = machine.plan(machine.drop(name, body))
    for item in machine.json(said["items"]):
        machine.step("score", **item)
    batch: str = said["batch"]
    assert machine.step("verify", batch=batch)["status"] == "complete"
    return batch


def rows_of(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


class TestTheMergedFile:
    def test_of_csv_has_one_header_and_the_rows_of_all_parts_in_order(self) -> None:
        machine = Machine(shard_bytes=70)
        batch = machine.score("a.csv", POISONED)["batch"]
        manifest = machine.manifest(batch)
        parts = [machine.batch.get(key).body for key in manifest["files"]["scored"]]
        whole = machine.batch.get(manifest["files"]["merged"]).body
        header = parts[0].splitlines(keepends=True)[0]
        assert len(parts) > 3
        assert whole == header + b"".join(part.removeprefix(header) for part in parts)
        assert [row["patient"] for row in rows_of(whole)] == [f"p{n}" for n in range(30) if n not in (7, 20)]

    def test_also_where_the_header_has_line_ends_of_its_own(self) -> None:
        machine = Machine(shard_bytes=20)
        body = 'age,weight,"a note\nof ""two"" lines"\n' + '1,2,"x\ny"\n' * 9
        batch = machine.score("a.csv", body)["batch"]
        found = rows_of(machine.batch.get(layout.scored_whole(batch, "csv")).body)
        assert len(machine.manifest(batch)["files"]["scored"]) > 1
        assert [row['a note\nof "two" lines'] for row in found] == ["x\ny"] * 9

    @pytest.mark.parametrize("mark", ["\ufeff", ""])
    def test_a_byte_order_mark_that_came_goes_back_once_in_each_file(self, mark: str) -> None:
        machine = Machine(shard_bytes=70)
        manifest = machine.manifest(machine.score("a.csv", mark + table(30))["batch"])
        files = [manifest["files"]["merged"], *manifest["files"]["scored"]]
        texts = [machine.batch.get(key).body.decode() for key in files]
        assert len(texts) > 3
        assert all(text.startswith(f"{mark}patient,") for text in texts)
        assert [text.count("\ufeff") for text in texts] == [len(mark)] * len(texts)

    def test_of_json_lines_is_one_part_behind_the_other(self) -> None:
        machine = Machine(shard_bytes=100)
        body = "".join(json.dumps({"age": n, "weight": 50}) + "\n" for n in range(20))
        batch = machine.score("a.jsonl", body)["batch"]
        files = machine.manifest(batch)["files"]
        whole = machine.batch.get(files["merged"]).body
        assert whole == b"".join(machine.batch.get(key).body for key in files["scored"])
        assert [json.loads(line)["age"] for line in whole.splitlines()] == list(range(20))

    def test_of_parquet_has_the_rows_of_all_parts(self) -> None:
        machine = Machine(shard_bytes=1)
        file = io.BytesIO()
        pq.write_table(pa.table({"age": range(60), "weight": [50.5] * 60}), file, row_group_size=20)
        batch = machine.score("a.parquet", file.getvalue())["batch"]
        files = machine.manifest(batch)["files"]
        parts = [pq.read_table(io.BytesIO(machine.batch.get(key).body)) for key in files["scored"]]
        whole = pq.read_table(io.BytesIO(machine.batch.get(files["merged"]).body))
        assert len(parts) == 3
        assert whole.equals(pa.concat_tables(parts))
        assert whole.column("age").to_pylist() == list(range(60))

    def test_is_left_out_where_it_would_be_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(merge, "MAX_BYTES", 1000)
        machine = Machine()
        batch = machine.score("a.csv", POISONED)["batch"]
        assert machine.manifest(batch)["files"]["merged"] is None
        assert [info.key for info in machine.batch.list(f"{layout.SCORED}{batch}.")] == [layout.batch_manifest(batch)]

    def test_parts_of_another_kind_are_not_mixed_in(self) -> None:
        machine = Machine()
        batch = scored(machine, "a.csv", POISONED)
        key = layout.scored_part(batch, 1, "csv")
        body = machine.batch.get(key).body
        machine.batch.put(key, b"x" + body[1:])
        info = machine.batch.head(key)
        result = machine.json(layout.shard_result(batch, 1)) | {"etag": info.etag, "bytes": info.size}
        machine.batch.put(layout.shard_result(batch, 1), json.dumps(result).encode())
        with pytest.raises(DataError, match="does not begin with the header"):
            machine.step("publish", batch=batch)
        assert not any(machine.batch.list(f"{layout.SCORED}{batch}."))


class TestTheManifest:
    def test_says_what_it_was_made_of_and_came_to(self) -> None:
        machine = Machine()
        said = machine.score("sub/a.csv", POISONED)
        batch = said["batch"]
        info = machine.batch.head("incoming/sub/a.csv")
        manifest = machine.manifest(batch)
        assert manifest["input"] == {
            "bucket": "batch",
            "key": "incoming/sub/a.csv",
            "version": info.version,
            "etag": info.etag,
            "size": len(POISONED),
            "format": "csv",
            "compression": "",
            "rows": 30,
        }
        assert manifest["release"] == {"name": "small", "version": machine.release}
        assert [manifest[name] for name in ("batch", "problem", "rows", "scored", "rejected")] == [
            batch, "small", 30, 28, 2,
        ]  # fmt: skip
        assert len(manifest["files"]["rejected"]) == 2
        for name in ("rows", "scored", "rejected"):
            assert sum(shard[name] for shard in manifest["shards"]) == manifest[name]
        for shard, key in zip(manifest["shards"], manifest["files"]["scored"], strict=True):
            stored = machine.batch.head(key)
            assert (shard["bytes"], shard["etag"]) == (stored.size, stored.etag)
            assert {"number", "line", "seconds"} < set(shard)
        assert manifest["seconds"] >= 0
        assert said == {
            "status": "done",
            "batch": batch,
            "rows": 30,
            "scored": 28,
            "rejected": 2,
            "release": machine.release,
            "manifest": layout.batch_manifest(batch),
            "message": (
                f"sub/a.csv: 28 of 30 rows scored, 2 rejected, by release {machine.release}. Results: "
                f"s3://batch/scored/{batch}.csv. The rejected ones, with their reasons: rejected/{batch}/."
            ),
        }

    def test_is_written_last_but_for_the_state(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", POISONED)["batch"]
        assert machine.batch.writes[-2:] == [layout.batch_manifest(batch), layout.batch(batch, "state.json")]

    def test_an_incomplete_batch_gets_none(self) -> None:
        machine = Machine()
        batch = scored(machine, "a.csv", POISONED)
        machine.batch.delete(layout.shard_result(batch, 2))
        with pytest.raises(DataError, match=f"batch {batch} is not complete: 1 of"):
            machine.step("publish", batch=batch)
        assert not any(machine.batch.list(f"{layout.SCORED}{batch}."))
        assert machine.state(batch)["status"] == "running"

    def test_publishing_again_changes_nothing(self) -> None:
        machine = Machine()
        said = machine.score("a.csv", POISONED)
        writes = list(machine.batch.writes)
        machine.now = NOW.replace(hour=12)
        assert machine.step("publish", batch=said["batch"]) == said
        assert machine.batch.writes == writes

    @pytest.mark.parametrize("at", ["scored/", "batches/known/", "manifest.json", "state.json"])
    def test_a_function_that_is_killed_on_the_way_is_followed_by_one_that_ends(self, at: str) -> None:
        machine = Machine()
        batch = scored(machine, "a.csv", POISONED)
        kill = [True]

        class Killed(type(machine.batch)):  # type: ignore[misc]
            def _write(self, key: str, body: bytes) -> Any:
                if kill[0] and at in key:
                    kill[0] = False
                    raise RuntimeError("killed")
                return super()._write(key, body)

        machine.batch.__class__ = Killed
        with pytest.raises(RuntimeError, match="killed"):
            machine.step("publish", batch=batch)
        assert machine.step("publish", batch=batch)["scored"] == 28
        assert machine.state(batch)["status"] == "done"
        assert len(rows_of(machine.batch.get(layout.scored_whole(batch, "csv")).body)) == 28
        assert machine.score("copy.csv", POISONED)["same_as"] == batch


class TestWhatIsKnown:
    def test_the_first_one_that_is_done_stays_the_answer(self) -> None:
        machine = Machine()
        first, second = (machine.plan(machine.drop(name, POISONED), name)["batch"] for name in ("a.csv", "b.csv"))
        assert first != second
        for batch in (first, second):
            machine.run({"batch": batch, "resume": True}, "again")
        assert machine.score("c.csv", POISONED)["same_as"] == first

    def test_one_that_was_never_done_gives_way(self) -> None:
        machine = Machine()
        batch = scored(machine, "a.csv", POISONED)
        plan = machine.plan_of(batch)
        key = result_key(plan.input, plan.release)
        machine.batch.put(key, KnownBatch("20260101T000000-000000000000").to_json())
        machine.step("publish", batch=batch)
        assert documents.read(machine.batch, key, KnownBatch).batch == batch


class TestAbsentColumns:
    CONTRACT = Contract.from_toml(
        '[problem]\nname = "small"\ntarget = "ill"\nlabels = { no = "Healthy", yes = "Ill" }\n'
        '[features.age]\ntype = "integer"\n[features.weight]\ntype = "number"\nrequired = false\n'
    )

    def test_are_counted_and_named_where_they_may_be_absent(self) -> None:
        machine = Machine(self.CONTRACT)
        said = machine.score("a.csv", "age,note\n1,x\n2,y\n")
        assert "It lacks the 1 optional column 'weight': no value in any row. Results:" in said["message"]
        assert machine.manifest(said["batch"])["absent"] == ["weight"]

    def test_are_not_claimed_where_there_are_none_or_nobody_knows(self) -> None:
        machine = Machine(self.CONTRACT)
        for name, body in (("a.csv", "age,weight\n1,2\n"), ("a.jsonl", '{"age": 1}\n{"age": 1, "weight": 2}\n')):
            said = machine.score(name, body)
            assert "lacks" not in said["message"]
            assert machine.manifest(said["batch"])["absent"] == []
