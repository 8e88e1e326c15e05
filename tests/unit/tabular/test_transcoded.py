"""A file in UTF-16: read as its mark says, whatever [data] says, and one that was cut off says so; ETL and batch."""

from __future__ import annotations

import json

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.storage import layout
from andamio.tabular.csv.request_body import read_csv_text
from etl.collect import Source
from etl.ingest import ingest
from tests.support.machine import Machine, small
from tests.support.readers import by_etl

CSV = "patient,age,weight,ill\np1,40,60.5,no\np2,41,61.5,yes\np3,42,62.5,n\U0001f600"
LINES = "".join(f'{{"patient": "p{row}", "age": 4{row}, "weight": 60.5, "ill": "no"}}\n' for row in range(3))


@pytest.mark.parametrize(
    ("form", "text", "lost"),
    [*(("csv", CSV, lost) for lost in (1, 2, 3)), *(("jsonl", LINES.rstrip(), lost) for lost in (1, 3))],
    ids=lambda value: str(value)[:5],
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_its_last_row_says_that_it_was_cut_off(form: str, text: str, encoding: str, lost: int) -> None:
    body = ("\ufeff" + text).encode(encoding)[:-lost]
    expected = "ends in the middle of a character of UTF-16: the file was cut off, so save it or upload it again"
    last = 4 if form == "csv" else 3
    lake = MemoryObjects("lake")
    lake.put(f"raw/a.{form}", body)
    trained = ingest(lake, small(), [Source.of(lake.head(f"raw/a.{form}"))], None)
    assert [(reject.line, reject.reason) for reject in trained.rejects] == [(last, expected)]
    machine = Machine()
    batch = machine.score(f"a.{form}", body)["batch"]
    keys = [info.key for info in machine.batch.list(f"{layout.REJECTED}{batch}/")]
    rejects = [json.loads(line) for key in keys for line in machine.batch.get(key).body.splitlines()]
    assert [(reject["line"], reject["reason"]) for reject in rejects] == [(last, expected)]


def test_another_byte_that_is_no_text_names_the_file_s_own_encoding() -> None:
    body = ("\ufeff" + CSV.replace("p2", "p\ud800")).encode("utf-16-le", "surrogatepass")
    machine = Machine()
    batch = machine.score("a.csv", body)["batch"]
    reject = json.loads(machine.batch.get(layout.rejected_part(batch, 0)).body.splitlines()[0])
    assert (reject["line"], "not UTF-16 text" in reject["reason"]) == (3, True)


PLACES = Contract.from_toml("""
[problem]
name = "places"
target = "ill"
labels = { no = "N", yes = "Y" }
[data]
encoding = "cp1252"
[features."año"]
type = "integer"
[features.ciudad]
type = "category"
values = ["Córdoba", "Jaén"]
""")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("csv", "año,ciudad,ill\n5,Córdoba,no\n6,Jaén,yes\n"),
        ("jsonl", '{"año": 5, "ciudad": "Córdoba", "ill": "no"}\n{"año": 6, "ciudad": "Jaén", "ill": "yes"}\n'),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_mark_counts_for_more_than_the_encoding_of_the_contract(form: str, text: str, encoding: str) -> None:
    body = ("\ufeff" + text).encode(encoding)
    rows = [{"año": 5.0, "ciudad": "Córdoba"}, {"año": 6.0, "ciudad": "Jaén"}]
    assert list(by_etl(PLACES, body, form).values()) == rows
    said = Machine(PLACES).score(f"a.{form}", body)
    assert (said["status"], said["scored"]) == ("done", 2)


def test_the_text_of_a_request_has_no_encoding_of_the_contract() -> None:
    assert read_csv_text("año,ciudad\n5,Córdoba\n", PLACES).columns == {"año": ["5"], "ciudad": ["Córdoba"]}
