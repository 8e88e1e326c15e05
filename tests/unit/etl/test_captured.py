"""Records that were predicted and then labelled, as a source of a data version beside the raw files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from andamio.contract import Contract
from andamio.dataset.version import BESIDE, KEY, ROW, VALUES
from andamio.storage import layout
from rollout.retraining.records import LabelledRecords, forget, keep
from tests.support.etl import Lake

HEAD = """
[problem]
name = "kinds"
target = "kind"
labels = { a = "A", b = "B" }
"""
FEATURES = """
[features.size]
type = "integer"
required = false
[features.on]
type = "boolean"
[features.seen]
type = "date"
"""
FEATURES_OF = ("size", "on", "seen")
RAW = [f"{size},{'yes' if size % 2 else 'no'},2026-01-{size % 28 + 1:02},{'ab'[size % 3 == 0]}" for size in range(120)]


def contract(role: str = "") -> Contract:
    return Contract.from_toml(HEAD + role + FEATURES)


def records(sizes: list[float], *, first: int = 0, own: bool = False, label: str = "a") -> LabelledRecords:
    """Records of these sizes, equal to the raw rows of the same size."""
    days = [0 if np.isnan(size) else int(size) % 28 for size in sizes]
    return LabelledRecords(
        ids=[f"p{number}" for number in range(first, first + len(sizes))],
        own_ids=[f"own{number}" if own else None for number in range(first, first + len(sizes))],
        times=np.datetime64("2026-11-27T10", "ms") + np.arange(len(sizes)).astype("timedelta64[ms]"),
        labels=[label] * len(sizes),
        columns={
            "size": np.array(sizes, dtype=np.float64),
            "on": np.array([0 if np.isnan(size) else int(size) % 2 for size in sizes], dtype=np.float64),
            "seen": np.array([f"2026-01-{day + 1:02}" for day in days], dtype="datetime64[D]"),
        },
    )


def lake_of(made: Contract, header: str = "size,on,seen,kind", rows: list[str] | None = None) -> Lake:
    lake = Lake(made)
    lake.drop("rows.csv", header, *(RAW if rows is None else rows))
    assert lake.run()["status"] == "published"
    return lake


def test_without_captured_records_the_input_is_what_it_was() -> None:
    lake = lake_of(contract())
    before = lake.run()
    lake.put("captures/dt=2026-11-27/hour=10/part-1.jsonl.gz", b"no source")
    assert lake.run() == before


def test_captured_records_without_raw_files_are_no_data() -> None:
    lake = Lake(contract())
    keep(lake, lake.contract, records([1, 2]))
    assert lake.run()["status"] == "empty"


def test_they_are_rows_like_others_and_reported_by_source() -> None:
    lake = lake_of(contract())
    keep(lake, lake.contract, records([500, 501, np.nan]))
    said = lake.run({"because": "Retraining: drift"})
    assert said["status"] == "published"
    captured, raw = lake.manifest(said["version"])["files"]
    assert (captured["key"], captured["valid"], captured["rejected"]) == (layout.CAPTURED_RECORDS, 3, 0)
    assert (raw["key"], raw["valid"]) == ("raw/rows.csv", 120)
    assert captured["extra_columns"] == []
    sizes = lake.column(said["version"], "size")
    assert {500.0, 501.0} <= set(sizes.tolist())
    assert np.isnan(sizes).sum() == 1


def test_the_reason_of_the_watch_reaches_training() -> None:
    lake = lake_of(contract())
    said = lake.step("collect", event={"because": "Retraining: drift"})
    version = lake.step("publish", input=lake.step("validate", input=said["input"])["input"])["version"]
    event: dict[str, Any] = {"because": "Retraining: drift"}
    assert lake.step("commit", input=said["input"], version=version, event=event)["request"] == {
        "dataset": version,
        "because": "Retraining: drift",
    }
    assert lake.step("commit", input=said["input"], version=version)["request"] == {"dataset": version}


@pytest.mark.parametrize("own", [False, True])
def test_a_record_that_equals_a_raw_row_is_on_its_side(own: bool) -> None:
    """Raw files say yes and no, captures true and false: the key by text alone would differ."""
    lake = lake_of(contract())
    keep(lake, lake.contract, records([float(size) for size in range(120)], own=own))
    version = lake.run()["version"]
    sides = lake.sides(version, "size")
    assert len(sides) == 120
    assert all(len(where) == 1 for where in sides.values())
    assert set().union(*sides.values()) == {"train", "holdout"}


def test_a_record_stays_the_same_row_in_a_file_that_grows() -> None:
    """What a champion was trained on must not look new, and must not change its side."""
    lake = lake_of(contract())
    keep(lake, lake.contract, records([float(size) for size in range(200, 300)]))
    first = lake.run()["version"]
    before = dict(zip(lake.column(first, ROW), lake.column(first, "size"), strict=True))
    sides = lake.sides(first, ROW)
    keep(lake, lake.contract, records([400.0, 401.0], first=100))
    second = lake.run()["version"]
    assert second != first
    after = dict(zip(lake.column(second, ROW), lake.column(second, "size"), strict=True))
    assert before.items() <= after.items()
    assert len(after) == len(before) + 2
    assert sides.items() <= lake.sides(second, ROW).items()


def test_the_newest_label_of_a_record_counts_and_a_record_that_is_kept_again_changes_nothing() -> None:
    lake = lake_of(contract())
    keep(lake, lake.contract, records([500, 501]))
    body = lake.get(layout.CAPTURED_RECORDS).body
    keep(lake, lake.contract, records([501], first=1))
    assert lake.get(layout.CAPTURED_RECORDS).body == body
    keep(lake, lake.contract, records([501], first=1, label="b"))
    version = lake.run()["version"]
    labels = dict(zip(lake.column(version, "size"), lake.column(version, "kind"), strict=True))
    assert (labels[500.0], labels[501.0]) == ("a", "b")
    assert lake.manifest(version)["files"][0]["valid"] == 2


@pytest.mark.parametrize("emptied", [True, False])
def test_while_captured_records_change_a_data_version_is_collected_again_and_none_is_lost(emptied: bool) -> None:
    """No event tells of them: whoever ended here would leave new raw files unread."""
    lake = lake_of(contract())
    keep(lake, lake.contract, records([500, 501]))
    lake.drop("more.csv", "size,on,seen,kind", "700,no,2026-01-02,a")
    digest = lake.step("collect", event={})["input"]
    lake.step("validate", input=digest)
    version = lake.step("publish", input=digest)["version"]
    if emptied:
        forget(lake, ["size"])
    else:
        keep(lake, lake.contract, records([502], first=2))
    assert lake.step("commit", input=digest, version=version)["status"] == "changed"
    said = lake.run()
    assert (said["status"], said["rows"]["read"]) == ("published", 121 if emptied else 124)


def test_a_raw_row_of_the_same_id_wins() -> None:
    """Feedback changes no raw row."""
    rows = [f"id{number},{row}" for number, row in enumerate(RAW)]
    lake = lake_of(contract('id = "visit"\n'), "visit,size,on,seen,kind", rows)
    found = records([500, 501])
    keep(lake, lake.contract, LabelledRecords(found.ids, ["id7", "new"], found.times, found.labels, found.columns))
    version = lake.run()["version"]
    captured, raw = lake.manifest(version)["files"]
    assert (captured["valid"], captured["replaced"], raw["valid"]) == (1, 1, 120)
    assert 501.0 in lake.column(version, "size")
    assert 500.0 not in lake.column(version, "size")


@pytest.mark.parametrize("own", [False, True])
def test_a_record_that_equals_a_raw_row_is_on_its_side_whatever_id_it_came_with(own: bool) -> None:
    """A caller numbers requests as he likes: the id of a request is not that of the raw row that it repeats."""
    rows = [f"id{number},{row}" for number, row in enumerate(RAW)]
    lake = lake_of(contract('id = "visit"\n'), "visit,size,on,seen,kind", rows)
    keep(lake, lake.contract, records([float(size) for size in range(120)], own=own))
    version = lake.run()["version"]
    sides = lake.sides(version, "size")
    assert lake.manifest(version)["files"][0]["valid"] == 120
    assert all(len(where) == 1 for where in sides.values())
    assert set().union(*sides.values()) == {"train", "holdout"}


def test_a_record_that_equals_no_raw_row_goes_by_its_id() -> None:
    """It stays on its side when its prediction is another one."""
    rows = [f"id{number},{row}" for number, row in enumerate(RAW)]
    lake = lake_of(contract('id = "visit"\n'), "visit,size,on,seen,kind", rows)
    sizes = [float(size) for size in range(200, 300)]
    keep(lake, lake.contract, records(sizes, own=True))
    before = lake.sides(lake.run()["version"], "size")
    again = records(sizes, own=True)
    ids = [f"q{number}" for number in range(100)]
    keep(lake, lake.contract, LabelledRecords(ids, again.own_ids, again.times, again.labels, again.columns))
    assert lake.sides(lake.run()["version"], "size") == before


def test_records_of_another_prepare_are_passed_over_with_a_note_until_the_file_begins_anew() -> None:
    """What the earlier code made of a record is no feature of the new one."""
    lake = lake_of(contract())
    keep(lake, lake.contract, records([500, 501]))
    assert 500.0 in lake.column(lake.run()["version"], "size")
    lake.contract = contract().model_copy(update={"prepare": "b" * 64})
    said = lake.run()
    assert said["status"] == "published"
    captured, raw = lake.manifest(said["version"])["files"]
    assert (captured["key"], captured["rows"], raw["valid"]) == (layout.CAPTURED_RECORDS, 0, 120)
    assert "another prepare.py" in captured["refused"]
    assert any(layout.CAPTURED_RECORDS in line for line in said["rejects"]["first"])
    keep(lake, lake.contract, records([600], first=2))
    anew = lake.run()
    assert lake.manifest(anew["version"])["files"][0]["valid"] == 1
    assert not {500.0, 501.0} & set(lake.column(anew["version"], "size").tolist())


def test_records_that_break_the_contract_cost_themselves_alone() -> None:
    lake = lake_of(contract())
    keep(lake, lake.contract, records([float(size) for size in range(200, 300)], label="neither"))
    keep(lake, lake.contract, records([400], first=100))
    said = lake.run()
    assert said["status"] == "published"
    captured, _ = lake.manifest(said["version"])["files"]
    assert (captured["valid"], captured["rejected"]) == (1, 100)
    assert lake.column(said["version"], KEY).size == 121


def test_a_file_that_was_emptied_adds_no_row() -> None:
    lake = lake_of(contract())
    first = lake.run()["version"]
    keep(lake, lake.contract, records([500, 501]))
    assert lake.run()["version"] != first
    forget(lake, ["seen", "size"])
    said = lake.run()
    assert (said["status"], said["version"]) == ("published", first)
    captured, _ = lake.read(layout.staging(said["input"], "info.json"))["files"]
    assert (captured["key"], captured["rows"], captured["refused"]) == (layout.CAPTURED_RECORDS, 0, None)


def test_a_time_split_takes_the_time_of_the_prediction() -> None:
    timed = Contract.from_toml(HEAD + 'time = "at"\n' + FEATURES + '[training]\nsplit = "time"\n')
    rows = [f"{row},2026-0{number // 20 + 1}-03" for number, row in enumerate(RAW)]
    lake = lake_of(timed, "size,on,seen,kind,at", rows)
    keep(lake, timed, records([500, 501]))
    version = lake.run()["version"]
    assert lake.sides(version, "size")[500.0] == {"holdout"}
    assert lake.manifest(version)["files"][0]["valid"] == 2


@pytest.mark.parametrize("own", [False, True])
def test_a_file_of_an_earlier_version_keeps_its_records(own: bool) -> None:
    """It said of no record which others it equals."""
    lake = lake_of(contract())
    keep(lake, contract(), records([3, np.nan, 3, 200], own=own))
    now = pq.read_table(io.BytesIO(lake.get(layout.CAPTURED_RECORDS).body))
    assert now.column(BESIDE).to_pylist()[0] == now.column(BESIDE).to_pylist()[2]
    earlier = io.BytesIO()
    pq.write_table(now.drop_columns([VALUES, BESIDE]), earlier)
    lake.put(layout.CAPTURED_RECORDS, earlier.getvalue())
    keep(lake, contract(), records([200], first=9, own=own))
    after = pq.read_table(io.BytesIO(lake.get(layout.CAPTURED_RECORDS).body))
    assert after.slice(0, 4).equals(now)
    assert after.num_rows == 5
    assert after.column(BESIDE).to_pylist()[4] == after.column(BESIDE).to_pylist()[3]
