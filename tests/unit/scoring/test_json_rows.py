"""JSON Lines: read a block at a time, and no line can pass for another."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from andamio.errors import DataError
from andamio.records.parse import parse
from andamio.tabular.json.reader import JsonReader
from andamio.tabular.json.record import json_record
from andamio.tabular.rows import Rows
from andamio.tabular.text import blocks
from andamio.tabular.text.encoding import no_text
from tests.support.readers import json_reader
from tests.support.scoring import planned, score_file
from tests.unit.core.making import contract

TABLE = contract("""
[features.a]
type = "category"
values = ["1", "x", "true"]
unknown = "other"
required = false
[features.n]
type = "number"
required = false
[features.day]
type = "date"
required = false
""")
BLOCKS = st.integers(1, 60) | st.just(1 << 20)
VALUES = st.sampled_from(
    [None, 1, 1.0, "1", "x", True, "", 2.5, 10**400, [1], {"a": 1}, "2020-01-02", "ñ", "\U0001f600"]
)
RECORDS = st.dictionaries(st.sampled_from(["a", "n", "day", "extra"]), VALUES)
LINES = RECORDS.map(json.dumps) | RECORDS.map(lambda record: json.dumps(record, ensure_ascii=False)) | st.sampled_from(
    ["", " ", "{}", "[1]", "1", '"x"', "null", '{"a": NaN}', '{"a": 1},{"a": 2}', '{"a": [', "1]}", '{"a": "\\ud800"}',
     '{"a": "x', '"}', '{"a": 1} ', '{"a": 1}\r', '{"a": 1, "b": 2, "a": 3}',
     '{"b": {"a": 1, "a": 1}}', '{"a": "x:y"}', '{"a": 1e999}', '{"n": ' + "9" * 5000 + "}", "{", "}", "\x00", "tru"]
)  # fmt: skip


def read(body: bytes, block: int, **more: Any) -> tuple[list[Rows], int]:
    reading = json_reader(planned(TABLE, body, "jsonl", **more).plan, TABLE, block).read(io.BytesIO(body), 1)
    blocks = []
    while True:
        try:
            blocks.append(next(reading))
        except StopIteration as end:
            return blocks, end.value


@given(st.lists(LINES, max_size=12), BLOCKS, st.booleans())
@example(['{"a": [1', "2]}"], 1 << 20, True)
@example(['{"a": 1}', '{"a": 1},{"a": 2}', "", "   ", '{"a": 3}'], 1 << 20, False)
def test_every_line_is_read_as_it_is_alone(lines: list[str], block: int, end: bool) -> None:
    text = "\n".join(lines) + "\n" * end
    blocks, height = read(text.encode(), block)
    found: list[tuple[int, Any]] = []
    for rows in blocks:
        found += [(int(line), rows.original(row)) for row, line in enumerate(rows.lines)]
        found += [(row.line, row.reason) for row in rows.broken]
    expected: list[tuple[int, Any]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            expected.append((number, json_record(line)))
        except ValueError as error:
            expected.append((number, str(error)))
    assert sorted(found, key=lambda row: row[0]) == expected
    assert height == text.count("\n") + bool(text and not text.endswith("\n"))
    records = [record for _, record in expected if isinstance(record, dict)]
    columns: dict[str, list[object]] = {name: [record.get(name) for record in records] for name in TABLE.inputs}
    whole = parse(TABLE, columns, len(records), text=False)
    start = 0
    for rows in blocks:
        part = parse(TABLE, rows.columns, len(rows.lines), text=False)
        assert {(problem.row + start, problem.field, problem.reason) for problem in part.violations} == {
            (problem.row, problem.field, problem.reason)
            for problem in whole.violations
            if start <= problem.row < start + len(rows.lines)
        }
        start += len(rows.lines)


def test_objects_are_carried_as_they_came() -> None:
    lines = [
        '{"a":"x", "n":1.50 ,"more":{"deep":[1,{}]}}',
        '{ "a" :"y" }',
        '{"day":"2020-01-02"}\r',
        '{"a":"ñ\\u00f1"}  ',
    ]
    scored = score_file(TABLE, "\n".join(lines).encode(), "jsonl")
    out = scored.part().decode().splitlines()
    for line, came in zip(out, lines, strict=True):
        assert line.startswith(came.rstrip()[:-1])
    rows = scored.rows
    assert [list(row)[-6:] for row in rows] == [list(scored.plan.names_out)] * 4
    assert [row["prediction_id"].rsplit("-", 1)[1] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["more"] == {"deep": [1, {}]}
    assert all(abs(row["probability_no"] + row["probability_yes"] - 1) < 1e-6 for row in rows)
    assert rows[0]["label_text"] in ("No", "Yes")


def test_bytes_that_are_no_text_cost_their_line() -> None:
    scored = score_file(TABLE, b'{"a": "x"}\n{"a": "\xff"}\n{"a": 1}\n', "jsonl")
    assert [row["a"] for row in scored.rows] == ["x", 1]
    assert [(row["line"], row["reason"]) for row in scored.rejects] == [(2, no_text(b"", "utf-8"))]
    assert "save the file as UTF-8" in no_text(b"", "utf-8")


def test_record_ids_are_canonical() -> None:
    lines = [{"id": 7}, {"id": "007"}, {"id": 7.0}, {"a": "x"}, {"a": "x", "id": None}, {"id": [7]}]
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    scored = score_file(TABLE, body, "jsonl", record_column="id", stored=True)
    items = [scored.table.find(row["prediction_id"]) for row in scored.rows]
    assert [item and item.get("record_id") for item in items] == ["7", "007", "7", None, None, None]


def test_a_line_longer_than_can_be_held_is_told_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "LONGEST_ROW", 1000)
    with pytest.raises(DataError, match="line 2: a row begins there"):
        read(b'{"a": 1}\n{"a": "' + b"x" * 9000 + b'"}\n', 100)


def test_good_lines_are_never_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> None:
        raise AssertionError("read line by line")

    monkeypatch.setattr(JsonReader, "_slowly", slow)
    blocks, _ = read(b'{"a": "x"}\n\n{"n": 1}\n{"a": "\\u00f1"}', 1 << 20)
    assert [rows.lines.tolist() for rows in blocks] == [[1, 3, 4]]


@pytest.mark.parametrize("key", ["label", "l\\u0061bel", "prediction_id", "model_version"])
def test_a_key_that_was_not_planned_for_and_is_a_prediction_s_costs_its_row(key: str) -> None:
    lines = '{"a": "x"}', '{"a": "1"}', '{"a": "label"}', f'{{"a": "x", "{key}": "mine"}}', '{"a": "x", "b": "label"}'
    body = "\n".join(lines).encode()
    scored = score_file(TABLE, body, "jsonl")
    assert [row["line"] for row in scored.rejects] == [4]
    assert "let the first object have it too" in scored.rejects[0]["reason"]
    assert scored.rejects[0]["row"] == lines[3]
    for line in scored.part().splitlines():
        pairs = json.loads(line, object_pairs_hook=list)
        assert len(dict(pairs)) == len(pairs)
