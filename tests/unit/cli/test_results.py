"""The result of a batch as one file, in every format: the same rows, typed, whatever the parts."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.batches import arrow_rows
from andamio.cli.batches.results import fetch, fetch_rejected
from andamio.cli.batches.sinks import sqlite_names
from andamio.contract import Contract
from andamio.errors import ServiceError, UsageError
from andamio.storage import layout
from andamio.tabular.limits import LONGEST_ROW
from scoring.batch import BatchPlan
from scoring.documents import Manifest, OutputFiles
from tests.support.batches import a_manifest, a_plan, plan_of

CONTRACT = Contract.from_toml("""
[problem]
name = "loans"
target = "outcome"
labels = { paid = "Paid back", lost = "Never paid" }
[data]
missing = ["", "?"]
[features.age]
type = "integer"
[features.amount]
type = "number"
required = false
[features.owner]
type = "boolean"
[features.purpose]
type = "category"
values = ["car", "?study"]
""")
BATCH = "20261121T100000-0123456789ab"
COLUMNS = ("age", "amount", "owner", "purpose", "note")
OWN = ("prediction_id", "label", "label_text", "probability_paid", "probability_lost", "model_version")
ROWS: list[tuple[Any, ...]] = [
    (41, 10.5, True, "car", 'said "no",\nand left'),
    (7, None, False, "car", None),
    (2**24, 0.1, True, "car", "ü"),
]


def own(line: int) -> tuple[Any, ...]:
    return (f"{BATCH}-{line}", "paid", "Paid back", 0.75, 0.25, "abc")


def plan(form: str, **more: Any) -> BatchPlan:
    said: dict[str, Any] = {
        "batch": BATCH, "problem": "loans", "created": "2026-11-21T10:00:00+00:00", "key": "incoming/a.csv",
        "version": "1", "etag": "e", "size": 1, "format": form, "compression": "", "source": "incoming/a.csv",
        "source_version": "1", "source_size": 1, "columns": COLUMNS, "record_column": None, "release": "abc",
        "classes": ("paid", "lost"), "texts": {"paid": "Paid back", "lost": "Never paid"}, "threshold": 0.5,
        "names_out": dict(zip(OWN, OWN, strict=True)), "store": "auto", "expires": 0,
    }  # fmt: skip
    return plan_of(said | more)


def parts(form: str, groups: list[list[tuple[Any, ...]]], *, delimiter: str = ",", decimal: str = ".") -> list[bytes]:
    """Scored parts as a worker writes them: each a valid file alone."""
    made = []
    line = 2
    for group in groups:
        rows = []
        for row in group:
            rows.append(dict(zip((*COLUMNS, *OWN), (*row, *own(line)), strict=True)))
            line += 1
        if form == "csv":
            text = io.StringIO()
            writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
            writer.writerow((*COLUMNS, *OWN))
            for row in rows:
                cells = [" " + str(row["age"]) if row["age"] == 7 else row["age"], row["amount"], row["owner"]]
                cells = ["?" if cell is None else str(cell).replace(".", decimal) for cell in cells]
                shares = [str(row[name]).replace(".", decimal) for name in OWN if name.startswith("probability")]
                writer.writerow([*cells, row["purpose"], row["note"], *list(row.values())[5:8], *shares, "abc"])
            made.append(text.getvalue().encode())
        elif form == "jsonl":
            made.append("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode())
        else:
            sink = io.BytesIO()
            types = [pa.int64(), pa.float64(), pa.bool_(), pa.string(), pa.string(), *[pa.string()] * 3]
            types += [pa.float64(), pa.float64(), pa.string()]
            schema = pa.schema(list(zip((*COLUMNS, *OWN), types, strict=True)))
            parquet.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
            made.append(sink.getvalue())
    return made


def manifest_of(keys: list[str], scored: int) -> Manifest:
    """The manifest of a batch whose parts have these keys."""
    return a_manifest(a_plan(), [], scored=scored, files=OutputFiles(tuple(keys), None, ()))


def stored(form: str, groups: list[list[tuple[Any, ...]]], **how: Any) -> tuple[MemoryObjects, Manifest]:
    """A bucket with the parts, and the manifest that names them."""
    objects = MemoryObjects()
    keys = []
    for number, body in enumerate(parts(form, groups, **how)):
        keys.append(layout.scored_part(BATCH, number, form))
        objects.put(keys[-1], body)
    return objects, manifest_of(keys, sum(map(len, groups)))


def read(file: Path, form: str) -> list[tuple[Any, ...]]:
    if form == "sqlite":
        with sqlite3.connect(file) as connection:
            return connection.execute("SELECT * FROM predictions").fetchall()
    if form == "parquet":
        return [tuple(row.values()) for row in parquet.read_table(file).to_pylist()]
    text = file.read_text(newline="")
    if form == "jsonl":
        return [tuple(json.loads(line).values()) for line in text.splitlines()]
    return [tuple(row) for row in csv.reader(io.StringIO(text, newline=""))]


GROUPS = {"one part": [ROWS], "two": [ROWS[:1], ROWS[1:]], "an empty one": [ROWS[:2], [], ROWS[2:]]}
EXPECTED = [(*row, *own(line)) for line, row in enumerate(ROWS, start=2)]


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("form", ["parquet", "sqlite"])
def test_typed_formats_hold_every_row_with_its_types(
    source: str, form: str, groups: list[list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    objects, manifest = stored(source, groups)
    fetch(objects, plan(source), manifest, CONTRACT, tmp_path / "result", form, lambda: None)
    found = read(tmp_path / "result", form)
    assert found == EXPECTED
    assert [type(value) for value in found[0]][:2] == [int, float]
    assert list(tmp_path.iterdir()) == [tmp_path / "result"], "nothing else is left behind"


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS.keys())
@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_csv_is_what_every_format_can_become(source: str, groups: list[list[tuple[Any, ...]]], tmp_path: Path) -> None:
    objects, manifest = stored(source, groups)
    fetch(objects, plan(source), manifest, CONTRACT, tmp_path / "result", "csv", lambda: None)
    header, *rows = read(tmp_path / "result", "csv")
    assert header == (*COLUMNS, *OWN)
    assert [row[4:6] for row in rows] == [(row[4] or "", row[5]) for row in EXPECTED]
    assert [float(row[8]) for row in rows] == [0.75] * 3


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
def test_the_batch_s_own_format_is_joined_as_it_is(source: str, tmp_path: Path) -> None:
    whole, split = parts(source, [ROWS])[0], stored(source, GROUPS["an empty one"])
    fetch(*split[:1], plan(source), split[1], CONTRACT, tmp_path / "result", source, lambda: None)
    if source == "parquet":
        assert read(tmp_path / "result", source) == EXPECTED
    else:
        assert (tmp_path / "result").read_bytes() == whole


def test_a_header_with_a_line_break_stands_once(tmp_path: Path) -> None:
    objects = MemoryObjects()
    header = '"no\nte",größe\n'
    keys = ["a", "b"]
    for key, body in zip(keys, ("1,2\n", "3,4\n"), strict=True):
        objects.put(key, (header + body).encode())
    manifest = manifest_of(keys, 2)
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "csv", lambda: None)
    assert (tmp_path / "result").read_text() == header + "1,2\n3,4\n"


def test_a_merged_file_is_taken_as_it_is_and_progress_is_told(tmp_path: Path) -> None:
    objects, manifest = stored("csv", [ROWS])
    objects.put("scored/whole.csv", b"whole")
    manifest = replace(manifest, files=replace(manifest.files, merged="scored/whole.csv"))
    told: list[int] = []
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "csv", lambda: told.append(1))
    assert (tmp_path / "result").read_bytes() == b"whole"
    assert told == [1]
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: told.append(1))
    assert read(tmp_path / "result", "sqlite") == EXPECTED


def test_a_spreadsheet_s_decimal_commas_become_numbers(tmp_path: Path) -> None:
    objects, manifest = stored("csv", [ROWS], delimiter=";", decimal=",")
    german = plan("csv", delimiter=";", decimal=",")
    fetch(objects, german, manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    assert read(tmp_path / "result", "sqlite") == EXPECTED


def test_two_columns_of_one_name_are_both_there(tmp_path: Path) -> None:
    objects = MemoryObjects()
    objects.put("a", b"age,note,Note,note,prediction_id\n1,a,b,c,x-1\n")
    manifest = manifest_of(["a"], 1)
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    with sqlite3.connect(tmp_path / "result") as connection:
        cursor = connection.execute("SELECT * FROM predictions")
        assert [column[0] for column in cursor.description] == ["age", "note", "Note_2", "note_3", "prediction_id"]
        assert cursor.fetchall() == [(1, "a", "b", "c", "x-1")]


def test_a_column_that_sqlite_cannot_tell_apart_takes_no_other_column_s_name() -> None:
    assert sqlite_names(["note", "Note", "NOTE_2", "note", ""]) == ["note", "Note_3", "NOTE_2", "note_4", "column"]


def test_names_in_decomposed_form_are_found_in_lines_of_json(tmp_path: Path) -> None:
    objects = MemoryObjects()
    name = "d\u00eda"
    objects.put("a", json.dumps({normalize("NFD", name): "x", "prediction_id": "x-1"}).encode() + b"\n")
    said = plan("jsonl", columns=(name,), names_out={"prediction_id": "prediction_id"})
    fetch(objects, said, manifest_of(["a"], 1), CONTRACT, tmp_path / "result", "csv", lambda: None)
    assert read(tmp_path / "result", "csv")[1] == ("x", "x-1")


@pytest.mark.parametrize("form", ["csv", "parquet", "sqlite"])
def test_keys_that_come_late_are_left_out_and_counted(form: str, tmp_path: Path) -> None:
    objects = MemoryObjects()
    for part, record in (("a", {"age": 1}), ("b", {"age": 2, "note": "x"}), ("c", {"note": None, "d\u0131a": 1})):
        objects.put(part, json.dumps({**record, "prediction_id": part}).encode() + b"\n")
    said = plan("jsonl", columns=("age",), names_out={"prediction_id": "prediction_id"})
    manifest = manifest_of(["a", "b", "c"], 3)
    assert fetch(objects, said, manifest, CONTRACT, tmp_path / "result", form, lambda: None) == {
        "note": 2,
        "d\u0131a": 1,
    }
    assert fetch(objects, said, manifest, CONTRACT, tmp_path / "same", "jsonl", lambda: None) == {}
    assert (tmp_path / "same").read_text().count("note") == 2


def test_a_number_that_is_no_feature_keeps_its_digits(tmp_path: Path) -> None:
    objects = MemoryObjects()
    written = ["12345678901234567890", "12345678901234567891.0", "0.12345678901234567891", "1.50"]
    lines = [f'{{"code": {text}, "prediction_id": "x-{row}"}}' for row, text in enumerate(written)]
    objects.put("a", "\n".join([*lines, ""]).encode())
    said = plan("jsonl", columns=("code",), names_out={"prediction_id": "prediction_id"})
    fetch(objects, said, manifest_of(["a"], 4), CONTRACT, tmp_path / "result", "csv", lambda: None)
    assert [row[0] for row in read(tmp_path / "result", "csv")[1:]] == [
        "12345678901234567890", "12345678901234567891", "0.12345678901234567891", "1.5",
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("form", ["csv", "parquet", "sqlite"])
@pytest.mark.parametrize("groups", [[[]], [[], []], [[], ROWS]], ids=["one part", "two", "rows in the second"])
def test_parts_without_rows_have_columns(
    source: str, form: str, groups: list[list[tuple[Any, ...]]], tmp_path: Path
) -> None:
    objects, manifest = stored(source, groups)
    fetch(objects, plan(source), manifest, CONTRACT, tmp_path / "result", form, lambda: None)
    rows = read(tmp_path / "result", form)
    if form == "csv":
        assert rows.pop(0) == (*COLUMNS, *OWN)
    assert len(rows) == manifest.scored


def test_predictions_of_a_file_that_was_scored_before_are_by_their_own_id(tmp_path: Path) -> None:
    objects = MemoryObjects()
    objects.put("a", b"age,prediction_id,Andamio_prediction_id,andamio_prediction_id\n1,x,y,x-2\n1,x,y,x-3\n")
    manifest = manifest_of(["a"], 2)
    called = dict(zip(OWN, OWN, strict=True)) | {"prediction_id": "andamio_prediction_id"}
    fetch(objects, plan("csv", names_out=called), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    with sqlite3.connect(tmp_path / "result") as connection:
        found = connection.execute("SELECT name FROM pragma_table_info('predictions') WHERE pk").fetchall()
        assert found == [("andamio_prediction_id_2",)]
        assert len(connection.execute("SELECT * FROM predictions").fetchall()) == 2


def test_cells_that_are_quoted_behind_spaces_are_read_as_they_were_scored(tmp_path: Path) -> None:
    objects = MemoryObjects()
    body = (
        b'age,purpose,note,prediction_id\n 1, car, "Mueller, Eva",x-2\n "2",car,"a "" b",x-3\n3,car,5\'10" tall,x-4\n'
    )
    objects.put("a", body)
    manifest = manifest_of(["a"], 3)
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    rows = read(tmp_path / "result", "sqlite")
    assert [row[0] for row in rows] == [1, 2, 3]
    assert [row[2:] for row in rows] == [("Mueller, Eva", "x-2"), ('a " b', "x-3"), ("5'10\" tall", "x-4")]


def test_spaces_before_a_quote_are_found_where_the_file_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrow_rows, "BLOCK", 16)
    objects = MemoryObjects()
    for shift in range(16):
        objects.put("a", b"age,note,prediction_id\n1," + b"x" * shift + b',x\n2,  "a,b",y\n')
        manifest = manifest_of(["a"], 2)
        fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
        assert read(tmp_path / "result", "sqlite")[1] == (2, "a,b", "y")


@pytest.mark.parametrize("quote", [b'"', b' "'])
def test_a_row_as_long_as_can_be_scored_is_brought(quote: bytes, tmp_path: Path) -> None:
    objects = MemoryObjects()
    text = "a\n" * ((LONGEST_ROW - 10) // 2)
    objects.put("a", b"age,note,prediction_id\n1,x,x-1\n2," + quote + text.encode() + b'",x-2\n')
    manifest = manifest_of(["a"], 2)
    fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "parquet", lambda: None)
    assert read(tmp_path / "result", "parquet")[1] == (2, text, "x-2")


@pytest.mark.parametrize("form", ["sqlite", "csv"])
def test_lists_objects_days_and_large_numbers_of_parquet_are_kept(form: str, tmp_path: Path) -> None:
    from datetime import date

    objects, sink = MemoryObjects(), io.BytesIO()
    table = pa.table(
        {
            "list": [[1, 2]],
            "object": [{"a": "ü"}],
            "day": [date(2026, 1, 2)],
            "large": pa.array([2**64 - 1], pa.uint64()),
            "coded": pa.array(["x"]).dictionary_encode(),
        }
    )
    parquet.write_table(table, sink)
    objects.put("a", sink.getvalue())
    manifest = manifest_of(["a"], 1)
    fetch(objects, plan("parquet"), manifest, CONTRACT, tmp_path / "result", form, lambda: None)
    row = read(tmp_path / "result", form)[-1]
    assert row == ("[1, 2]", '{"a": "ü"}', "2026-01-02", str(2**64 - 1), "x")


def test_bytes_that_are_no_text_are_not_for_csv(tmp_path: Path) -> None:
    objects, sink = MemoryObjects(), io.BytesIO()
    parquet.write_table(pa.table({"raw": [b"\xff"], "prediction_id": ["x-1"]}), sink)
    objects.put("a", sink.getvalue())
    manifest = manifest_of(["a"], 1)
    with pytest.raises(UsageError, match="'raw', of type binary"):
        fetch(objects, plan("parquet"), manifest, CONTRACT, tmp_path / "result", "csv", lambda: None)
    assert not (tmp_path / "result").exists()
    fetch(objects, plan("parquet"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    assert read(tmp_path / "result", "sqlite") == [(b"\xff", "x-1")]


def test_parts_that_are_not_what_was_scored_are_no_result(tmp_path: Path) -> None:
    objects, manifest = stored("csv", [ROWS])
    manifest = replace(manifest, scored=manifest.scored + 1)
    with pytest.raises(ServiceError, match="hold 3 rows, but its manifest counts 4"):
        fetch(objects, plan("csv"), manifest, CONTRACT, tmp_path / "result", "sqlite", lambda: None)
    assert list(tmp_path.iterdir()) == []


def test_rejects_are_one_file(tmp_path: Path) -> None:
    objects = MemoryObjects()
    objects.put("r0", b'{"line": 2}\n')
    objects.put("r1", b'{"line": 9}\n')
    manifest = a_manifest(a_plan(), [], files=OutputFiles((), None, ("r0", "r1")))
    fetch_rejected(objects, manifest.files.rejected, tmp_path / "rejected.jsonl")
    assert [json.loads(line)["line"] for line in (tmp_path / "rejected.jsonl").read_text().splitlines()] == [2, 9]
