"""What is not data is passed over, and a file of which nothing can be used is named."""

from __future__ import annotations

import pytest

from andamio.contract import Contract
from tests.support.etl import Lake

TOML = """
[problem]
name = "fruit"
target = "kind"
labels = { a = "A", b = "B" }
[features.size]
type = "number"
min = 0
[features.colour]
type = "category"
"""
CONTRACT = Contract.from_toml(TOML)
HEADER = "size,colour,kind"
NOISE = ["_SUCCESS", ".DS_Store", "day/.part-0.csv.crc", "part-0.csv.crc", "._a.csv", "__MACOSX/a.csv", "Thumbs.db"]


def rows(count: int, start: int = 0) -> list[str]:
    return [f"{start + number},{'red' if number % 3 else 'blue'},{'ab'[number % 2]}" for number in range(count)]


@pytest.fixture
def lake() -> Lake:
    lake = Lake(CONTRACT)
    lake.drop("a.csv", HEADER, *rows(40))
    return lake


@pytest.mark.parametrize("name", NOISE)
def test_what_tools_leave_beside_data_changes_nothing(lake: Lake, name: str) -> None:
    before = lake.run()
    event = lake.drop_bytes(name, b"\x00\x01 not data")
    collected = lake.step("collect", event=event)
    assert (collected["status"], collected["passed_over"]) == ("ready", 1)
    after = lake.run(event)
    assert (after["status"], after["version"], after["rejects"]) == ("unchanged", before["version"], before["rejects"])


def test_an_empty_file_is_passed_over(lake: Lake) -> None:
    lake.drop_bytes("b.csv", b"")
    assert lake.step("collect", event={})["passed_over"] == 1
    assert lake.run()["status"] == "published"


def test_an_empty_file_over_one_with_data_is_a_failed_file(lake: Lake) -> None:
    lake.drop("b.csv", HEADER, *rows(40, 100))
    lake.run()
    event = lake.drop_bytes("b.csv", b"")
    said = lake.run(event)
    assert said["status"] == "published"
    assert said["rows"]["valid"] == 40
    assert said["rejects"]["first"] == ["raw/b.csv: is empty (0 bytes): upload it again"]
    assert lake.step("collect", event={})["passed_over"] == 0
    assert lake.run()["status"] == "unchanged", "the next run says so too"
    assert [file["refused"] is None for file in lake.manifest(said["version"])["files"]] == [True, False]


def test_an_empty_file_over_the_only_one_is_said_and_changes_nothing(lake: Lake) -> None:
    lake.run()
    said = lake.run(lake.drop_bytes("a.csv", b""))
    assert said["status"] == "rejected"
    assert said["message"].startswith("No file could be read: raw/a.csv is empty (0 bytes)")


def test_noise_does_not_take_the_places_of_real_rejects(lake: Lake) -> None:
    for name in NOISE:
        lake.drop_bytes(name, b"\x00\x01 not data")
    lake.drop("b.csv", HEADER, *rows(20, 100), "-1,red,a")
    said = lake.run()
    assert said["status"] == "published"
    (only,) = said["rejects"]["first"]
    assert only.startswith("raw/b.csv: line 22: size: ")


def test_nothing_but_noise_is_no_data_and_no_failure() -> None:
    lake = Lake(CONTRACT)
    lake.drop_bytes("_SUCCESS", b"")
    lake.drop_bytes(".DS_Store", b"x")
    said = lake.step("collect", event={})
    assert said["status"] == "empty"
    assert "raw/.DS_Store and 1 more" in said["message"]


def test_data_files_whose_names_are_like_those_of_noise_are_read(lake: Lake) -> None:
    lake.drop("_new.csv", HEADER, *rows(5, 200))
    assert lake.run()["rows"]["valid"] == 45


def test_a_small_file_of_which_every_row_is_bad_is_a_failed_file(lake: Lake) -> None:
    lake.drop("b.csv", HEADER, "-1,red,a", "-2,red,a")
    said = lake.run()
    assert said["status"] == "published", "two rows of 42 are few"
    assert said["rejects"]["first"][0].startswith(
        "raw/b.csv: holds no usable row: all of its 2 rows break the contract"
    )
    (file,) = [file for file in lake.manifest(said["version"])["files"] if file["key"] == "raw/b.csv"]
    assert file["refused"].startswith("holds no usable row")
    assert "size: " in file["refused"]


def test_a_file_with_one_usable_row_is_none(lake: Lake) -> None:
    lake.drop("b.csv", HEADER, "-1,red,a", "3,red,a")
    said = lake.run()
    assert not any(file["refused"] for file in lake.manifest(said["version"])["files"])


def test_a_file_whose_rows_were_all_replaced_is_none() -> None:
    lake = Lake(Contract.from_toml(TOML.replace('target = "kind"', 'target = "kind"\nid = "row"')))
    lines = [f"{number},{row}" for number, row in enumerate(rows(40))]
    lake.drop("a.csv", f"row,{HEADER}", "0,-1,red,a", "1,2,red,a")
    lake.drop("b.csv", f"row,{HEADER}", *lines)
    said = lake.run()
    files = lake.manifest(said["version"])["files"]
    assert [file["replaced"] for file in files] == [2, 0]
    assert not any(file["refused"] for file in files)
