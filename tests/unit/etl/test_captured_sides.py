"""Equal records share a side of the split, raw or captured, and the sealed split holds for all: a row never moves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.dataset.digests import digest_of
from andamio.dataset.version import ROW
from andamio.storage import layout
from rollout.retraining.records import LabelledRecords, keep
from tests.support.etl import Lake

HEAD = '[problem]\nname = "kinds"\ntarget = "kind"\nlabels = { a = "A", b = "B" }\n'
FEATURES = '[features.size]\ntype = "number"\nrequired = false\n[features.on]\ntype = "boolean"\n'
ROLES = {"id": 'id = "visit"\n', "features": "", "row": ""}
RAW = {
    "id": [f"id{n},{n}.0,{'yes' if n % 2 else 'no'},{'ab'[n % 3 == 0]}" for n in range(60)],
    "features": [f",{n}.0,{'yes' if n % 2 else 'no'},{'ab'[n % 3 == 0]}" for n in range(60)],
    # Few values, so that chance makes records equal, and each row has a side of its own.
    "row": [f",{n % 5}.0,{'yes' if n % 2 else 'no'},{'ab'[n % 3 == 0]}" for n in range(60)],
}
SIZES = st.sampled_from([1.0, 4.0, 80.0, 81.0, 82.0, 83.0])
OWN = st.none() | st.sampled_from(["u", "v", "w", "x", "y", "id3"])

_ROUND = st.lists(st.tuples(OWN, SIZES), min_size=1, max_size=8, unique_by=lambda one: one[0] or object())
ROUNDS = st.lists(_ROUND, min_size=1, max_size=3)


def lake_of(key: str) -> Lake:
    lake = Lake(Contract.from_toml(HEAD + ROLES[key] + FEATURES))
    lake.drop("rows.csv", "visit,size,on,kind", *RAW[key])
    said = lake.run()
    assert said["status"] == "published"
    assert lake.manifest(said["version"])["split_by"]["key"] == key
    return lake


def records(first: int, drawn: list[tuple[str | None, float]]) -> LabelledRecords:
    sizes = [size for _, size in drawn]
    return LabelledRecords(
        ids=[f"p{number}" for number in range(first, first + len(drawn))],
        own_ids=[own for own, _ in drawn],
        times=np.datetime64("2026-11-27T10", "ms") + np.arange(len(drawn)).astype("timedelta64[ms]"),
        labels=["a"] * len(drawn),
        columns={"size": np.array(sizes), "on": np.array([size % 2 for size in sizes])},
    )


def captured(lake: Lake, version: str, most: int) -> dict[str, tuple[float, str]]:
    """The captured rows of a version by their prediction: their values, and the side that they are on."""
    names = {f"{digest_of(f'{layout.CAPTURED}p{number}'):016x}": f"p{number}" for number in range(most)}
    return {
        names[row]: (size, side)
        for side in ("train", "holdout")
        for row, size in zip(*(lake.side(version, side)[name].tolist() for name in (ROW, "size")), strict=True)
        if row in names
    }


def check(key: str, rounds: list[list[tuple[str | None, float]]]) -> None:
    lake = lake_of(key)
    before: dict[str, tuple[float, str]] = {}
    count = 0
    raw_sides = lake.sides(lake.run()["version"], "size")
    for drawn in rounds:
        keep(lake, lake.contract, records(count, drawn))
        count += len(drawn)
        rows = captured(lake, lake.run()["version"], count)
        sides: dict[float, set[str]] = {}
        for size, side in rows.values():
            sides.setdefault(size, set()).add(side)
        assert {size: found for size, found in sides.items() if len(found) > 1} == {}
        if key != "row":  # there equal raw rows have sides of their own
            assert all(sides[size] <= raw_sides[size] for size in sides.keys() & raw_sides.keys())
        moved = {name: (before[name], row) for name, row in rows.items() if name in before and before[name] != row}
        assert moved == {}
        before = rows


@pytest.mark.parametrize("key", ["id", "features", "row"])
@given(rounds=ROUNDS)
@settings(max_examples=6, deadline=None)
def test_equal_records_share_a_side_and_no_later_record_moves_one(
    key: str, rounds: list[list[tuple[str | None, float]]]
) -> None:
    check(key, rounds)


@pytest.mark.parametrize("key", ["id", "features", "row"])
def test_twenty_equal_predictions_without_an_id_are_on_one_side(key: str) -> None:
    """Each had the side of its own prediction where the split goes by id or by row."""
    check(key, [[(None, 80.0)] * 20, [(None, 80.0)] * 20])


def test_the_side_stays_when_the_record_that_came_first_is_predicted_anew() -> None:
    """Its row goes, or moves to the end of the file; those beside it must not follow the next one."""
    for other in range(4):
        first = f"first{other}"
        check("id", [[(first, 80.0), ("u", 80.0), ("v", 80.0)], [(first, 83.0)], [("w", 80.0)], [(first, 80.0)]])


def test_an_id_stays_on_its_side_when_its_values_change_to_new_ones() -> None:
    """A patient who is seen again is the same patient: the champion may have learned from the first visit."""
    lake = lake_of("id")
    keep(lake, lake.contract, records(0, [(f"n{n}", 100.0 + n) for n in range(40)]))
    before = [side for _, (_, side) in sorted(captured(lake, lake.run()["version"], 40).items(), key=_number)]
    keep(lake, lake.contract, records(40, [(f"n{n}", 200.0 + n) for n in range(40)]))
    after = [side for _, (_, side) in sorted(captured(lake, lake.run()["version"], 80).items(), key=_number)]
    assert before == after
    assert set(after) == {"train", "holdout"}


def _number(item: tuple[str, object]) -> int:
    return int(item[0][1:])
