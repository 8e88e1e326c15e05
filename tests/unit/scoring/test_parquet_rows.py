"""Parquet: every type that a column comes in means what training makes of it, and memory is read by ranges."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from andamio.errors import DataError
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from scoring.batch import Shard
from scoring.formats import read_rows
from tests.support.scoring import Scored, planned, score_file
from tests.unit.core.making import contract

TABLE = contract("""
[features.c]
type = "category"
values = ["1", "x", "true", "2020-01-02", "1.5"]
unknown = "other"
required = false
[features.n]
type = "number"
required = false
[features.day]
type = "date"
required = false
[features.flag]
type = "boolean"
required = false
""")
DAY, MOMENT = date(2020, 1, 2), datetime(1965, 1, 2, 23, 59, 59, 750000)
COLUMNS = {
    "text": pa.array(["1", None, "x", " x "]),
    "large text": pa.array(["1", None, "x", "yes"], pa.large_string()),
    "dictionary": pa.array(["1", None, "x", "1"]).dictionary_encode(),
    "bytes": pa.array([b"1", None, b"x", b"no"]),
    "int8": pa.array([1, None, 0, 7], pa.int8()),
    "int64": pa.array([1, 2**40, 0, 7]),
    "uint64": pa.array([1, 2**63 + 5, 0, 7], pa.uint64()),
    "float": pa.array([1.0, None, 1.5, float("nan")]),
    "float32": pa.array([1.0, None, 0.1, 2.5], pa.float32()),
    "truth": pa.array([True, None, False, True]),
    "decimal": pa.array([Decimal("1.50"), None, Decimal("0.10"), Decimal("7.00")]),
    "date": pa.array([DAY, None, date(1960, 2, 29), DAY]),
    "moment": pa.array([datetime(2020, 1, 2), None, MOMENT, datetime(2020, 1, 2, 3)], pa.timestamp("us")),
    "nanoseconds": pa.array([MOMENT, None, MOMENT, MOMENT], pa.timestamp("ns")),
    "zoned": pa.array([datetime(2020, 1, 2, tzinfo=UTC), None, datetime(2020, 1, 2, 5, tzinfo=UTC), None]),
    "nothing": pa.array([None, None, None, None], pa.string()),
    "ones": pa.array([1, 1, 1, 1]),
    "dates as text": pa.array(["2020-01-02", "2020-01-02T23:30:00-02:00", "tomorrow", ""]),
}


def bytes_of(table: pa.Table, **how: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **how)
    return sink.getvalue()


def parsed(scored: Scored) -> Any:
    with read_rows(scored.batch, scored.plan, scored.cut.shards[0], scored.contract) as reading:
        (rows,) = reading.rows()
        return parse(scored.contract, rows.columns, len(rows.lines), text=rows.text)


@pytest.mark.parametrize("feature", list(TABLE.inputs))
@pytest.mark.parametrize("kind", list(COLUMNS))
def test_a_column_means_what_it_means_in_training(kind: str, feature: str) -> None:
    body = bytes_of(pa.table({feature: COLUMNS[kind]}))
    (rows,) = read_file("a.parquet", body, TABLE, column_kinds(TABLE, TABLE.inputs))[1]
    trained = parse(TABLE, rows.columns, len(rows.lines), text=False)
    table = parsed(planned(TABLE, body, "parquet"))
    said = [(problem.row, problem.field, problem.reason) for problem in trained.violations]
    assert sorted((problem.row, problem.field, problem.reason) for problem in table.violations) == sorted(said)
    good = ~trained.bad
    one, other = encode(TABLE, trained.take(good)), encode(TABLE, table.take(good))
    assert np.array_equal(one.numbers, other.numbers, equal_nan=True)
    assert one.categories.tolist() == other.categories.tolist()


def test_columns_that_hold_no_single_values_cost_their_rows() -> None:
    column = pa.array([[1, 2], None, [3]])
    scored = score_file(TABLE, bytes_of(pa.table({"c": column, "n": pa.array([1.0, 2.0, 3.0])})), "parquet")
    assert [row["n"] for row in scored.rows] == [2.0]
    assert [(row["line"], row["row"]["c"]) for row in scored.rejects] == [(1, [1, 2]), (3, [3])]


STRANGE = {
    "views": pa.array(["x", None, "y"]).cast(pa.string_view()),
    "views of bytes": pa.array([b"x", None, b"\xff"]).cast(pa.binary_view()),
    "bytes": pa.array([b"x", None, b"\xff"], pa.large_binary()),
    "fixed bytes": pa.array([b"ab", None, b"\xffb"], pa.binary(2)),
    "half": pa.array(np.array([1, 2, 0.5], dtype=np.float16)),
    "time": pa.array([1, None, 3], pa.time64("ns")),
    "duration": pa.array([1, None, 3], pa.duration("s")),
    "struct": pa.array([{"a": 1.0}, None, {"a": float("inf")}]),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int64())),
    "far year": pa.array([569_000_000_000, None, 1], pa.timestamp("s")),
    "far nanoseconds": pa.array([1, None, 3], pa.timestamp("ns", "Asia/Tokyo")),
    "infinite": pa.array([float("inf"), None, float("-inf")]),
    "decimals": pa.array([Decimal("1.50"), None, Decimal("3")], pa.decimal256(50, 2)),
    "null": pa.nulls(3),
}


@pytest.mark.parametrize("feature", [*TABLE.inputs, "id", "carried"])
@pytest.mark.parametrize("kind", list(STRANGE))
def test_any_type_is_read_carried_and_told(kind: str, feature: str) -> None:
    body = bytes_of(pa.table({feature: STRANGE[kind], "place": pa.array([1, 2, 3])}))
    scored = score_file(TABLE, body, "parquet", record_column="id" if feature == "id" else None, stored=True)
    out = pq.read_table(io.BytesIO(scored.part()))
    places = [*out["place"].to_pylist(), *(row["line"] for row in scored.rejects)]
    assert sorted(places) == [1, 2, 3]
    assert 2 in out["place"].to_pylist() or STRANGE[kind][1].is_valid
    assert all(row["errors"][0]["field"] == feature for row in scored.rejects)
    assert not scored.rejects or feature in TABLE.inputs
    if "views" not in kind:
        came = pq.read_table(io.BytesIO(body)).take(
            pa.array([place - 1 for place in out["place"].to_pylist()], pa.int64())
        )
        assert out.select([feature, "place"]).equals(came)


def test_the_columns_that_came_keep_their_types_and_the_notes_of_pandas_go() -> None:
    came = pa.table(
        {
            "n": pa.array([1.5, None, 1e300], pa.float64()),
            "when": pa.array([MOMENT] * 3, pa.timestamp("ns", "Europe/Madrid")),
            "tags": pa.array([["a"], None, []]),
            "kind": pa.array(["x", "y", "x"]).dictionary_encode(),
            "price": pa.array([Decimal("1.50"), None, Decimal("2.00")]),
        }
    ).replace_schema_metadata({"pandas": "{}", "owner": "us"})
    scored = score_file(TABLE, bytes_of(came), "parquet", stored=True)
    out = pq.read_table(io.BytesIO(scored.part()))
    assert out.schema.names == [*came.schema.names, *scored.plan.names_out]
    assert out.select(came.schema.names).equals(came.slice(0, 2))
    assert out.schema.metadata == {b"owner": b"us"}
    assert out["prediction_id"].to_pylist() == [f"{scored.plan.batch}-1", f"{scored.plan.batch}-2"]
    assert out["probability_no"].type == pa.float32()
    (reject,) = scored.rejects
    assert (reject["line"], reject["errors"][0]["field"]) == (3, "n")
    assert reject["row"]["kind"] == "x"
    assert len(scored.table.items) == 2


@pytest.mark.parametrize("kind", [pa.int64(), pa.string(), pa.float64(), pa.large_string()])
def test_record_ids_are_canonical(kind: pa.DataType) -> None:
    ids = pa.array([7, None, 12345678901234]).cast(kind)
    body = bytes_of(pa.table({"id": ids, "n": pa.array([1.0, 2.0, 3.0])}))
    scored = score_file(TABLE, body, "parquet", record_column="id", stored=True)
    items = [scored.table.find(row["prediction_id"]) for row in scored.rows]
    assert [item and item.get("record_id") for item in items] == ["7", None, "12345678901234"]


def test_shards_are_row_groups_and_count_rows_from_one() -> None:
    body = bytes_of(pa.table({"n": pa.array(np.arange(10.0))}), row_group_size=4)
    cuts = [Shard(0, 0, 2, 1), Shard(1, 2, 3, 9)]
    scored = score_file(TABLE, body, "parquet", cuts=cuts)
    assert [result.rows for result in scored.results] == [8, 2]
    assert [result.lines for result in scored.results] == [8, 2]
    assert [int(row["prediction_id"].rsplit("-", 1)[1]) for row in scored.rows] == list(range(1, 11))
    assert [row["n"] for row in scored.rows] == list(range(10))


def test_an_empty_file_makes_an_empty_part() -> None:
    scored = score_file(TABLE, bytes_of(pa.table({"n": pa.array([], pa.float64())})), "parquet")
    assert scored.rows == []
    assert scored.results[0].rows == 0


def test_wide_rows_are_read_fewer_at_a_time() -> None:
    wide = pa.array(np.random.default_rng(3).bytes(60_000).hex() for _ in range(600))
    body = bytes_of(pa.table({"wide": wide, "n": pa.array(np.arange(600.0))}))
    scored = planned(TABLE, body, "parquet")
    with read_rows(scored.batch, scored.plan, scored.cut.shards[0], TABLE) as reading:
        sizes = [len(rows.lines) for rows in reading.rows()]
    assert sum(sizes) == 600
    assert max(sizes) < 300


def test_small_row_groups_are_fetched_whole_and_large_ones_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {f"x{place}": pa.array(np.random.default_rng(place).random(9_000)) for place in range(12)}
    body = bytes_of(pa.table(columns | {"n": pa.array(np.arange(9_000.0))}), row_group_size=3_000)
    reads: list[int] = []

    def scored() -> list[float]:
        del reads[:]
        made = planned(TABLE, body, "parquet")
        get_range = made.batch.get_range

        def noted(key: str, start: int, length: int, **more: Any) -> bytes:
            reads.append(length)
            return get_range(key, start, length, **more)

        monkeypatch.setattr(made.batch, "get_range", noted)
        made.again()
        return [row["n"] for row in made.rows]

    rows = scored()
    assert rows == list(range(9_000))
    assert len(reads) <= 4
    monkeypatch.setattr("andamio.tabular.parquet.reader._WHOLE", 100_000)
    assert scored() == rows
    assert len(reads) >= 3 * 13
    assert max(reads[2:]) < 40_000


def test_a_file_that_is_no_parquet_is_told() -> None:
    scored = planned(TABLE, bytes_of(pa.table({"n": pa.array([1.0])})), "parquet")
    scored.batch.put(scored.plan.source, b"PAR1 not at all PAR1")
    scored.plan = type(scored.plan)(**{**vars_of(scored.plan), "source_version": "v2", "source_size": 20})
    with pytest.raises(DataError, match="cannot be read"):
        scored.again()


def vars_of(plan: Any) -> dict[str, Any]:
    return {name: getattr(plan, name) for name in plan.__dataclass_fields__}
