"""What becomes of rows: read by name, replaced by id, or put aside with line and reason."""

from __future__ import annotations

import pytest

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.records.parse import parse
from andamio.storage import layout
from etl.validate import MAX_BAD_SHARE
from tests.support.etl import Lake

HEAD = """
[problem]
name = "kinds"
target = "kind"
labels = { a = "A", b = "B" }
"""
FEATURES = """
[data]
missing = ["", "?"]
[features.size]
type = "number"
min = 0
max = 1000
[features.colour]
type = "category"
values = ["red", "blue"]
required = false
[features.nurse]
type = "category"
private = true
required = false
"""
PLAIN = Contract.from_toml(HEAD + FEATURES)
WITH_ID = Contract.from_toml(HEAD + 'id = "visit"\n' + FEATURES)
HEADER = "visit,size,colour,nurse,kind"


def good(start: int, rows: int) -> list[str]:
    return [f"v{n},{n},red,Ann,{'ab'[n % 2]}" for n in range(start, start + rows)]


def test_columns_are_found_by_name_in_any_order_and_others_are_named_but_not_kept() -> None:
    lake = Lake(PLAIN)
    lake.drop("a.csv", "kind,phone,size,nurse,colour", *[f"{'ab'[n % 2]},555,{n},Ann,red" for n in range(20)])
    lake.drop("b.jsonl", *[f'{{"size": {n}, "kind": "{"ab"[n % 2]}"}}' for n in range(20, 40)])
    published = lake.run()
    version = published["version"]
    assert published["findings"][0] == (
        "raw/b.jsonl lacks the 2 optional columns 'colour', 'nurse': no value in 20 rows."
    )
    assert sorted(lake.column(version, "size")) == list(range(40))
    assert set(lake.side(version, "train")) == {"size", "colour", "nurse", "kind", "_key", "_row"}
    first, second = lake.manifest(version)["files"]
    assert (first["extra_columns"], first["absent_columns"]) == (["phone"], [])
    assert (second["extra_columns"], second["absent_columns"]) == ([], ["colour", "nurse"])


def test_without_an_id_no_row_is_ever_dropped() -> None:
    lake = Lake(PLAIN)
    rows = ["1,red,Ann,a", "1,red,Ann,a", "1,red,Ann,b", "2,blue,,b"] * 5
    for name in ("a.csv", "b.csv", "copy-of-b.csv"):
        lake.drop(name, "size,colour,nurse,kind", *rows)
    said = lake.run()
    assert said["rows"]["valid"] == said["rows"]["train"] + said["rows"]["holdout"] == 60
    assert said["rows"]["replaced"] == 0


def test_the_latest_file_wins_by_id_and_within_a_file_the_later_row() -> None:
    lake = Lake(WITH_ID)
    lake.drop("z.csv", HEADER, *good(0, 30))
    lake.drop("m.csv", HEADER, "v1,501,red,Ann,b", "v1,502,red,Ann,b")
    lake.drop("a.csv", HEADER, "v2,601,red,Ann,a")
    said = lake.run()
    assert (said["rows"]["read"], said["rows"]["replaced"], said["rows"]["valid"]) == (33, 3, 30)
    version = said["version"]
    sizes = dict(zip(lake.column(version, "visit"), lake.column(version, "size"), strict=True))
    assert sizes["v1"] == 502
    assert sizes["v2"] == 601
    assert [file["replaced"] for file in lake.manifest(version)["files"]] == [2, 1, 0]


def test_a_file_that_is_written_again_is_the_latest() -> None:
    lake = Lake(WITH_ID)
    lake.drop("a.csv", HEADER, *good(0, 30))
    lake.drop("b.csv", HEADER, "v1,501,red,Ann,b")
    lake.drop("a.csv", HEADER, *good(0, 30))
    version = lake.run()["version"]
    assert 501 not in lake.column(version, "size")


def test_a_corrected_row_heals_a_bad_one() -> None:
    lake = Lake(WITH_ID)
    lake.drop("a.csv", HEADER, *good(0, 30), "v99,big,red,Ann,a")
    assert lake.run()["rows"]["rejected"] == 1
    lake.drop("b.csv", HEADER, "v99,99,red,Ann,a")
    said = lake.run()
    assert said["rows"] | {"train": 0, "holdout": 0} == {
        "read": 32, "valid": 31, "rejected": 0, "replaced": 1, "train": 0, "holdout": 0
    }  # fmt: skip
    assert lake.rejects(said) == []


def test_a_row_without_its_id_is_bad_and_replaces_nothing() -> None:
    lake = Lake(WITH_ID)
    lake.drop("a.csv", HEADER, *good(0, 30), ",5,red,Ann,a", "?,6,red,Ann,a")
    said = lake.run()
    assert (said["rows"]["rejected"], said["rows"]["replaced"]) == (2, 0)
    assert {reject["line"]: reject["reason"] for reject in lake.rejects(said)} == {
        32: "visit: is required to identify the row and has no value",
        33: "visit: is required to identify the row and has no value",
    }


def test_bad_rows_are_put_aside_with_file_line_reasons_and_what_may_be_shown() -> None:
    lake = Lake(PLAIN)
    lake.drop(
        "a.csv",
        f"{HEADER},phone",
        *[f"{row},555" for row in good(0, 20)],
        'v,huge,"gre\nen",Ann,a,555',
        "v,-1,red,Ann,c,555",
        "v,1",
    )
    lake.drop("b.jsonl", '{"size": 5, "kind": "a"}', "", '{"size": "5", "kind": "b"}', "nonsense")
    said = lake.run()
    assert said["rows"]["rejected"] == 5
    rejects = lake.rejects(said)
    assert [(reject["file"], reject["line"]) for reject in rejects] == [
        ("raw/a.csv", 22), ("raw/a.csv", 24), ("raw/a.csv", 25), ("raw/b.jsonl", 3), ("raw/b.jsonl", 4),
    ]  # fmt: skip
    assert rejects[0]["row"] == {"size": "huge", "colour": "gre\nen", "nurse": "(private)", "kind": "a"}
    assert [problem["column"] for problem in rejects[0]["problems"]] == ["size", "colour"]
    assert rejects[0]["problems"][1]["code"] == "unknown-category"
    assert [problem["column"] for problem in rejects[1]["problems"]] == ["size", "kind"]
    assert [problem["code"] for problem in rejects[1]["problems"]][-1] == "unknown-label"
    assert rejects[2]["code"] == "unreadable-row"
    assert "row" not in rejects[2]
    assert "Ann" not in str(rejects)
    assert "555" not in str(rejects)
    manifest = lake.manifest(said["version"])
    assert ("size", "out-of-range", 1) in [(item["column"], item["code"], item["rows"]) for item in manifest["reasons"]]
    assert [file["rejected"] for file in manifest["files"]] == [3, 2]
    assert said["rejects"]["first"][1].startswith("raw/a.csv: line 24: size: must be between 0 and 1000; kind: is not")


def test_a_file_that_cannot_be_read_is_put_aside_and_the_others_go_on() -> None:
    lake = Lake(PLAIN)
    lake.drop("a.csv", HEADER, *good(0, 20))
    lake.drop("notes.txt", "hello")
    lake.drop_bytes("b.parquet", b"PAR1")
    lake.drop("folder/", "")
    said = lake.run()
    assert said["status"] == "published"
    assert [(reject["file"], reject["line"]) for reject in lake.rejects(said)] == [
        ("raw/notes.txt", None), ("raw/b.parquet", None),
    ]  # fmt: skip
    refused = [file["key"] for file in lake.manifest(said["version"])["files"] if file.get("refused")]
    assert sorted(refused) == ["raw/b.parquet", "raw/notes.txt"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": ["x"]}, "No file could be read: raw/a.txt has a name that does not say what it is: expected CSV"),
        ({"a.csv": [HEADER]}, "a header and no rows"),
        ({"a.csv": [HEADER, "v,1,red,Ann,a", "v,2,red,Ann,a"]}, "All 2 valid rows have the label 'A'"),
        (
            {"a.csv": [HEADER, "v,1,red,Ann,a", "v,2,red,Ann,b"]},
            "'a': 1, 'b': 1 rows; with a holdout of 20%, each",
        ),
        ({"a.csv": ["Size,colour,kind", "1,red,a"]}, "raw/a.csv lacks the column 'size' (is it 'Size'?); it has Size,"),
        ({"a.csv": ["size\u200b,colour,kind", "1,red,a"]}, "(is it 'size\\u200b'?); it has size\\u200b,"),
        ({"a b.csv": ["Size,colour,kind", "1,red,a"]}, "remove it: andamio ingest --remove 'a b.csv'"),
        ({"a.csv": ["x;y", "1;2"]}, "lacks the columns 'size', 'kind'; it has x, y"),
        ({"a.jsonl": ['{"size": 1}']}, "lacks the column 'kind'"),
        ({"a.csv": [HEADER, *good(0, 9)], "b.csv": ["kind", "a"]}, "raw/b.csv lacks the column 'size'; it has kind"),
        (
            {"a.csv": ["size,Colour,kind", "1,red,a"]},
            "raw/a.csv has the column 'Colour' for 'colour' of problem.toml: rename it, or take out what is another",
        ),
        ({"a.csv": [HEADER, *["v,1,red,Ann,a", "v,1,red,Ann,b"] * 9]}, "Every feature is empty or constant"),
        ({"a.csv": [HEADER, "v,x,red,Ann,c"]}, "1 of 1 rows break the contract, more than 20%: "),
    ],
)
def test_what_cannot_become_a_data_version_is_rejected_with_what_to_do(
    files: dict[str, list[str]], message: str
) -> None:
    lake = Lake(PLAIN)
    for name, lines in files.items():
        lake.drop(name, *lines)
    said = lake.run()
    assert said["status"] == "rejected"
    assert message in said["message"]
    assert not list(lake.list(layout.DATASETS)), "nothing is published, and the split is not sealed"
    assert lake.run() == said


def test_a_share_of_bad_rows_is_borne_and_no_more() -> None:
    for bad, status in ((10, "published"), (11, "rejected")):
        lake = Lake(PLAIN)
        lake.drop("a.csv", HEADER, *good(0, 40), *["v,x,red,Ann,a"] * bad)
        said = lake.run()
        assert said["status"] == status
        assert (bad / (40 + bad) > MAX_BAD_SHARE) == (status == "rejected")
        assert len(lake.rejects(said)) == bad
    assert said["message"].startswith("11 of 51 rows break the contract, more than 20%: size: expected a")


def test_several_values_may_mean_one_class_and_the_data_version_still_reads_as_data() -> None:
    contract = Contract.from_toml(
        HEAD.replace(
            '{ a = "A", b = "B" }',
            '{ well = { text = "Well", values = ["0"] }, ill = { text = "Ill", values = ["1", "2", "3"] } }',
        )
        + FEATURES
    )
    lake = Lake(contract)
    lake.drop("a.csv", "size,kind", *[f"{n},{n % 4}.0" for n in range(40)])
    said = lake.run()
    assert lake.manifest(said["version"])["classes"] == {"well": 10, "ill": 30}
    columns = {name: column.tolist() for name, column in lake.side(said["version"], "train").items()}
    table = parse(contract, columns, len(columns["size"]), text=False, training=True)
    assert not table.violations
    assert table.labels is not None
    assert set(zip(table.labels.tolist(), columns["size"], strict=True)) <= {(int(n % 4 > 0), n) for n in range(40)}


def test_steps_check_that_what_they_need_is_there() -> None:
    lake = Lake(PLAIN)
    with pytest.raises(DataError, match="the step 'collect' has to run first"):
        lake.step("validate", input="0" * 16)
    with pytest.raises(DataError, match="the step 'validate' has to run first"):
        lake.step("publish", input="0" * 16)
    with pytest.raises(DataError, match="the step 'publish' has to run first"):
        lake.step("commit", input="0" * 16, version="0" * 16)
    with pytest.raises(DataError, match="the step 'publish' has to run first"):
        lake.step("report", version="0" * 16)
    with pytest.raises(Exception, match="expected one of collect, validate, publish, report, commit"):
        lake.step("guess")


def test_how_often_inputs_are_refused_is_in_the_profile_without_labels_and_without_files_of_no_use() -> None:
    """The watch takes it for usual: a request has no label, and a file that was dropped by mistake says nothing."""
    lake = Lake(PLAIN)
    bad = ["v40,-1,red,Ann,a", "v41,2000,green,Ann,b", "v42,42,red,Ann,", "v43,2000,red,Ann,"]
    lake.drop("a.csv", HEADER, *good(0, 100), *bad)
    lake.drop("b.csv", HEADER, *["v50,-5,red,Ann,a"] * 4)
    version = lake.run()["version"]
    assert lake.manifest(version)["rows"]["rejected"] == 8
    assert lake.read(layout.dataset(version, "profile.json"))["refused"] == {
        "rows": 104,
        "refused": 3,
        "reasons": [
            {"column": "size", "code": "out-of-range", "rows": 3},
            {"column": "colour", "code": "unknown-category", "rows": 1},
        ],
    }
