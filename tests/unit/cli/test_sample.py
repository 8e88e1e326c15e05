"""The record that the demo asks for, and the files that it brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from andamio.cli.sample import first_record, sample_files
from andamio.contract import Contract
from andamio.errors import CommandError

TEXT = """
[problem]
name = "katzen"
target = "art"
labels = { a = "A", b = "B" }
[data]
files = ["k.csv"]
[features."größe"]
type = "number"
[features.farbe]
type = "category"
[features.seit]
type = "date"
required = false
"""
CONTRACT = Contract.from_toml(TEXT)
FIRST = {"größe": 2.5, "farbe": "grün", "seit": None}


def test_a_spreadsheets_file_from_windows_gives_its_first_good_record(tmp_path: Path) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes("größe;farbe;seit;art\r\nvage;grün;;a\r\n2,5;grün;;a\r\n".encode("latin-1"))
    assert first_record(file, CONTRACT) == FIRST


def test_json_lines_with_a_broken_line_give_their_first_good_record(tmp_path: Path) -> None:
    file = tmp_path / "k.jsonl"
    file.write_text('{"größe": \n{"größe": 2.5, "farbe": "grün", "art": "a"}\n')
    assert first_record(file, CONTRACT) == FIRST


@pytest.mark.parametrize("body", [b"", b"\x00\xff", b"other\n1\n"])
def test_a_file_without_one_gives_the_schemas_example(tmp_path: Path, body: bytes) -> None:
    file = tmp_path / "k.csv"
    file.write_bytes(body)
    assert set(first_record(file, CONTRACT)) == set(FIRST)


def test_a_missing_data_file_is_noticed_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"names 'k\.csv', and there is no such file"):
        sample_files(tmp_path, CONTRACT)
