"""What is compared as text never passes through a float, and every day from year 1 to 9999 is the day it was."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.columns import from_bytes, to_bytes
from andamio.records.from_json import parse_records
from andamio.tabular.csv.number_marks import with_point, without_thousands
from etl.collect import Source
from etl.ingest import Ingested, ingest
from lambdas.api.requests.body import parse_json
from scoring.formats import read_rows
from scoring.read.ids import record_ids
from tests.support.readers import by_batch, by_etl
from tests.support.scoring import planned

CONTRACT = Contract.from_toml("""
[problem]
name = "parts"
target = "grade"
labels = { a = "A", b = "B", 9007199254740993 = "large" }
id = "part"
group = "lot"
[features.kind]
type = "category"
required = false
[features.size]
type = "number"
required = false
[features.day]
type = "date"
required = false
""")
BIG = [10**17 + row for row in range(60)]
DIGITS = st.integers(-(10**30), 10**30)


def parquet(columns: dict[str, Any]) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


def lines(records: list[str]) -> bytes:
    return "".join(f"{record}\n" for record in records).encode()


def by_training(name: str, body: bytes) -> Ingested:
    lake = MemoryObjects("lake")
    lake.put(f"raw/{name}", body)
    return ingest(lake, CONTRACT, [Source.of(lake.head(f"raw/{name}"))], None)


def ids_of_batch(form: str, body: bytes) -> list[str]:
    found: list[str] = []
    scored = planned(CONTRACT_OF_BATCH, body, form, record_column="part")
    with read_rows(scored.batch, scored.plan, scored.cut.shards[0], CONTRACT_OF_BATCH) as reading:
        for rows in reading.rows():
            found += record_ids(rows.exact["part"], len(rows.lines), [""]).to_pylist()
    return found


CONTRACT_OF_BATCH = Contract.from_toml("""
[problem]
name = "parts"
target = "grade"
labels = { a = "A", b = "B" }
id = "part"
[features.kind]
type = "category"
values = ["100000000000000007", "0.1", "1.6", "123456789012345678.25"]
unknown = "other"
required = false
[features.day]
type = "date"
required = false
""")
DECIMALS = pa.array([Decimal(n) for n in BIG], pa.decimal128(18, 0))
IDS: dict[str, tuple[str, bytes]] = {
    "decimal": ("parquet", parquet({"part": DECIMALS, "lot": DECIMALS, "kind": DECIMALS, "grade": ["a"] * 60})),
    "uint64": (
        "parquet",
        parquet({"part": pa.array(BIG, pa.uint64()), "lot": BIG, "kind": BIG, "grade": ["a"] * 60}),
    ),
    "nullable": (
        "parquet",
        parquet({"part": pa.array([*BIG, None]), "lot": [*BIG, 1], "kind": [*BIG, None], "grade": ["a"] * 61}),
    ),
    "json integers": ("jsonl", lines([f'{{"part": {n}, "lot": {n}, "kind": {n}, "grade": "a"}}' for n in BIG])),
    "json decimals": ("jsonl", lines([f'{{"part": {n}.0, "lot": {n}.0, "kind": {n}.00, "grade": "a"}}' for n in BIG])),
    "csv": ("csv", lines(["part,lot,kind,grade", *(f"{n}.0,{n},{n},a" for n in BIG)])),
}


@pytest.mark.parametrize("kind", list(IDS))
def test_an_id_of_many_digits_is_one_row(kind: str) -> None:
    form, body = IDS[kind]
    found = by_training(f"a.{form}", body)
    assert found.rows == 60
    for column in ("part", "lot", "kind"):
        assert found.columns[column].tolist() == [str(n) for n in BIG]
    assert ids_of_batch(form, body)[:60] == [str(n) for n in BIG]


def test_a_label_of_many_digits_is_not_its_neighbour() -> None:
    records = [
        '{"part": 1, "lot": 1, "kind": 1, "grade": 9007199254740993}',
        '{"part": 2, "lot": 1, "grade": 9007199254740992.0}',
    ]
    found = by_training("a.jsonl", lines(records))
    assert found.labels.tolist() == [2]
    assert [reject.line for reject in found.rejects] == [2]


@given(whole=DIGITS, part=st.integers(0, 10**12 - 1), places=st.integers(0, 12))
def test_a_number_of_json_is_the_text_it_is_written_as(whole: int, part: int, places: int) -> None:
    digits = f"{part:012}"[:places]
    written = f"{whole}.{digits}" if digits else str(whole)
    meant = written.rstrip("0").rstrip(".") if digits else written
    (row,) = by_etl(CONTRACT, f'{{"kind": {written}}}\n'.encode(), "jsonl").values()
    assert row["kind"] == ("0" if meant == "-0" else meant)


@pytest.mark.parametrize(
    "written", ["0.0e99999999999999999999", "-0.0e9999999999999999999", "1.0e-99999999999999999999"]
)
def test_a_zero_with_an_exponent_that_no_decimal_holds_is_zero(written: str) -> None:
    assert parse_json(written) == 0.0
    (row,) = by_etl(CONTRACT, f'{{"kind": {written}}}\n'.encode(), "jsonl").values()
    assert row["kind"] == "0"
    assert ids_of_batch("jsonl", lines([f'{{"part": {written}}}'])) == ["0"]


NUMBERS = {
    "12345678901234567890.0": "12345678901234567890",
    "-9007199254740993.0": "-9007199254740993",
    "1e20": "100000000000000000000",
    "1e23": "100000000000000000000000",
    "1.2345678901234567891E19": "12345678901234567891",
    "0.12345678901234567890": "0.1234567890123456789",
    "0.12345678901234567891": "0.12345678901234567891",
    "123456789012345678.25": "123456789012345678.25",
    "0.8550000190734863": "0.8550000190734863",
    "5.00000000000000000000": "5",
    "1.60": "1.6",
    "1e-7": "1e-07",
    "-0.0": "0",
}


@pytest.mark.parametrize("written", NUMBERS)
def test_a_number_with_a_point_or_an_exponent_keeps_its_digits_everywhere(written: str) -> None:
    record = f'{{"kind": {written}}}'
    # Another number of many digits in the block changes nothing, and neither does one that is the same float.
    body = f'{record}\n{{"kind": 0.12345678901234567892}}\n'.encode()
    for read in (by_etl, by_batch):
        assert [row["kind"] for row in read(CONTRACT_OF_BATCH, body, "jsonl").values()] == [
            NUMBERS[written],
            "0.12345678901234567892",
        ]
    table = parse_records(CONTRACT_OF_BATCH, [parse_json(record), parse_json('{"kind": 0.12345678901234567892}')])
    assert table.columns["kind"].tolist() == [NUMBERS[written], "0.12345678901234567892"]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.decimal128(20, 4), pa.decimal256(50, 4)])
def test_a_short_float_is_the_shortest_text_that_means_it(kind: pa.DataType) -> None:
    values = [Decimal("0.1"), Decimal("1.6"), None, Decimal("2"), Decimal("0.1")]
    cells = values if pa.types.is_decimal(kind) else [None if v is None else np.float64(v) for v in values]
    if pa.types.is_float16(kind):
        cells = [None if v is None else np.float16(v) for v in values]
    body = parquet({"kind": pa.array(cells, kind)})
    for read in (by_etl, by_batch):
        assert [row["kind"] for row in read(CONTRACT_OF_BATCH, body, "parquet").values()] == [
            "0.1", "1.6", None, "2", "0.1",
        ]  # fmt: skip


DAYS = [date(1, 1, 1), date(1582, 10, 15), date(1677, 9, 20), date(1970, 1, 1), date(2262, 4, 12), date(9999, 12, 31)]
UNITS = {
    "date32": pa.array(DAYS, pa.date32()),
    "date64": pa.array(DAYS, pa.date64()),
    "seconds": pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("s")),
    "milliseconds": pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("ms")),
    "microseconds": pa.array([datetime(d.year, d.month, d.day) for d in DAYS], pa.timestamp("us")),
    "in a zone": pa.array([datetime(d.year, d.month, d.day, tzinfo=UTC) for d in DAYS], pa.timestamp("us", "UTC")),
    "texts": pa.array([d.isoformat() for d in DAYS]),
}


@pytest.mark.parametrize("unit", list(UNITS))
def test_every_day_is_the_day_it_was(unit: str) -> None:
    body = parquet({"day": UNITS[unit], "part": range(6), "lot": range(6), "grade": ["a"] * 6})
    expected = [day.isoformat() for day in DAYS]
    for read in (by_etl, by_batch):
        assert [row["day"] for row in read(CONTRACT_OF_BATCH, body, "parquet").values()] == expected
    stored = from_bytes(to_bytes(by_training("a.parquet", body).columns))["day"]
    assert [str(day) for day in stored.astype("datetime64[D]")] == expected


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_every_day_is_the_day_it_was_in_text(form: str) -> None:
    records = [{"day": day.isoformat(), "part": row, "lot": 1, "grade": "a"} for row, day in enumerate(DAYS)]
    body = lines([json.dumps(record) for record in records])
    if form == "csv":
        body = lines([",".join(records[0]), *(",".join(map(str, record.values())) for record in records)])
    expected = [day.isoformat() for day in DAYS]
    for read in (by_etl, by_batch):
        assert [row["day"] for row in read(CONTRACT_OF_BATCH, body, form).values()] == expected
    stored = from_bytes(to_bytes(by_training(f"a.{form}", body).columns))["day"]
    assert [str(day) for day in stored.astype("datetime64[D]")] == expected


@given(
    st.lists(st.text(st.sampled_from("0123456789.,' \u00a0-+e"), max_size=9), min_size=1, max_size=8),
    st.sampled_from([(",", "."), (".", ","), (",", " "), (".", "'")]),
)
def test_marks_between_thousands_are_read_alike_at_once_and_cell_by_cell(cells: list[str], marks: Any) -> None:
    decimal, thousands = marks
    contract = CONTRACT_OF_BATCH.model_copy(
        update={
            "data": CONTRACT.data.model_copy(update={"decimal": decimal, "thousands": thousands, "delimiter": ";"}),
            "features": {**CONTRACT_OF_BATCH.features, "size": CONTRACT.features["size"]},
        }
    )
    body = lines(["size;part", *(f"{cell};x" for cell in cells)])
    plain = contract.model_copy(update={"data": contract.data.model_copy(update={"thousands": None})})
    texts = [without_thousands(cell, decimal, thousands) for cell in cells]
    expected = by_etl(plain, lines(["size;part", *(f"{text};x" for text in texts)]), "csv")
    assert by_etl(contract, body, "csv") == expected


def test_a_category_with_a_decimal_comma_is_the_text_that_other_files_have() -> None:
    assert [with_point(cell) for cell in ("1,6", " -0,50 ", "1e3,5", "a,b", "1,2,3", ",5")] == [
        "1.6", " -0.50 ", "1e3,5", "a,b", "1,2,3", ".5",
    ]  # fmt: skip
