"""How a file was read is said wherever somebody looks: by ETL, in the report, and on the card."""

from __future__ import annotations

import pytest

from andamio.contract import Contract
from andamio.tabular.read_as import ReadAs, assumptions, in_words
from etl.report import report
from tests.support.etl import Lake

CONTRACT = Contract.from_toml(
    '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n[features.size]\ntype = "number"\n'
    '[features.kind]\ntype = "category"\n'
)


def test_what_was_assumed_of_a_file_is_said() -> None:
    lake = Lake(CONTRACT)
    rows = [f"{row},5;{('grün', 'rot')[row % 2]};{'ab'[row // 2 % 2]}" for row in range(60)]
    lake.drop_bytes("a.csv", "\n".join(["size;kind;y", *rows, ""]).encode("cp1252"))
    result = lake.run()
    assert result["findings"][:2] == [
        "a.csv is not UTF-8 and was read as cp1252; if that is wrong, say [data] encoding",
        "a.csv has decimal commas in its numbers",
    ]
    (file,) = lake.manifest(result["version"])["files"]
    assert in_words(file["read_as"]) == "CSV, cp1252 (assumed), semicolons, decimal commas"
    assert in_words(file["read_as"]) in lake.get(report(lake, CONTRACT, result["version"])).body.decode()


@pytest.mark.parametrize(
    ("read_as", "words"),
    [
        (ReadAs("parquet"), "Parquet"),
        (ReadAs("jsonl", "utf-8", "mark", compression="gzip"), "JSON Lines, utf-8, gzip"),
        (ReadAs("csv", "latin-1", "contract", "~", ".", " "), "CSV, latin-1, delimiter '~', ' ' between thousands"),
    ],
)
def test_what_was_found_out_is_said_in_words(read_as: ReadAs, words: str) -> None:
    assert in_words(read_as.document()) == words
    assert assumptions(read_as.document()) == []
