"""What is said of a file before any row of it is scored."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.storage import layout
from andamio.tabular import gzip_file
from andamio.tabular.refused import RefusedFile
from scoring.batch import BatchPlan, new_id
from scoring.read.columns import check_columns
from tests.support.machine import NOW, SMALL, Machine, small, table
from tests.support.releases import seal_release, serve

ROWS = table(30)
PACKED = gzip.compress(ROWS.encode(), mtime=0)


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file.getvalue()


GOOD_PARQUET = parquet({"age": [1, 2], "weight": [50.5, 60.0]})
NESTED = parquet({"age": [[1], [2]], "weight": [50.5, 60.0]})
BROKEN_FOOTER = GOOD_PARQUET[:-60] + bytes(52) + GOOD_PARQUET[-8:]
OLD_MAC = "age,weight\r1,2\r3,4\r"


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("a.txt", ROWS, "a.txt has a name that does not say what it is: expected CSV (.csv, .tsv), JSON Lines"),
        ("a", ROWS, "does not say what it is"),
        ("a.parquet.gz", ROWS, "does not say what it is"),
        ("a.csv", "\n \n\n", "is empty: expected a header that names the columns"),
        ("a.csv", ",,\n", "is empty: expected a header"),
        ("a.csv", GOOD_PARQUET, "is not CSV, as its name says, but a Parquet file: let its name end with .parquet"),
        ("a.csv", PACKED, "but a gzip file: let its name end with .gz"),
        ("a.csv", b"PK\x03\x04" + bytes(30), "a zip archive or an Excel workbook: unpack it, or save"),
        ("a.csv", b"\xd0\xcf\x11\xe0" + bytes(30), "an old Excel workbook"),
        ("a.csv", b"SQLite format 3\0" + bytes(30), "an SQLite database"),
        ("a.csv", ROWS.encode("utf-16-le"), "it holds NUL bytes, which no text has"),
        ("a.csv", ROWS.encode("utf-32"), "UTF-32 text"),
        ("a.csv", b"%PDF-1.7 ...", "a PDF document"),
        ("a.csv", "<!DOCTYPE html>\n<html>", "a web page"),
        ("a.csv", "age,weight\n1,2\r3,4\r5,6\r", "carriage return alone"),
        ("a.csv", '{"age": 1, "weight": 2}\n', "holds JSON, and is not CSV, as its name says: let its"),
        ("a.csv", "age,gr\xf6\xdfe,weight\n1,2,".encode("latin-1") + "ö".encode(), "header (line 1) that is not UTF-8"),
        ("a.csv", "age;weight;age\n1;2;3\n", "has more than one column 'age': keep one of each name"),
        ("a.csv", '"age,weight\n1,2\n', "has no header that ends: look for a quote on line 1 that is not closed"),
        ("a.csv", 'age,weight\n1,"2\n3,4\n', "ends inside a quote that is opened on line 2: close the quote"),
        ("a.jsonl", '[{"age": 1, "weight": 2}]', "is one JSON array, not JSON Lines"),
        ("a.jsonl", "\n\n", "is empty: expected a JSON object a line"),
        ("a.jsonl", "\nage,weight\n1,2\n", "holds no JSON object in its first lines: line 2 is none"),
        ("a.jsonl", '{"age": 1}\n{"age": 2, "wieght": 3}\n', "to be 'weight'? Its first objects have: age, wieght."),
        ("a.jsonl", GOOD_PARQUET, "is not JSON Lines, as its name says, but a Parquet file"),
        ("a.csv.gz", ROWS, "is not a gzip file, as its name says"),
        ("a.csv.gz", PACKED[:-20], "is a gzip file that was cut off"),
        ("a.csv.gz", PACKED[:40] + bytes(20) + PACKED[60:], "is a damaged gzip file"),
        ("a.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("a.csv.gz", gzip.compress(b"a,b\n1,2\n", mtime=0), "lacks the columns 'age' and 'weight'"),
        ("a.csv.gz", gzip.compress(GOOD_PARQUET, mtime=0), "a Parquet file"),
        ("a.parquet", ROWS, "is not Parquet, as its name says, but another kind of file"),
        ("a.parquet", PACKED, "is not Parquet, as its name says, but a gzip file"),
        ("a.parquet", GOOD_PARQUET[:-1], "is not a whole Parquet file: it may have been cut off"),
        ("a.parquet", b"PAR1", "is not a whole Parquet file"),
        ("a.parquet", GOOD_PARQUET[:-8] + b"\xff\xff\xff\x7fPAR1", "is not a whole Parquet file"),
        ("a.parquet", BROKEN_FOOTER, "is not a Parquet file that can be read"),
        ("a.parquet", GOOD_PARQUET[:-4] + b"PARE", "is an encrypted Parquet file"),
        ("a.parquet", parquet({"age": [1]}), "lacks the column 'weight', which the model needs. Its schema has: age."),
        ("a.parquet", parquet({}), "lacks the columns 'age' and 'weight'"),
        ("a.parquet", NESTED, "has a column 'age' of list"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_scored_is_refused_with_words(name: str, body: bytes | str, words: str) -> None:
    machine = Machine()
    said = machine.score(name, body)
    assert said["status"] == "refused"
    assert words in said["message"]
    assert said["message"].startswith(f"{name} ")
    state = machine.state(said["batch"])
    assert (state["status"], state["reason"]) == ("failed", said["message"])
    assert not any(machine.batch.list(layout.SCORED))
    assert not any(machine.batch.list(layout.batch(said["batch"], "todo/")))


class TestColumns:
    def test_an_invisible_character_in_a_name_is_shown(self) -> None:
        with pytest.raises(RefusedFile, match=r"Is 'age\\u200b' meant to be 'age'\? Its header has: age\\u200b,"):
            check_columns(["age\u200b", "weight"], small())

    @pytest.mark.parametrize("name", ["Chol", " chol (mg/dl)", "cho_l"])
    def test_an_optional_column_under_another_name_is_refused_and_an_absent_one_is_not(self, name: str) -> None:
        toml = (
            '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n'
            '[features.age]\ntype = "number"\n[features.chol]\ntype = "number"\nrequired = false\n'
        )
        contract = Contract.from_toml(toml)
        with pytest.raises(RefusedFile) as error:
            check_columns(["age", name], contract)
        assert error.value.fault == "misnamed-column"
        check_columns(["age", "cholesterol"], contract)
        with pytest.raises(RefusedFile) as error:
            check_columns(["x"], Contract.from_toml(toml.replace('"number"\n[', '"number"\nrequired = false\n[')))
        assert error.value.fault == "misnamed-column"

    def test_all_that_are_missing_are_named_with_what_may_be_meant(self) -> None:
        said = Machine().score("a.csv", "Age,wheight,colour\n1,2,red\n")
        assert said["message"] == (
            "a.csv lacks the columns 'age' and 'weight', which the model needs. Is 'Age' meant to be 'age'? "
            "Is 'wheight' meant to be 'weight'? Its header has: Age, wheight, colour."
        )

    @pytest.mark.parametrize(("head", "line"), [("63;1,5;red\n63;1,5;red\n", 1), ("\n\n63,,1.5\n", 3)])
    def test_a_file_without_a_header_is_told_so_and_none_of_its_values(self, head: str, line: int) -> None:
        said = Machine().score("a.csv", head)
        assert said["message"] == (
            f"a.csv has no header: line {line} holds values, and should name the columns. The model needs: age, weight."
        )

    def test_a_wide_header_is_not_repeated_in_full(self) -> None:
        said = Machine().score("a.csv", ",".join(f"column{number}" for number in range(500)) + "\n")
        assert said["message"].endswith("column39 and 460 more.")

    def test_they_come_in_any_order_with_others_between(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", "weight,x,colour, age ,ill\n50.5,1,red,7,no\n")["batch"]
        assert machine.plan_of(batch).head.columns == ("weight", "x", "colour", "age", "ill")
        assert machine.manifest(batch)["scored"] == 1

    def test_what_is_not_required_may_be_missing(self) -> None:
        assert Machine().score("a.csv", "age,weight\n1,2\n")["scored"] == 1

    def test_columns_that_nobody_reads_may_be_doubled(self) -> None:
        assert Machine().score("a.csv", "age,weight,x,x\n1,2,3,4\n")["scored"] == 1

    def test_an_added_column_never_has_the_name_of_one_in_the_file(self) -> None:
        machine = Machine()
        first = "scored/{}.csv".format(machine.score("a.csv", table(2))["batch"])
        columns = {}
        for turn in range(3):
            batch = machine.score(f"again{turn}.csv", machine.batch.get(first).body)["batch"]
            first, columns = f"scored/{batch}.csv", machine.manifest(batch)["columns"]
            header = machine.batch.get(first).body.splitlines()[0].decode().split(",")
            assert len(header) == len(set(header))
        assert columns["label"] == "andamio_label_3"
        assert columns["probability_no"] == "andamio_probability_no_3"

    def test_an_added_column_differs_from_one_in_the_file_in_more_than_capitals(self) -> None:
        machine = Machine()
        batch = machine.score("a.csv", "age,weight,LABEL_TEXT,Model_Version\n1,2,x,y\n")["batch"]
        names = machine.plan_of(batch).names_out
        assert (names["label_text"], names["model_version"]) == ("andamio_label_text", "andamio_model_version")
        assert names["label"] == "label"

    @pytest.mark.parametrize(
        ("header", "column"),
        [
            ("age,weight,patient,id", "patient"),
            ("age,weight,id,record_id", "record_id"),
            ("age,weight,id", "id"),
            ("age,weight", None),
        ],
    )
    def test_the_callers_id_is_in_a_column_of_its_own(self, header: str, column: str | None) -> None:
        machine = Machine()
        values = ",".join("7" for _ in header.split(","))
        assert machine.plan_of(machine.score("a.csv", f"{header}\n{values}\n")["batch"]).record_column == column

    def test_a_feature_or_the_target_is_no_id(self) -> None:
        contract = Contract.from_toml(SMALL.replace('id = "patient"', "").replace('target = "ill"', 'target = "id"'))
        machine = Machine(contract)
        assert machine.plan_of(machine.score("a.csv", "age,weight,id\n1,2,no\n")["batch"]).record_column is None


class TestText:
    @pytest.mark.parametrize(
        ("head", "line"),
        [
            ("age,weight\n", 2),
            ("age,weight\r\n", 2),
            ("\ufeffage,weight\n", 2),
            ("\n\n \n,\nage,weight\n", 6),
            ('"age","weight"\n', 2),
            ('age,weight,"a note\nof two lines"\n', 3),
            ('\ufeff"age", "weight"\n', 2),
        ],
    )
    def test_the_first_row_is_found_behind_any_header(self, head: str, line: int) -> None:
        machine = Machine()
        batch = machine.score("a.csv", head + "1,2\n")["batch"]
        plan = machine.plan_of(batch)
        assert (plan.head.body, plan.head.line) == (len(head.encode()), line)
        assert plan.head.columns[:2] == ("age", "weight")

    @pytest.mark.parametrize("body", ["age,weight", "age,weight\n", "age,weight\r\n"])
    def test_a_file_without_rows_is_scored_and_has_none(self, body: str) -> None:
        machine = Machine()
        said = machine.score("a.csv", body)
        assert (said["status"], said["rows"]) == ("done", 0)
        whole = machine.batch.get(machine.manifest(said["batch"])["files"]["merged"]).body.decode()
        assert whole == "age,weight,prediction_id,label,label_text,probability_no,probability_yes,model_version\n"

    def test_a_parquet_file_without_rows_too(self) -> None:
        machine = Machine()
        empty = parquet({"age": pa.array([], pa.int64()), "weight": pa.array([], pa.float64())})
        said = machine.score("a.parquet", empty)
        assert (said["status"], said["rows"]) == ("done", 0)
        whole = pq.read_table(io.BytesIO(machine.batch.get(machine.manifest(said["batch"])["files"]["merged"]).body))
        assert whole.num_rows == 0
        assert whole.column_names[:3] == ["age", "weight", "prediction_id"]

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_delimiter_is_found_out(self, delimiter: str) -> None:
        machine = Machine()
        said = machine.score("a.csv", ROWS.replace(",", delimiter))
        assert (said["scored"], machine.plan_of(said["batch"]).head.delimiter) == (30, delimiter)

    def test_a_stated_delimiter_is_tried_first_and_no_more(self) -> None:
        stated = Machine(Contract.from_toml(SMALL.replace("[features.age]", '[data]\ndelimiter = "~"\n[features.age]')))
        for delimiter in ("~", ";"):
            said = stated.score(f"{ord(delimiter)}.csv", ROWS.replace(",", delimiter))
            assert (said["scored"], stated.plan_of(said["batch"]).head.delimiter) == (30, delimiter)

    def test_decimal_commas_are_found_out(self) -> None:
        machine = Machine()
        said = machine.score("a.csv", ROWS.replace(",", ";").replace(".5", ",5"))
        assert (said["scored"], machine.plan_of(said["batch"]).head.decimal) == (30, ",")

    def test_a_long_text_does_not_hide_them(self) -> None:
        # In a process of its own: how long a cell may be is set for all of it, also by what scores the rows.
        code = (
            "from andamio.tabular.csv.head import csv_head\n"
            "from tests.support.machine import small\n"
            "body = 'age;weight;note\\n1;2,5;' + 'x' * 200_000 + '\\n2;3,5;y\\n'\n"
            "print(csv_head(body.encode(), small(), whole=True).decimal)"
        )
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert found.stdout == ",\n"

    def test_also_where_the_beginning_does_not_show_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scoring.plan.SAMPLE", 100)
        monkeypatch.setattr("scoring.plan.LATER_SAMPLE", 100)
        machine = Machine()
        said = machine.score("a.csv", "age;weight\n" + "1;50\n" * 100 + "2;51,5\n" * 100)
        assert (said["scored"], machine.plan_of(said["batch"]).head.decimal) == (200, ",")

    def test_a_stated_encoding_is_used_unless_a_mark_says_otherwise(self) -> None:
        contract = Contract.from_toml(SMALL.replace("[features.age]", '[data]\nencoding = "latin-1"\n[features.age]'))
        machine = Machine(contract)
        body = "age,weight,größe\n1,2,ü\n"
        for name, encoding in (("a.csv", "latin-1"), ("b.csv", "utf-8-sig")):
            said = machine.score(name, body.encode(encoding))
            assert said["scored"] == 1
            assert machine.plan_of(said["batch"]).head.columns[2] == "größe"

    def test_json_lines_know_the_keys_of_their_first_objects(self) -> None:
        machine = Machine()
        rows = [{"age": 1, "weight": 2.5}, {"weight": 3, "age": 4, "colour": "red", "label": 7}]
        said = machine.score("a.jsonl", "\ufeff" + "\n".join(map(json.dumps, rows)))
        plan = machine.plan_of(said["batch"])
        assert said["scored"] == 2
        assert plan.head.columns == ("age", "weight", "colour", "label")
        assert plan.names_out["label"] == "andamio_label"
        assert (plan.head.body, plan.head.line) == (3, 1)


class TestRelease:
    def test_without_a_champion_the_file_waits_for_a_person(self) -> None:
        machine = Machine(served=False)
        said = machine.score("a.csv", ROWS)
        assert said["status"] == "refused"
        assert "No model of 'small' is served yet" in said["message"]
        assert f"andamio batch --resume {said['batch']}" in said["message"]
        serve(machine.models, machine.contract)
        assert machine.run({"batch": said["batch"], "resume": True}, "second")["scored"] == 30

    def test_a_promotion_in_the_middle_does_not_mix_models(self) -> None:
        machine = Machine()
        said = machine.plan(machine.drop("a.csv", ROWS))
        another = serve(machine.models, machine.contract, threshold=0.9)
        assert machine.run({"batch": said["batch"], "resume": True}, "second")["release"] == machine.release != another
        body = machine.batch.get(f"scored/{said['batch']}.csv").body.decode()
        assert another not in body

    def test_the_plan_holds_what_the_release_says(self) -> None:
        machine = Machine()
        serve(machine.models, machine.contract, threshold=0.25)
        plan = machine.plan_of(machine.score("a.csv", ROWS)["batch"])
        assert (plan.threshold, plan.classes) == (0.25, ("no", "yes"))
        assert plan.texts == {"no": "Healthy", "yes": "Ill"}
        assert BatchPlan.from_json(plan.to_json()) == plan

    def test_a_release_that_is_damaged_is_a_fault_and_no_refusal(self) -> None:
        machine = Machine()
        version = seal_release(machine.models, machine.contract)
        machine.models.put(layout.release(version, "contract.json"), b"{}")
        with pytest.raises(Exception, match="changed after it was sealed"):
            machine.score("a.csv", ROWS)


class TestGzip:
    @pytest.mark.parametrize(
        "packed",
        [PACKED, gzip.compress(ROWS[:50].encode(), mtime=0) + gzip.compress(ROWS[50:].encode()), PACKED + bytes(1000)],
    )
    def test_is_unpacked_and_cut(self, packed: bytes) -> None:
        machine = Machine()
        said = machine.score("a.csv.gz", packed)
        plan = machine.plan_of(said["batch"])
        assert said["scored"] == 30
        assert (plan.input.compression, plan.source) == ("gzip", layout.batch(said["batch"], "unpacked.csv"))
        assert (plan.input.size, plan.source_size) == (len(packed), len(ROWS))
        assert machine.batch.get(plan.source, version=plan.source_version).body == ROWS.encode()
        assert machine.manifest(said["batch"])["input"]["compression"] == "gzip"

    def test_json_lines_too(self) -> None:
        assert Machine().score("a.jsonl.gz", gzip.compress(b'{"age": 1, "weight": 2}\n' * 50, mtime=0))["scored"] == 50

    def test_a_bomb_is_refused_by_its_size(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gzip_file, "CHECKED_FROM", 2**20)
        machine = Machine()
        bomb = gzip.compress(b"age,weight\n" + b"1,2\n" * 4_000_000, mtime=0)
        said = machine.score("a.csv.gz", bomb)
        assert said["status"] == "refused"
        assert "unpacks to more than 200 times its size" in said["message"]
        assert not any(machine.batch.list(layout.batch(said["batch"], "unpacked")))

    def test_no_more_is_unpacked_of_it_than_shows_that_it_is_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gzip_file, "CHECKED_FROM", 2**20)
        bomb = gzip.compress(b"1,2\n" * 10_000_000, mtime=0)
        sizes: list[int] = []
        with pytest.raises(RefusedFile) as error:
            sizes.extend(len(piece) for piece in gzip_file.unpacked(io.BytesIO(bomb), 100))
        assert error.value.fault == "too-large"
        assert sum(sizes) <= 2**20

    def test_a_file_that_is_too_large_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(gzip_file, "LARGEST", 500)
        said = Machine().score("a.csv.gz", gzip.compress(table(1000).encode()))
        assert "unpacks to more than" in said["message"]

    def test_a_file_that_packs_well_is_no_bomb(self) -> None:
        assert Machine(shard_bytes=10**6).score("a.csv.gz", gzip.compress(b"age,weight\n" + b"1,2\n" * 50_000))[
            "scored"
        ]


@pytest.mark.parametrize(
    "name", ["_SUCCESS", ".DS_Store", "day/._patients.csv", ".part-0.csv.crc", "part-0.csv.crc", "day/", "empty.csv"]
)
def test_what_tools_leave_beside_data_is_passed_over(name: str) -> None:
    machine = Machine()
    said = machine.plan(machine.drop(name, "" if name in ("day/", "empty.csv") else ROWS))
    assert said["status"] == "ignored"
    assert "batch" not in said
    assert not list(machine.batch.list(layout.BATCHES)), "nothing is written down about it"


def test_a_person_who_asks_for_an_empty_file_is_told_that_it_is_empty() -> None:
    machine = Machine()
    machine.drop("empty.csv", "")
    said = machine.plan({"key": "incoming/empty.csv"})
    assert (said["status"], said["message"]) == ("refused", "empty.csv is empty (0 bytes): upload it again")
    asked = f"{new_id(NOW)}/empty.csv"
    assert machine.plan(machine.drop(asked, ""))["status"] == "refused", "a form for it was given out"


@given(
    name=st.sampled_from(["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "a.jsonl.gz"]),
    seed=st.sampled_from(
        [ROWS.encode(), PACKED, GOOD_PARQUET, b'{"age": 1, "weight": 2}\n' * 3, b"", OLD_MAC.encode()]
    ),
    edits=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 40), st.binary(max_size=12)), max_size=4),
)
def test_no_file_whatever_is_in_it_makes_planning_fail(
    name: str, seed: bytes, edits: list[tuple[int, int, bytes]]
) -> None:
    body = bytearray(seed)
    for at, length, new in edits:
        at %= len(body) + 1
        body[at : at + length] = new
    machine = Machine()
    said = machine.plan(machine.drop(name, bytes(body)))
    if said["status"] == "unpack":
        said = machine.step("unpack", batch=said["batch"])
    assert said["status"] in (("refused", "score", "survey") if body else ("ignored",))
