"""Rows in chunks, read a column at a time: the same data version, whatever a chunk holds, and what is too large."""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.dataset.columns import ColumnFile, content_digest, from_bytes, to_bytes
from andamio.dataset.digests import DigestTexts, digest_of
from andamio.storage import layout
from andamio.tabular.extent import rows_about
from benchmarks import etl as benchmark
from etl import extent, ingest, quarantine, staging
from etl.quarantine import PackedRejects, Reject, Rejects
from tests.support.etl import Lake

CONTRACT = Contract.from_toml("""
[problem]
name = "large"
target = "y"
labels = { a = "A", b = "B" }
id = "id"
group = "g"
time = "t"
[features.n]
type = "number"
required = false
max = 90
[features.d]
type = "date"
required = false
[features.c]
type = "category"
[features.f]
type = "boolean"
required = false
""")
HEADER = "id,g,t,n,d,c,f,y"


def lines(count: int, seed: int) -> list[str]:
    """Rows of which some break the contract, and some have the id of another."""
    draw = random.Random(seed)
    return [
        f"{draw.randrange(count)},g{draw.randrange(count // 5)},2026-01-{draw.randrange(10, 29)},"
        f"{'' if draw.random() < 0.1 else round(draw.gauss(50, 17), 2)},"
        f"{draw.choice(['', '2020-02-03', '2021-04-05'])},{draw.choice(['red', 'blü', 'green'])},"
        f"{draw.choice(['true', 'false', ''])},{draw.choice('ab')}"
        for _ in range(count)
    ]


def stored(monkeypatch: pytest.MonkeyPatch, chunk: int) -> tuple[dict[str, object], dict[str, bytes], int]:
    """What ETL says, the objects that it leaves, and the number of chunks, with so many cells of a chunk."""
    monkeypatch.setattr(staging, "CHUNK", chunk)
    lake = Lake(CONTRACT)
    for number in range(6):
        lake.drop(f"{number}.csv", HEADER, *lines(150, number))
    lake.drop("cut.csv", HEADER, *lines(40, 9), '"7,g1,2026-01-01')  # a quote that is never closed
    said = lake.run()
    lake.step("report", version=said["version"])
    kept = {
        info.key: lake.get(info.key).body for info in lake.list("") if info.key.startswith(("datasets/", "quarantine/"))
    }
    return said, kept, sum(info.key.endswith(".npz") for info in lake.list("staging/"))


def test_the_data_version_is_the_same_whatever_a_chunk_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, objects, one = stored(monkeypatch, 1_000_000)
    in_parts, same, several = stored(monkeypatch, 800)
    assert (one, several) == (1, 7)
    assert in_parts == whole
    assert whole["rows"]["replaced"] > 100
    assert same == objects


def test_no_row_counts_of_a_file_that_is_refused_after_some_of_its_rows_were_read() -> None:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *lines(300, 1))
    alone = lake.run()
    again = Lake(CONTRACT)
    again.drop("a.csv", HEADER, *lines(300, 1))
    again.drop("cut.csv", HEADER, *lines(200, 2), '"7,g1,2026-01-01')
    said = again.run()
    assert said["version"] == alone["version"]
    assert (said["rows"]["read"], said["rows"]["rejected"]) == (alone["rows"]["read"], alone["rows"]["rejected"])
    assert any("quote" in reject["reason"] for reject in again.rejects(said))


def test_a_file_is_read_alike_from_memory_and_from_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is unpacked to disk beyond a size is what is unpacked in memory below it."""
    body = gzip.compress("\n".join([HEADER, *lines(300, 3), ""]).encode("utf-16"))
    versions = []
    for most in (1, 2**24):
        monkeypatch.setattr("andamio.tabular.file._IN_MEMORY", most)
        lake = Lake(CONTRACT)
        lake.drop_bytes("a.csv.gz", body)
        versions.append(lake.run()["version"])
    assert versions[0] == versions[1]


@pytest.mark.parametrize("rows", [[5, 3, 5, 2**64 - 1, 0, 3], [9, 1, 2**63]])
def test_digests_are_written_and_hashed_as_the_texts_that_they_are(rows: list[int]) -> None:
    numbers = np.array(rows, dtype=np.uint64)
    texts = np.array([f"{row:016x}" for row in rows], dtype=object)
    assert to_bytes({"k": numbers}) == to_bytes({"k": texts})
    assert content_digest({"k": numbers}) == content_digest({"k": texts})
    assert from_bytes(to_bytes({"k": numbers}))["k"].tolist() == texts.tolist() == list(DigestTexts(numbers))
    assert DigestTexts(numbers)[1:][0] == texts[1]
    assert f"{digest_of('a'):016x}" == "ca978112ca1bbdca"


@pytest.mark.parametrize(
    ("texts", "are_digests"),
    [(["00000000000000ff", "ca978112ca1bbdca", "00000000000000ff"], True), (["ab", "b"], False), (["G" * 16], False)],
)
def test_a_column_of_digests_is_read_as_numbers_and_any_other_as_it_is(texts: list[str], are_digests: bool) -> None:
    with ColumnFile(io.BytesIO(to_bytes({"k": np.array(texts, dtype=object)}))) as file:
        column = file.digests("k")
    assert column.dtype == (np.uint64 if are_digests else object)
    assert (list(DigestTexts(column)) if are_digests else column.tolist()) == texts


def test_a_column_is_read_when_it_is_asked_for_and_not_before(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "rows.npz"
    file.write_bytes(to_bytes({"a": np.arange(3.0), "b": np.array(["x", "y", "x"], dtype=object)}))
    with ColumnFile(file) as columns:
        monkeypatch.setattr("andamio.dataset.columns._texts", lambda *_: pytest.fail("read b"))
        assert list(columns) == ["a", "b"]
        assert "b" in columns
        assert columns["a"].tolist() == [0, 1, 2]


MAKES_A_FOLDER_AND_WAITS = """
import etl.staging
scratch = etl.staging.Scratch()
scratch.folder.joinpath("raw").write_text("somebody's rows")
print(scratch.folder.name, flush=True)
input()
"""


@pytest.mark.parametrize("step", ["validate", "publish", "report"])
def test_a_step_removes_the_files_of_killed_steps_and_of_no_other(step: str, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *lines(300, 1))
    version = lake.run()["version"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MAKES_A_FOLDER_AND_WAITS],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        killed, running = (process.stdout.readline().strip() for process in processes)
        processes[0].kill()
        processes[0].wait()
        used, same_id = staging.Scratch(), tmp_path / f"andamio-etl-{os.getpid()}-earlier"
        same_id.mkdir()
        digest = lake.manifest(version)["input"]
        lake.step(step, **({"version": version} if step == "report" else {"input": digest}))
        assert not (tmp_path / killed).exists()
        assert (tmp_path / running / "raw").exists()
        assert used.folder.exists()
        assert not same_id.exists()
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_rejects_are_in_the_order_of_their_lines_whatever_they_are_packed_with() -> None:
    made = [Reject("raw/a.csv", "1", line, (("n", "why", "code"),), f'{{"n": "{line}\u2028"}}') for line in (4, 9, 2)]
    rejects = Rejects()
    rejects.add(PackedRejects(made), np.array([True, False, True]))
    rejects.add(PackedRejects([]), np.array([], dtype=bool))
    file = Reject("raw/b.csv", "1", None, (("", "is empty", "unusable-file"),))
    rejects.put_first([file])
    assert list(rejects) == [file, made[2], made[0]]
    assert len(rejects) == 3


def test_the_file_of_rejects_ends_with_the_first_of_many_and_all_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MOST_STORED", 1_000)
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *[f"{row},g,2026-01-02,99,,red,,a" for row in range(1_500)])
    said = lake.run()
    assert "The first 1,000 of 1,501 rejects, with line and reasons, are in quarantine/" in said["message"]
    assert len(lake.rejects(said)) == 1_000
    info = lake.read(layout.staging(said["input"], "info.json"))
    assert info["rows"]["rejected"] == info["reasons"][0]["rows"] == 1_500


def test_of_each_file_without_a_usable_row_only_its_own_rejects_are_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = 0
    unpack = PackedRejects.__iter__

    def counted(rejects: PackedRejects) -> Iterator[Reject]:
        nonlocal unpacked
        unpacked += 1
        return unpack(rejects)

    monkeypatch.setattr(PackedRejects, "__iter__", counted)
    lake = Lake(CONTRACT)
    for number in range(10):
        lake.drop(f"{number}.csv", HEADER, f"{number},g,2026-01-02,{100 + number},,red,,a")
    assert lake.run()["status"] == "rejected"
    assert unpacked <= 50, "once for each file, and once for each document of all of them"


def parquet(rows: int, columns: int) -> bytes:
    out = io.BytesIO()
    table = pa.table({f"column number {place:05}": pa.array(range(rows)) for place in range(columns)})
    pq.write_table(table, out, row_group_size=max(rows // 4, 1))
    return out.getvalue()


TABLE = "\n".join([HEADER, *lines(60_000, 4)]).encode()
FILES = {
    "a.csv": (TABLE, 60_000),
    "a.tsv": (TABLE.replace(b"\n", b"\r"), 60_000),
    "a.csv.gz": (gzip.compress(TABLE), 60_000),
    "members.csv.gz": (b"".join(gzip.compress(TABLE[at : at + 20_000]) for at in range(0, len(TABLE), 20_000)), 60_000),
    "notes.csv": (b"n;m\n" + b'1;"a\nnote ""of"" lines\n\n5"" pipe;"\n' * 50_000, 50_000),
    "utf-16.csv": ("n,m\n".encode("utf-16") + '1,"a\nnote"\n'.encode("utf-16-le") * 50_000, 50_000),
    "a.jsonl": (b'{"n": 1}\n' * 1_000, 1_000),
    "a.parquet": (parquet(70_000, 3), 70_000),
    "wide.parquet": (parquet(10, 1_000), 10),
    "damaged.parquet": (TABLE, 0),
    "damaged.csv.gz": (TABLE, 0),
    "empty.csv": (b"", 0),
    "a.pdf": (TABLE, 0),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_not_read_to_tell_about_how_many_rows_it_has(name: str) -> None:
    body, rows = FILES[name]
    read = 0

    def piece(start: int, length: int) -> bytes:
        nonlocal read
        read += length
        return body[start : start + length]

    assert rows_about(f"raw/{name}", len(body), piece) == pytest.approx(rows, rel=0.02)
    assert read <= 2**20 + 2**18


def test_more_rows_than_a_function_can_take_are_refused_before_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "MOST_ROWS", 1_000)
    monkeypatch.setattr(extent, "LOOKED_INTO_FROM", 1_000)
    monkeypatch.setattr("etl.steps.validate", lambda *_: pytest.fail("the files were read"))
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *lines(700, 1))
    lake.drop("b.csv", HEADER, *lines(700, 2))
    said = lake.run()
    assert said["status"] == "rejected"
    for part in ("1,40", "up to 1,000 of 8 columns", "andamio ingest --remove NAME", "random sample"):
        assert part in said["message"]


@pytest.mark.parametrize("looked_into_from", [1_000, extent.LOOKED_INTO_FROM])
def test_the_limit_is_kept_to_the_row_where_an_estimate_is_not_clear(
    looked_into_from: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extent, "MOST_ROWS", 1_000)
    monkeypatch.setattr(extent, "LOOKED_INTO_FROM", looked_into_from)
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *lines(500, 1))
    lake.drop("b.csv", HEADER, *lines(500, 2))
    assert lake.run()["status"] == "published"
    lake.drop("c.csv", HEADER, *lines(6, 3)[:1])
    said = lake.run()
    assert said["status"] == "rejected"
    assert said["message"].startswith("The raw files have more than 1,000 rows, and ETL takes up to 1,000 of 8 columns")


def test_a_small_parquet_file_of_too_many_rows_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "MOST_ROWS", 1_000)
    monkeypatch.setattr("etl.steps.validate", lambda *_: pytest.fail("the file was read"))
    lake = Lake(CONTRACT)
    lake.drop_bytes("a.parquet", parquet(1_001, 3))
    assert lake.run()["message"].startswith("The raw files have 1,001 rows, and ETL takes up to 1,000 of 8 columns")


@pytest.mark.parametrize(("texts", "status"), [("differ", "rejected"), ("recur", "published")])
def test_long_texts_that_differ_in_each_row_are_refused_while_they_are_read(
    monkeypatch: pytest.MonkeyPatch, texts: str, status: str
) -> None:
    """A function would end for lack of memory in a later step, and nobody would know why."""
    monkeypatch.setattr(staging, "CHUNK", 200)
    monkeypatch.setattr(ingest, "MOST_TEXT", 50_000)
    lake = Lake(CONTRACT)
    header, *rows = HEADER, *lines(300, 1)
    words = [f"{'x' * 300}{index if texts == 'differ' else 0}" for index in range(300)]
    lake.drop("long.csv", header, *(row.replace(",red,", f",{word},") for row, word in zip(rows, words, strict=True)))
    said = lake.run()
    assert said["status"] == status
    if status == "rejected":
        assert "the texts of 'c' are more than ETL has memory for" in said["message"]
        assert "Leave the column out of problem.toml" in said["message"]


def test_a_file_larger_than_the_disk_has_room_for_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extent, "MOST_BYTES", 5_000)
    lake = Lake(CONTRACT)
    lake.drop("small.csv", HEADER, *lines(50, 1))
    lake.drop("large.csv", HEADER, *lines(700, 2))
    assert lake.run()["message"].startswith("raw/large.csv has 0.0 GB, and ETL takes files of up to 0 GB")


@pytest.mark.slow
def test_a_row_more_costs_few_bytes_in_every_step(tmp_path) -> None:
    """Of 13 columns: as text they are 40 bytes, as numbers 104, and as objects they were 700."""
    few, many = (
        {line.split(" | ")[2]: float(line.split(" | ")[4]) for line in benchmark.lines(tmp_path / str(rows), rows)}
        for rows in (150_000, 450_000)
    )
    grown = {step: (many[step] - few[step]) * 2**20 / 300_000 for step in few}
    assert max(grown.values()) < 200, grown
