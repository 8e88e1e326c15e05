"""From a file to its shards: what is cut is the file, whole and in order, however small the pieces."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andamio.storage import layout
from scoring import context, remaining
from scoring.split.survey import Survey
from tests.support.machine import Machine, table

CELL = st.text(st.sampled_from('ab",; \n\ré'), max_size=6)
ROW = st.tuples(st.integers(0, 99), st.integers(1, 99), CELL)


def written(rows: list[tuple[int, int, str]], end: str, quoting: int, blank: int) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["age", "weight", "note"])
    for number, row in enumerate(rows):
        writer.writerow(row)
        if blank and number % blank == 0:
            out.write(end)
    return out.getvalue()


@given(
    rows=st.lists(ROW, max_size=25),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    mark=st.booleans(),
    final=st.booleans(),
    blank=st.integers(0, 3),
    shard=st.integers(1, 200),
)
@example(rows=[(1, 2, '"\n"')] * 9, end="\n", quoting=csv.QUOTE_ALL, mark=True, final=False, blank=1, shard=1)
def test_any_csv_at_any_size_is_scored_row_by_row_and_nothing_else(
    rows: list[tuple[int, int, str]], end: str, quoting: int, mark: bool, final: bool, blank: int, shard: int
) -> None:
    rows = [(age, weight, note.replace("\r", "")) for age, weight, note in rows]
    text = written(rows, end, quoting, blank)
    if not final:
        text = text.removesuffix(end).removesuffix(end)
    body = text.encode("utf-8-sig" if mark else "utf-8")
    machine = Machine(shard_bytes=shard)
    said = machine.score("a.csv", body)
    assert said["status"] == "done", said
    cut, plan = machine.cut_of(said["batch"]), machine.plan_of(said["batch"])
    assert b"".join(body[each.start : each.end] for each in cut.shards) == body[plan.head.body :]
    assert (said["scored"], said["rejected"]) == (len(rows), 0)
    merged = machine.batch.get(machine.manifest(said["batch"])["files"]["merged"]).body
    assert merged.startswith(b"\xef\xbb\xbf") == mark
    found = list(csv.DictReader(io.StringIO(merged.decode("utf-8-sig"), newline="")))
    shown = [(int(row["age"]), int(row["weight"]), row["note"].replace("\r\n", "\n")) for row in found]
    assert shown == [(age, weight, note) for age, weight, note in rows]
    reader = csv.reader(io.StringIO(text, newline=""))
    next(reader)
    lines, before = [], reader.line_num
    for row in reader:
        if row:
            lines.append(before + 1)
        before = reader.line_num
    assert [int(row["prediction_id"].rpartition("-")[2]) for row in found] == lines


class TestChunks:
    """A file of many chunks goes through a map."""

    def test_few_are_looked_at_at_once(self) -> None:
        machine = Machine(shard_bytes=400)
        assert machine.plan(machine.drop("a.csv", table(100)))["status"] == "score"

    def test_many_are_looked_at_side_by_side_and_put_together(self) -> None:
        machine = Machine(shard_bytes=100)
        said = machine.plan(machine.drop("a.csv", table(100)))
        assert said["status"] == "survey"
        items = machine.json(said["items"])
        assert items == [{"batch": said["batch"], "chunk": number} for number in range(len(items))]
        for item in reversed(items):
            assert machine.step("survey", **item) == {}
        said = machine.step("cut", batch=said["batch"])
        assert said["status"] == "score"
        assert machine.json(said["items"])[0] == {"batch": said["batch"], "shard": 0}

    def test_it_makes_no_difference(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cuts = []
        for few in (0, 1000):
            monkeypatch.setattr(remaining, "MAX_CHUNKS_AT_ONCE", few)
            machine = Machine(shard_bytes=100)
            cuts.append(machine.cut_of(machine.score("a.csv", table(100))["batch"]))
        assert cuts[0] == cuts[1]
        assert len(cuts[0].shards) > 10

    def test_a_chunk_that_is_missing_is_told_of_and_then_only_that_one_is_looked_at(self) -> None:
        machine = Machine(shard_bytes=100)
        said = machine.run(machine.drop("a.csv", table(100)), lost=lambda item: item.get("chunk") in (3, 5))
        assert said["status"] == "refused"
        assert "could not be looked at from byte" in said["message"]
        assert "Killed: out of memory" in said["message"]
        again = machine.plan({"batch": said["batch"], "resume": True}, "second")
        assert [item["chunk"] for item in machine.json(again["items"])] == [3, 5]
        assert machine.run({"batch": said["batch"], "resume": True}, "third")["scored"] == 100

    def test_a_chunk_that_is_looked_at_twice_is_written_once(self) -> None:
        machine = Machine(shard_bytes=100)
        said = machine.plan(machine.drop("a.csv", table(100)))
        for _ in range(2):
            machine.step("survey", batch=said["batch"], chunk=2)
        key = layout.survey(said["batch"], 2)
        assert machine.batch.writes.count(key) == 1
        assert Survey.from_json(machine.batch.get(key).body).lines > 0

    def test_a_quote_left_open_is_found_over_chunks(self) -> None:
        machine = Machine(shard_bytes=100)
        body = table(50) + 'p,1,2,"red\n' + table(50).split("\n", 1)[1]
        said = machine.score("a.csv", body)
        assert said["message"].startswith("a.csv ends inside a quote that is opened on line 52: close the quote")

    def test_what_is_unpacked_is_looked_at_side_by_side_too(self) -> None:
        import gzip

        machine = Machine(shard_bytes=100)
        assert machine.score("a.csv.gz", gzip.compress(table(100).encode()))["scored"] == 100


class TestShards:
    def test_there_are_never_more_than_a_map_may_have(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scoring.split.cut.MAX_SHARDS", 12)
        machine = Machine(shard_bytes=1)
        batch = machine.plan(machine.drop("a.csv", table(100)))["batch"]
        machine.run({"batch": batch, "resume": True}, "second")
        assert 2 < len(machine.cut_of(batch).shards) <= 12

    @pytest.mark.parametrize(("wanted", "shards"), [(1, 5), (10**9, 1)])
    def test_parquet_is_cut_by_row_groups(self, wanted: int, shards: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = io.BytesIO()
        pq.write_table(pa.table({"age": range(100), "weight": range(1, 101)}), file, row_group_size=20)
        machine = Machine(shard_bytes=wanted)
        said = machine.score("a.parquet", file.getvalue())
        cut = machine.cut_of(said["batch"])
        assert (said["scored"], len(cut.shards)) == (100, shards)
        assert [shard.line for shard in cut.shards] == [1, 21, 41, 61, 81][:shards]

    @pytest.mark.parametrize(
        ("rows", "store", "stored"),
        [(5, "auto", True), (6, "auto", False), (6, "always", True), (1, "never", False)],
    )
    def test_predictions_of_small_files_are_stored(
        self, rows: int, store: str, stored: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from andamio.contract import Contract
        from tests.support.machine import SMALL

        monkeypatch.setattr(remaining, "MAX_STORED_ROWS", 5)
        machine = Machine(Contract.from_toml(f'{SMALL}\n[batch]\nstore = "{store}"\nkeep_days = 3\n'))
        batch = machine.score("a.csv", table(rows))["batch"]
        assert machine.cut_of(batch).stored == machine.manifest(batch)["stored"] == stored
        assert len(machine.table.items) == (rows if stored else 0)
        if stored:
            item: dict[str, Any] = next(iter(machine.table.items.values()))
            assert item["expires_at"] - machine.now.timestamp() == 3 * 86_400

    @pytest.mark.parametrize(("store", "shards"), [("always", 5), ("never", 1)])
    def test_shards_are_smaller_where_every_row_is_stored(
        self, store: str, shards: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from andamio.contract import Contract
        from tests.support.machine import SMALL

        body = table(50)
        monkeypatch.setattr(context, "STORED_BYTES", len(body) // 5 + 4)
        machine = Machine(Contract.from_toml(f'{SMALL}\n[batch]\nstore = "{store}"\n'), shard_bytes=10**9)
        assert len(machine.cut_of(machine.score("a.csv", body)["batch"]).shards) == shards

    def test_a_cut_that_somebody_made_first_stays(self) -> None:
        machine = Machine()
        batch = machine.plan(machine.drop("a.csv", table(30)))["batch"]
        before = machine.batch.get(layout.batch(batch, "shards.json")).body
        machine.context.__dict__["shard_bytes"] = 50
        again = machine.plan({"batch": batch, "resume": True}, "second")
        assert machine.batch.get(layout.batch(batch, "shards.json")).body == before
        assert len(machine.json(again["items"])) == len(json.loads(before)["shards"])


@given(
    pieces=st.lists(
        st.sampled_from(
            [
                '"',
                '""',
                ",",
                "\n",
                "\r\n",
                "\r",
                " ",
                "1",
                '"1"',
                '"\n"',
                ',"',
                '",',
                "1,2,a\n",
                '1,2,"x\ny"\n',
                "é",
                "\0",
            ]
        ),
        max_size=40,
    ),
    shard=st.integers(1, 60),
    ending=st.sampled_from(["csv", "jsonl"]),
)
@example(pieces=["1,2,a\n", "1\r2", "1,2,a\n", "\r", "1,2,a\r"], shard=5, ending="csv")
def test_no_text_whatever_is_in_it_loses_a_line_between_shards(pieces: list[str], shard: int, ending: str) -> None:
    head = "age,weight,note\n1,2,b\n" if ending == "csv" else '{"age": 1, "weight": 2}\n'
    machine = Machine(shard_bytes=shard)
    said = machine.score(f"a.{ending}", (head + "".join(pieces)).encode())
    if said["status"] == "refused":
        assert any(words in said["message"] for words in ("a quote that is opened", "carriage return", "NUL bytes"))
        return
    assert said["status"] == "done", said
    assert said["scored"] >= 1
    assert said["rows"] == said["scored"] + said["rejected"]
