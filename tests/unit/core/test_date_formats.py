"""A date is read as the contract says that it is written, wherever it comes from."""

from __future__ import annotations

import io
import json
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.schema import example_record, record_schema
from andamio.errors import ContractError, InvalidRecord
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from lambdas.api.predictions.explain import values_of

from .making import contract

HEAD = '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n'
BORN = '[features.born]\ntype = "date"\nrequired = false\nformat = "%d/%m/%Y"\n[features.size]\ntype = "number"\n'
MISSING = '[data]\nmissing = ["01/01/1900"]\n'


def born(text: str = BORN + MISSING, head: str = HEAD) -> Contract:
    return contract(text, head)


def from_file(name: str, body: bytes, said: Contract) -> tuple[list[Any], list[tuple[str, str]]]:
    """The dates of a file, and what is wrong with them."""
    read_as, blocks = read_file(name, body, said, column_kinds(said, said.inputs))
    dates: list[Any] = []
    wrong = []
    for rows in blocks:
        table = parse(said, rows.columns, len(rows.lines), text=rows.text, decimal=read_as.decimal or ".")
        dates += table.columns["born"].tolist()
        wrong += [(one.code, one.reason) for one in table.violations]
    return dates, wrong


CELLS = {"31/03/2026": "2026-03-31", "1/3/2026": "2026-03-01", " 01/03/2026 ": "2026-03-01", "01/01/1900": None}
WRONG = ["2026-03-31", "03/31/2026", "31/02/2026", "31/03/26", "31.03.2026", "31/03/2026x", "٣١/03/2026"]
REASON = ("not-a-date", "expected a date as %d/%m/%Y, such as 31/03/2026")


def parquet(cells: list[Any], kind: pa.DataType | None = None) -> bytes:
    body = io.BytesIO()
    pq.write_table(pa.table({"born": pa.array(cells, kind), "size": [1.0] * len(cells)}), body)
    return body.getvalue()


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_a_cell_means_one_date_in_every_format_and_in_a_request(form: str) -> None:
    cells = [*CELLS, *WRONG]
    bodies = {
        "csv": "born,size\n" + "".join(f'"{cell}",1\n' for cell in cells),
        "jsonl": "".join(json.dumps({"born": cell, "size": 1}) + "\n" for cell in cells),
    }
    body = parquet(cells) if form == "parquet" else bodies[form].encode()
    dates, wrong = from_file(f"rows.{form}", body, born())
    assert [str(date) if date else None for date in dates[: len(CELLS)]] == list(CELLS.values())
    assert dates[len(CELLS) :] == [None] * len(WRONG)
    assert wrong == [REASON] * len(WRONG)
    for cell, day in CELLS.items():
        (date,) = parse_records(born(), [{"born": cell, "size": 1}]).columns["born"].tolist()
        assert (str(date) if date else None) == day
    for cell in WRONG:
        with pytest.raises(InvalidRecord) as error:
            parse_records(born(), [{"born": cell, "size": 1}])
        assert [(one.code, one.reason) for one in error.value.violations] == [REASON]


def test_a_date_that_is_one_already_needs_no_format() -> None:
    days = [np.datetime64("2026-03-31").item(), None, np.datetime64("1900-01-01").item()]
    assert from_file("rows.parquet", parquet(days, pa.date32()), born()) == ([days[0], None, None], [])


def test_a_number_is_read_as_its_digits() -> None:
    compact = born(BORN.replace("%d/%m/%Y", "%Y%m%d"))
    expected = [np.datetime64("2026-03-01").item()]
    assert from_file("rows.csv", b"born,size\n20260301,1\n", compact) == (expected, [])
    assert from_file("rows.jsonl", b'{"born": 20260301, "size": 1}\n', compact) == (expected, [])
    assert from_file("rows.parquet", parquet([20260301]), compact) == (expected, [])
    assert from_file("rows.csv", b"born,size\n202631,1\n", compact)[1][0][0] == "not-a-date"


def test_times_have_a_format_too() -> None:
    timed = born(BORN, HEAD + 'time = "at"\ntime_format = "%d.%m.%Y %H:%M"\n')
    table = parse_records(timed, [{"at": "01.04.2026 9:30", "size": 1}])
    assert table.time is not None
    assert table.time.tolist() == [datetime(2026, 4, 1, 9, 30)]
    with pytest.raises(InvalidRecord, match=r"expected a date as %d\.%m\.%Y %H:%M, such as 31\.03\.2026 00:00"):
        parse_records(timed, [{"at": "2026-04-01", "size": 1}])
    assert timed.data_digest != born(BORN, HEAD + 'time = "at"\n').data_digest


FORMATS = ["%d/%m/%Y", "%m/%d/%Y", "%Y%m%d", "%d.%m.%Y %H:%M:%S", "%H%M%S%d%m%Y", "%Y-%m-%dT%H:%M", "(%d) %m, %Y"]


@given(st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)), st.sampled_from(FORMATS))
def test_what_is_written_by_a_format_is_read_back_as_strptime_reads_it(moment: datetime, written: str) -> None:
    known = date_format(written)
    text = known.write(moment)
    assert known.read(text) == datetime.strptime(text, written)


def test_schema_and_example_are_written_by_the_format() -> None:
    said = record_schema(born())["properties"]["born"]
    assert said["pattern"] == "^([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})$"
    assert "format" not in said
    assert "A date as %d/%m/%Y, such as 31/03/2026" in said["description"]
    example = example_record(born())
    assert example["born"] == "31/01/2026"
    parse_records(born(), [example])


def test_an_explanation_writes_a_date_as_the_client_does() -> None:
    table = parse_records(born(), [{"born": "1/3/2026", "size": 1}])
    assert values_of(born(), table) == {"born": "01/03/2026", "size": 1}


@pytest.mark.parametrize(
    ("written", "objection"),
    [
        ("%d/%m/%y", r"'%y' is not one of %d, .* \(two digits do not say the century\)"),
        ("%d %B %Y", "'%B' is not one of"),
        ("%d/%m", "expected %d, %m and %Y once each"),
        ("%d/%m/%Y/%d", "once each"),
        (" %d/%m/%Y", "no space at either end"),
        ("%d/%m/%Y%", "'%' is not one of"),
    ],
)
def test_a_format_that_does_not_say_a_day_is_refused(written: str, objection: str) -> None:
    with pytest.raises(ContractError, match=objection):
        born(BORN.replace("%d/%m/%Y", written))


def test_only_a_date_has_a_format_and_a_contract_without_one_keeps_its_digest() -> None:
    with pytest.raises(ContractError, match="only a date has one, not a number"):
        born('[features.size]\ntype = "number"\nformat = "%d/%m/%Y"\n')
    with pytest.raises(ContractError, match="there is no time column"):
        born(BORN, HEAD + 'time_format = "%d/%m/%Y"\n')
    plain = born('[features.born]\ntype = "date"\n')
    assert "format" not in json.loads(plain.to_json())["features"]["born"]
    assert plain.data_digest == "c4fcd9ab13af4ccf141c2b43ee720b7016a3f6d4a556284d0e92ba045cc32eaf"
