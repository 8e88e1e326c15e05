"""ETL and the watch have one verdict on captured records: what counts as new becomes a row, and nothing else does."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.dataset.digests import digest_of
from andamio.dataset.version import ROW
from andamio.storage import layout
from rollout.retraining.compare import compare
from rollout.retraining.gather import gather
from rollout.retraining.records import LabelledRecords, keep
from rollout.retraining.rule import Labelled
from tests.support.etl import Lake
from tests.support.releases import HEART_FOLDER, heart

from .test_retraining_records import WINDOW, World

CONTRACT = Contract.from_toml("""
[problem]
name = "kinds"
target = "kind"
id = "visit"
labels = { a = "A", b = "B" }
[features.size]
type = "integer"
max = 1000
""")
RAW = [f"id{number},{number},{'ab'[number % 3 == 0]}" for number in range(120)]


def records(ids: list[str | None], sizes: list[float], labels: list[str], first: int = 0) -> LabelledRecords:
    return LabelledRecords(
        ids=[f"p{number}" for number in range(first, first + len(ids))],
        own_ids=ids,
        times=np.datetime64("2026-11-27T10", "ms") + np.arange(len(ids)).astype("timedelta64[ms]"),
        labels=labels,
        columns={"size": np.array(sizes, dtype=np.float64)},
    )


def lake_of(*more: str) -> Lake:
    lake = Lake(CONTRACT)
    lake.drop("rows.csv", "visit,size,kind", *RAW, *more)
    assert lake.run()["status"] == "published"
    return lake


def rows_of(lake: Lake, version: str, found: LabelledRecords) -> list[bool]:
    """Which of the records the data version has a row of."""
    there = set(lake.column(version, ROW).tolist())
    return [f"{digest_of(f'{layout.CAPTURED}{one}'):016x}" in there for one in found.ids]


def counted(lake: Lake, found: LabelledRecords) -> Labelled:
    return compare(lake, CONTRACT, found, found.ids, {}).counted


def test_a_record_with_the_id_of_a_raw_row_is_not_new_before_or_after_it_was_kept() -> None:
    """It was new for ever: ETL keeps the raw row, so no data version ever had the record."""
    lake = lake_of()
    found = records([f"id{number}" for number in range(60)], [500.0 + number for number in range(60)], ["a"] * 60)
    for _ in range(2):
        said = compare(lake, CONTRACT, found, found.ids, {})
        assert (said.counted.new, said.counted.records, said.records.ids) == (0, 0, [])
        assert said.counted.left_out == {"raw row": 60}
        keep(lake, CONTRACT, found)
        lake.run()


def test_it_still_says_whether_its_label_contradicts_the_data() -> None:
    lake = lake_of()
    found = records([f"id{number}" for number in range(60)], [float(number) for number in range(60)], ["a"] * 60)
    said = counted(lake, found)
    assert (said.new, said.equal, said.contradicting) == (0, 60, 20)


@pytest.mark.parametrize("own", ["7", "7.0", "007", " 7", "?", ""])
def test_ids_are_compared_as_etl_compares_them(own: str) -> None:
    lake = lake_of("7,300,a")
    found = records([canonical(own) or None], [500.0], ["a"])
    said = counted(lake, found)
    keep(lake, CONTRACT, found)
    assert rows_of(lake, lake.run()["version"], found) == [said.new == 1]


def test_a_record_takes_the_place_of_a_raw_row_that_is_rejected() -> None:
    """A hospital's file has patients whose diagnosis is not known yet; the label that came later is all there is."""
    lake = lake_of("late,300,", "big,5000,a")
    found = records(["late", "big"], [300.0, 500.0], ["a", "b"])
    assert counted(lake, found).new == 2
    keep(lake, CONTRACT, found)
    said = lake.run()
    assert rows_of(lake, said["version"], found) == [True, True]
    captured, raw = lake.manifest(said["version"])["files"]
    assert (captured["valid"], captured["replaced"], raw["rejected"]) == (2, 0, 2)
    assert counted(lake, found).new == 0


def test_a_record_that_etl_rejects_is_new_once() -> None:
    """Its release took it, and the contract has become narrower since."""
    lake = lake_of()
    found = records(["x", "y"], [5000.0, 500.0], ["a", "a"])
    assert counted(lake, found).new == 2
    keep(lake, CONTRACT, found)
    assert rows_of(lake, lake.run()["version"], found) == [False, True]
    said = counted(lake, found)
    assert (said.new, said.left_out) == (0, {"etl": 1})
    again = replace(found, ids=["p7", "p8"], columns={"size": np.array([700.0, 500.0])})
    assert counted(lake, again).new == 1, "the next prediction of it is another row"


def test_until_etl_has_read_the_file_nothing_of_it_was_left_out() -> None:
    lake = lake_of()
    found = records(["x", "y"], [501.0, 500.0], ["a", "a"])
    keep(lake, CONTRACT, found)
    assert counted(lake, found).new == 2


def test_a_captured_row_is_no_raw_one_while_the_file_has_grown_and_etl_has_not_read_it() -> None:
    lake = lake_of()
    found = records(["x"], [500.0], ["a"])
    keep(lake, CONTRACT, found)
    lake.run()
    keep(lake, CONTRACT, replace(records(["y"], [501.0], ["a"]), ids=["p5"]))
    again = replace(found, ids=["p7"], columns={"size": np.array([700.0])})
    said = counted(lake, again)
    assert (said.new, said.left_out) == (1, {})


def drawn(data: st.DataObject, first: int) -> LabelledRecords:
    some = st.integers(0, 140)
    ids = data.draw(st.lists(st.none() | some.map(lambda one: f"id{one}"), min_size=1, max_size=12, unique_by=_own))
    sizes = data.draw(st.lists(some.map(float) | st.just(5000.0), min_size=len(ids), max_size=len(ids)))
    labels = [data.draw(st.sampled_from("ab")) for _ in ids]
    # One is a row in any case: of records that are all left out no data version is made.
    return records([*ids, None], [*sizes, 700.0 + first], [*labels, "a"], first)


def _own(one: str | None) -> object:
    return object() if one is None else one


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_what_is_new_becomes_a_row_and_what_is_left_out_never_does(data: st.DataObject) -> None:
    lake = lake_of("id121,300,", "id3,200,")
    for number in range(2):
        found = drawn(data, 100 * number)
        said = compare(lake, CONTRACT, found, found.ids, {})
        keep(lake, CONTRACT, found)
        is_row = dict(zip(found.ids, rows_of(lake, lake.run()["version"], found), strict=True))
        taken = set(said.records.ids)
        sizes = dict(zip(found.ids, found.columns["size"].tolist(), strict=True))
        assert {name for name, there in is_row.items() if there} == {name for name in taken if sizes[name] <= 1000}
        after = compare(lake, CONTRACT, found, found.ids, {})
        assert (set(after.records.ids), after.counted.new) == ({name for name in taken if is_row[name]}, 0)


def test_the_watch_and_etl_agree_on_patients_whom_the_raw_file_has() -> None:
    """The Hungarian hospital by number: 200 of its patients are in a raw file, and labels come for all of them."""
    problem = heart().problem.model_copy(update={"id": "patient"})
    contract = heart().model_copy(update={"problem": problem})
    world = World()
    world.lake.contract = contract
    for name, some in (("heart", slice(None)), ("heart-hungary", slice(200))):
        world.lake.drop_bytes(f"{name}.csv", numbered(HEART_FOLDER / f"{name}.csv", name, some))
    assert world.lake.run()["status"] == "published"
    world.label(world.truth)
    found = gather(world.lake, world.models, contract, WINDOW, world.release)
    assert dict(found.counted.left_out) == {"raw row": 200}
    assert found.counted.new == len(found.records.ids) == len(world.truth) - 200
    keep(world.lake, contract, found.records)
    version = world.lake.run()["version"]
    assert all(rows_of(world.lake, version, found.records))
    assert gather(world.lake, world.models, contract, WINDOW, world.release).counted.new == 0


def numbered(file: Path, name: str, some: slice) -> bytes:
    """A file with patients' numbers, those of the Hungarian hospital as they are predicted."""
    rows = list(csv.DictReader(file.open(newline="")))[some]
    called = "patient" if name == "heart-hungary" else name
    out = io.StringIO()
    writer = csv.DictWriter(out, ["patient", *rows[0]])
    writer.writeheader()
    writer.writerows({"patient": f"{called}-{number}", **row} for number, row in enumerate(rows))
    return out.getvalue().encode()
