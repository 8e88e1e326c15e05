"""Raw files of every kind: how they are told apart and decoded, and that the same rows come out of each."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import subprocess
import sys
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.records.parse import parse
from andamio.tabular.arrow import cells_of
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from andamio.tabular.signature import FILE_TYPES

TOML = """
[problem]
name = "sizes"
target = "kind"
labels = { a = "A", b = "B" }
[features.size]
type = "number"
required = false
[features.colour]
type = "category"
[features.seen]
type = "date"
required = false
[features.old]
type = "boolean"
required = false
"""
CONTRACT = Contract.from_toml(TOML)
WANTED = ("size", "colour", "seen", "old", "kind")
CSV = "size,colour,seen,old,kind\n2.5,grün,2026-03-31,true,a\n,blue,,,b\n"


def read(key: str, body: bytes, contract: Contract = CONTRACT) -> tuple[list[Rows], ReadAs]:
    read_as, blocks = read_file(key, body, contract, column_kinds(contract, WANTED), exact=WANTED)
    return list(blocks), read_as


def parsed(key: str, body: bytes) -> dict[str, list[object]]:
    (rows,), read_as = read(key, body)
    decimal = read_as.decimal or "."
    table = parse(CONTRACT, rows.columns, len(rows.lines), text=rows.text, training=True, decimal=decimal)
    assert not table.violations, table.violations
    assert table.labels is not None
    columns = {
        name: [None if cell != cell or cell == "" else cell for cell in column.tolist()]
        for name, column in table.columns.items()
    }
    return columns | {"kind": table.labels.tolist()}


def as_parquet(table: pa.Table | pd.DataFrame, **options: str) -> bytes:
    body = io.BytesIO()
    pq.write_table(table if isinstance(table, pa.Table) else pa.Table.from_pandas(table), body, **options)
    return body.getvalue()


def test_the_same_rows_are_read_from_every_format() -> None:
    expected = parsed("raw/a.csv", CSV.encode())
    assert expected["size"] == [2.5, None]
    assert expected["old"] == [1.0, None]
    lines = (
        '{"size": 2.5, "colour": "gr\\u00fcn", "seen": "2026-03-31", "old": true, "kind": "a"}\n'
        '\n{"kind": "b", "colour": "blue"}'
    )
    frame = pd.DataFrame(
        {
            "kind": ["a", "b"],
            "size": np.array([2.5, np.nan]),
            "colour": ["grün", "blue"],
            "seen": pd.to_datetime(["2026-03-31", None]),
            "old": pd.array([True, None], dtype="boolean"),
        }
    )
    for key, body in {
        "raw/a.CSV": CSV.encode("utf-8-sig"),
        "raw/b.csv.gz": gzip.compress(CSV.encode()),
        "raw/c.tsv": CSV.replace(",", "\t").encode(),
        "raw/d.csv": CSV.replace(",", ";").replace("2.5", "2,5").encode("utf-16"),
        "raw/e.csv": CSV.encode("cp1252"),
        "raw/f.jsonl": lines.encode(),
        "raw/g.ndjson.gz": gzip.compress(codecs.BOM_UTF8 + lines.encode()),
        "raw/h.parquet": as_parquet(frame, compression="zstd"),
        "raw/i.pq": as_parquet(frame, compression="snappy", version="1.0", data_page_version="2.0"),
    }.items():
        assert parsed(key, body) == expected, key


@pytest.mark.parametrize("key", ["raw/readme.md", "raw/data", "raw/data.json", "raw/data.xlsx", "raw/data.parquet.gz"])
def test_a_file_of_no_known_type_is_refused_naming_the_types(key: str) -> None:
    with pytest.raises(RefusedFile) as error:
        read(key, b"")
    assert error.value.fault == "unknown-type"
    assert FILE_TYPES in str(error.value)


@pytest.mark.parametrize("key", ["raw/a.parquet", "raw/a.csv.gz", "raw/a.jsonl.gz"])
@given(body=st.binary(min_size=1, max_size=40))
def test_damaged_files_are_refused_and_never_a_fault(key: str, body: bytes) -> None:
    with pytest.raises(RefusedFile) as error:
        read(key, body)
    assert error.value.fault in {"cut-off", "damaged", "other-format"}


def test_a_parquet_file_that_was_cut_off_is_refused_wherever_it_was_cut() -> None:
    whole = as_parquet(pd.DataFrame({"kind": ["a", "b"], "size": [1.0, 2.0]}))
    for length in range(len(whole)):
        with pytest.raises(RefusedFile) as error:
            read("raw/a.parquet", whole[:length])
        assert error.value.fault == ("cut-off" if length > 3 else "other-format" if length else "empty")


def test_a_parquet_cell_that_is_no_text_costs_its_row_alone() -> None:
    table = pa.table({"colour": [b"\xff\xfe", b"red"], "kind": ["a", "b"]})
    (rows,), read_as = read("raw/a.parquet", as_parquet(table))
    found = parse(CONTRACT, rows.columns, len(rows.lines), text=False, training=True)
    assert [(problem.row, problem.field) for problem in found.violations] == [(0, "colour")]
    (rows,), read_as = read("raw/a.parquet", as_parquet(table.rename_columns(["photo", "kind"])))
    assert {name: cells_of(cells) for name, cells in rows.exact.items()} == {"kind": ["a", "b"]}
    assert read_as.names == ["photo", "kind"]


def test_a_parquet_file_that_names_a_column_twice_is_refused_only_when_it_is_wanted() -> None:
    table = pa.table([["a"], ["b"]], ["kind", "kind"])
    with pytest.raises(RefusedFile) as error:
        read("raw/a.parquet", as_parquet(table))
    assert error.value.fault == "duplicate-column"
    assert (
        len(
            read(
                "raw/a.parquet",
                as_parquet(table.append_column("colour", [["red"]]).rename_columns(["x", "x", "colour"])),
            )[0]
        )
        == 1
    )


def test_the_encoding_found_out_is_said_and_a_stated_one_is_kept_to() -> None:
    assert read("raw/a.csv", CSV.encode())[1].encoding == "utf-8"
    assert read("raw/a.csv", CSV.encode("utf-8-sig"))[1].names[0] == "size", "a byte order mark is no part of a name"
    assumed = read("raw/a.csv", CSV.encode("cp1252"))[1]
    assert (assumed.encoding, assumed.encoding_basis) == ("cp1252", "assumption")
    stated = Contract.from_toml(TOML + '[data]\nencoding = "utf-8"\n')
    assert read("raw/a.csv", CSV.encode("utf-8-sig"), stated)[1].names[0] == "size"
    (rows,), _ = read("raw/a.csv", CSV.encode("cp1252"), stated)
    assert [(broken.line, broken.reason[:35]) for broken in rows.broken] == [(2, "holds bytes that are not UTF-8 text")]


def test_bad_json_lines_cost_their_row_and_say_why() -> None:
    lines = [
        '{"size": 1, "colour": "x", "kind": "a"}',
        '{"size": 1,',
        "[1, 2]",
        '{"size": NaN, "kind": "a"}',
        '{"size": 1, "colour": "\\ud800", "kind": "a"}',
        '{"size": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"size": 2, "colour": "caf\u2028e", "kind": "b"}',
    ]
    (rows,), _ = read("raw/a.jsonl", "\n".join(lines).encode())
    assert rows.lines.tolist() == [1, 8]
    assert rows.places(0).tolist() == [0, 7]
    assert cells_of(rows.exact["colour"]) == ["x", "caf\u2028e"]
    assert [broken.line for broken in rows.broken] == [2, 3, 4, 5, 6, 7]
    for broken, said in zip(
        rows.broken, ["not a JSON object", "not a JSON object", "NaN", "surrogate", "digits", "nested"], strict=True
    ):
        assert said in broken.reason


@pytest.mark.parametrize(("body", "fault"), [(b"", "empty"), (b"\n \n", "empty"), (b"\nsize,kind\n", "no-object")])
def test_json_lines_without_one_object_are_refused(body: bytes, fault: str) -> None:
    with pytest.raises(RefusedFile) as error:
        read("raw/a.jsonl", body)
    assert error.value.fault == fault


RECORD = st.dictionaries(
    st.sampled_from(["size", "colour", "kind", "other"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6).filter(lambda text: text.isprintable()),
)


def _as_written(cell: object) -> object:
    """A cell whose number is compared as it is written: 1e17 is one and seventeen noughts."""
    if isinstance(cell, str):
        with suppress(InvalidOperation):
            return Decimal(cell)
    return Decimal(repr(cell)) if isinstance(cell, int | float) and not isinstance(cell, bool) else cell


@given(records=st.lists(RECORD, min_size=1, max_size=6), ascii_only=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_json_lines_come_back_as_they_were(records: list[dict[str, object]], ascii_only: bool, end: str) -> None:
    text = end.join(json.dumps(record, ensure_ascii=ascii_only) for record in records)
    assume(any(records))
    (rows,), read_as = read("raw/a.jsonl", text.encode())
    for name in rows.exact:
        cells = [record.get(name) for record in records]
        for found in (cells_of(rows.exact[name]), cells_of(rows.columns[name])):
            assert [_as_written(cell) for cell in found] == [_as_written(cell) for cell in cells]
    assert set(read_as.names) == {name for record in records for name in record}


def test_etl_works_without_what_its_bundle_leaves_out(tmp_path: Path) -> None:
    """The bundle has pandas and pyarrow; scikit-learn is only here."""
    (tmp_path / "a.parquet").write_bytes(as_parquet(pd.DataFrame({"kind": ["a", None], "size": [1, 2]})))
    program = f"""
import sys
for absent in ("sklearn", "scipy", "onnx", "mlflow"):
    sys.modules[absent] = None
import numpy as np
import lambdas.etl.handler
from andamio.contract import Contract
from andamio.dataset.columns import from_bytes, to_bytes
from andamio.tabular.arrow import cells_of
from andamio.tabular.file import read_file
body = open({str(tmp_path / "a.parquet")!r}, "rb").read()
(rows,) = read_file("a.parquet", body, Contract.from_toml({TOML!r}), {{}}, exact=("kind", "size"))[1]
found = {{name: cells_of(cells) for name, cells in rows.exact.items()}}
assert found == {{"kind": ["a", None], "size": [1, 2]}}, found
columns = {{"text": np.array(["x", "", "ü"], dtype=object), "number": np.array([1.5, np.nan, 0])}}
back = from_bytes(to_bytes(columns))
assert back["text"].tolist() == ["x", "", "ü"], back
np.testing.assert_array_equal(back["number"], columns["number"])
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])
