"""A shard is scored once: bad rows cost themselves, another try writes the same, the result comes last."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.errors import REASON_CODES
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.storage import layout
from scoring.batch import Cut, Shard
from scoring.lookup import find
from tests.support.datasets import heart_cells
from tests.support.releases import HEART_FOLDER, heart, linear_onnx
from tests.support.scoring import BATCH, Scored, planned, score_file
from tests.unit.core.making import contract

HEART = heart()
BODY = (HEART_FOLDER / "heart.csv").read_bytes()
HEADER, *GOOD = BODY.decode().splitlines()
QUOTE_REST = "the line end: write a quote inside a cell twice"
POISON = [
    ("1,2", "has 2 cells, and the header names 14"),
    (GOOD[0] + ",more", "has 15 cells, and the header names 14"),
    ('5"6"' + GOOD[0][2:], "age: expected a number (a text that means no value belongs under [data] missing)"),
    ('"6"3' + GOOD[0][2:], f"has a closing quote that is followed by neither a delimiter nor {QUOTE_REST}"),
    ("sixty" + GOOD[0][2:], "age: expected a number (a text that means no value belongs under [data] missing)"),
    ("630" + GOOD[0][2:], "age: must be between 0 and 120"),
    ("6.5" + GOOD[0][2:], "age: must be a whole number"),
    ("inf" + GOOD[0][2:], "age: must be a finite number"),
    (GOOD[0].replace("63,1,1,", "63,1,9,"), "cp: must be one of 1, 2, 3, 4"),
    (GOOD[0].replace("63,1,1,", "63,?,9,"), "sex: is required and has no value; cp: must be one of 1, 2, 3, 4"),
]


def csv_of(lines: Sequence[str]) -> bytes:
    return "\n".join([HEADER, *lines, ""]).encode()


@given(st.lists(st.sampled_from(range(len(POISON))), max_size=12), st.randoms(), st.booleans())
def test_k_poisoned_rows_of_n_are_k_rejects_and_the_rest_is_scored(drawn: list[int], random: Any, odd: bool) -> None:
    marked = [(line, "") for line in GOOD[:20]] + [POISON[index] for index in drawn]
    if odd:
        marked.append(('63, "1",1,145,233,1,2,150,0,2.3,3,0,6,0', ""))  # makes the whole block go the slow way
    random.shuffle(marked)
    scored = score_file(HEART, csv_of([line for line, _ in marked]))
    assert [(row["line"], row["reason"]) for row in scored.rejects] == [
        (line, reason) for line, (_, reason) in enumerate(marked, start=2) if reason
    ]
    good = [(line, text) for line, (text, reason) in enumerate(marked, start=2) if not reason]
    ids = [int(row["prediction_id"].removeprefix(f"{BATCH}-")) for row in scored.rows]
    assert ids == [line for line, _ in good]
    (result,) = scored.results
    assert (result.rows, result.scored, result.rejected) == (len(marked), len(good), len(drawn))
    assert result.lines == len(marked)
    for line, text in zip(scored.part().decode().splitlines()[1:], good, strict=True):
        assert line.startswith(f"{text[1]},{BATCH}-{text[0]},")


def test_a_reject_says_what_is_wrong_with_which_row() -> None:
    scored = score_file(HEART, csv_of([GOOD[0], "x,,9" + GOOD[0][6:], "1,2"]))
    first, second = scored.rejects
    assert first["line"] == 3
    assert {error["field"] for error in first["errors"]} == {"age", "sex", "cp"}
    assert {error["code"] for error in first["errors"]} <= set(REASON_CODES)
    assert first["row"]["age"] == "x"
    assert set(first["row"]) == set(scored.plan.head.columns)
    assert second == {
        "line": 4,
        "code": "unreadable-row",
        "reason": "has 2 cells, and the header names 14",
        "errors": [{"field": "", "code": "unreadable-row", "reason": "has 2 cells, and the header names 14"}],
        "row": "1,2",
    }


def test_rows_of_nothing_are_passed_over_also_where_everything_is_optional() -> None:
    free = contract('[features.a]\ntype = "number"\nrequired = false\n[features.b]\ntype = "number"\nrequired = false')
    for odd in (b"", b'"4",5 \n6, "7"\n'):  # the second makes the whole block go the slow way
        scored = score_file(free, b'a,b\n1,2\n,\n\n,3\n , \n"",""\n,,,\n' + odd)
        lines = (2, 5, 9, 10)[: 2 + 2 * bool(odd)]
        assert [row["prediction_id"] for row in scored.rows] == [f"{BATCH}-{line}" for line in lines]
    assert scored.rejects == []


def test_columns_come_in_any_order_and_others_are_carried() -> None:
    cells = heart_cells()
    order = sorted(cells, reverse=True)
    rows = [",".join([*(cells[name][row] for name in order), f'"note, {row}"']) for row in range(30)]
    scored = score_file(HEART, "\n".join([",".join([*order, "note"]), *rows]).encode())
    plain = score_file(HEART, BODY)
    assert np.array_equal(scored.probabilities, plain.probabilities[:30])
    assert [row["note"] for row in scored.rows] == [f"note, {row}" for row in range(30)]
    assert [row["disease"] for row in scored.rows] == cells["disease"][:30]


def test_optional_columns_may_be_left_out() -> None:
    cells = heart_cells()
    kept = [name for name, feature in HEART.inputs.items() if feature.required]
    rows = [",".join(cells[name][row] for name in kept) for row in range(9)]
    scored = score_file(HEART, "\n".join([",".join(kept), *rows]).encode())
    records = [{name: float(cells[name][row]) for name in kept} for row in range(9)]
    said = scored.model.predict(encode(HEART, parse_records(HEART, records)))
    assert np.abs(scored.probabilities - said).max() <= 1e-6


def test_semicolons_and_decimal_commas_come_out_as_they_came() -> None:
    other = BODY.decode().replace(",", ";").replace(".", ",").encode()
    scored = score_file(HEART, other, delimiter=";", decimal=",")
    assert np.abs(scored.probabilities - score_file(HEART, BODY).probabilities).max() <= 1e-6
    row = scored.part().decode().splitlines()[1]
    assert row.startswith("63;1;1;145;233;1;2;150;0;2,3;3;0;6;0;")
    assert "," in row.split(";")[-2]


def test_a_row_that_the_model_has_no_answer_for_costs_itself() -> None:
    wild = contract('[features.a]\ntype = "number"\n[features.b]\ntype = "number"')
    body = b"a,b\n1,2\n3e38,3e38\n3,4\nx,1\n"
    scored = score_file(wild, body, onnx=linear_onnx(wild, scale=100.0))
    assert [(row["line"], row["reason"]) for row in scored.rejects] == [
        (3, "the model has no finite answer: a number without a range is too large"),
        (5, "a: expected a number (a text that means no value belongs under [data] missing)"),
    ]
    assert [row["a"] for row in scored.rows] == ["1", "3"]


def test_the_threshold_is_the_plans() -> None:
    low, high = (score_file(HEART, BODY, threshold=threshold) for threshold in (0.01, 0.99))
    assert {row["label"] for row in low.rows} == {"1"}
    assert {row["label"] for row in high.rows} == {"0"}
    assert {row["label_text"] for row in high.rows} == {"Healthy patient"}


class Noted(MemoryObjects):
    """Objects that fail once at a key, after or before it is written."""

    def __init__(self, fails: str = "", after: bool = False) -> None:
        super().__init__("batch")
        self.fails, self.after = fails, after

    def put_new(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        broken, self.fails = bool(self.fails) and self.fails in key, "" if self.fails in key else self.fails
        if broken and not self.after:
            raise ConnectionError(key)
        written = super().put_new(key, body, content_type=content_type)
        if broken:
            raise ConnectionError(key)
        return written


class Busy(MemoryPredictionStore):
    """A table that refuses its first write."""

    fails = True

    def put_all(self, items: Sequence[Mapping[str, Any]]) -> None:
        if self.fails:
            self.fails = False
            super().put_all(items[:7])
            raise ConnectionError("throttled")
        super().put_all(items)


def kept(objects: MemoryObjects) -> dict[str, bytes]:
    """What a batch left, but for its timings."""
    found = {info.key: objects.get(info.key).body for info in objects.list("")}
    for key in [key for key in found if "/shards/" in key]:
        found[key] = json.dumps(json.loads(found[key]) | {"seconds": {}}).encode()
    return found


def mixed() -> Scored:
    """A file with good rows and bad ones, not scored yet, stored in the table."""
    scored = planned(HEART, csv_of([*GOOD[:50], *(line for line, _ in POISON)]))
    scored.cut = Cut(scored.cut.shards, stored=True)
    return scored


KEYS = ["scored/", "rejected/", "/lookup/", "/shards/"]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("key", KEYS)
def test_a_worker_that_dies_anywhere_is_followed_by_one_that_changes_nothing(key: str, after: bool) -> None:
    whole = mixed()
    whole.again()
    broken = mixed()
    broken.batch, objects = Noted(key, after), broken.batch
    broken.batch.put(broken.plan.source, objects.get(broken.plan.source).body)
    with pytest.raises(ConnectionError):
        broken.again()
    result = broken.again()
    assert kept(broken.batch) == kept(whole.batch)
    assert broken.table.items == whole.table.items
    part = broken.batch.head(layout.scored_part(BATCH, 0, "csv"))
    assert (result.bytes, result.etag) == (part.size, part.etag)
    assert (result.rows, result.scored, result.rejected) == (50 + len(POISON), 50, len(POISON))


def test_a_worker_killed_while_it_fills_the_table_leaves_no_result_and_the_next_fills_it() -> None:
    scored, table = mixed(), Busy()
    with pytest.raises(ConnectionError):
        scored.again(table=table)
    assert len(table.items) == 7
    assert not list(scored.batch.list(f"batches/{BATCH}/shards/"))
    scored.again(table=table)
    assert len(table.items) == 50


def test_what_is_written_is_written_in_order_and_the_result_last() -> None:
    scored = mixed()
    del scored.batch.writes[:]
    scored.again()
    assert [next(key for key in KEYS if key in written) for written in scored.batch.writes] == KEYS


def test_a_shard_that_is_done_is_not_scored_again() -> None:
    scored = mixed()
    first = scored.again()
    writes = len(scored.batch.writes)
    scored.batch.delete(scored.plan.source)
    assert scored.again() == first
    assert len(scored.batch.writes) == writes


def test_shards_add_up_to_the_file() -> None:
    lines = [*GOOD[:40], POISON[0][0], "", *GOOD[40:80]]
    body = csv_of(lines)
    first = body.index(GOOD[20].encode())
    second = body.index(b"\n1,2\n") + 1
    start = len(HEADER) + 1
    cuts = [
        Shard(0, start, first, 2),
        Shard(1, first, second, 22),
        Shard(2, second, len(body), 42),
    ]
    scored, whole = score_file(HEART, body, cuts=cuts), score_file(HEART, body)
    assert scored.rows == whole.rows
    assert scored.rejects == whole.rejects
    assert [result.lines for result in scored.results] == [20, 20, 42]
    assert [result.rows for result in scored.results] == [20, 20, 41]


def test_the_table_and_the_lookup_say_what_the_part_says() -> None:
    body = (
        csv_of([*GOOD[:5], POISON[0][0], *GOOD[5:9]]).replace(b"\n", b",7.0\n").replace(b"disease,7.0", b"disease,id")
    )
    body = body.replace(b"1,2,7.0", b"1,2")
    scored = score_file(HEART, body, record_column="id", stored=True)
    assert len(scored.rows) == len(scored.table.items) == 9
    key = layout.lookup(BATCH, 0)
    for row, probabilities in zip(scored.rows, scored.probabilities, strict=True):
        item = scored.table.find(row["prediction_id"])
        assert item is not None
        line = int(row["prediction_id"].rsplit("-", 1)[1])
        found = find(lambda start, length: scored.batch.get_range(key, start, length), line)
        assert found is not None
        assert item == {
            "prediction_id": row["prediction_id"],
            "record_id": "7",
            "label": row["label"],
            "label_text": row["label_text"],
            "probabilities": item["probabilities"],
            "model": "heart",
            "model_version": row["model_version"],
            "created": scored.plan.created,
            "batch": BATCH,
            "line": line,
            "expires_at": scored.plan.expires,
        }
        assert HEART.classes[found.index] == row["label"]
        assert found.record_id == "7"
        assert np.allclose(list(item["probabilities"].values()), probabilities, atol=1e-7)
        assert found.numbers == tuple(item["probabilities"].values())
    assert find(lambda start, length: scored.batch.get_range(key, start, length), 7) is None


def test_a_file_that_ends_inside_a_quote_loses_that_row_alone() -> None:
    scored = score_file(HEART, csv_of(GOOD[:4]) + b'63,"1,1,145\n' + GOOD[0].encode())
    assert len(scored.rows) == 4
    assert [(row["line"], row["reason"]) for row in scored.rejects] == [
        (6, "ends inside a quote that is opened here and never closed")
    ]


def test_an_empty_shard_leaves_a_part_with_a_header() -> None:
    scored = score_file(HEART, HEADER.encode() + b"\n\n\n")
    assert scored.rows == []
    assert scored.part().decode() == f"{HEADER},{','.join(scored.plan.names_out)}\n"
    assert (scored.results[0].rows, scored.results[0].lines) == (0, 2)


def test_all_formats_say_the_same() -> None:
    cells = heart_cells()
    columns = {name: [None if text in ("", "?") else float(text) for text in cells[name]] for name in HEART.inputs}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    lines = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    as_json = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    plain = score_file(HEART, BODY).probabilities
    assert np.abs(score_file(HEART, sink.getvalue(), "parquet").probabilities - plain).max() <= 1e-6
    assert np.abs(score_file(HEART, as_json, "jsonl").probabilities - plain).max() <= 1e-6
