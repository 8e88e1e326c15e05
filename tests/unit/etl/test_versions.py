"""Laws of data versions: who is on which side, and when a version is another one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.contract import Contract
from andamio.dataset.columns import content_digest, from_bytes, kept, to_bytes
from andamio.errors import DataError
from andamio.storage import layout
from etl.collect import Sources
from tests.support.etl import Lake

HEAD = """
[problem]
name = "kinds"
target = "kind"
labels = { a = "A", b = "B" }
"""
FEATURES = """
[features.size]
type = "number"
[features.colour]
type = "category"
"""
# Another missing text, a range, another share and seed, and a feature less.
EDITED = """
[data]
missing = ["", "red"]
[features.size]
type = "number"
max = 30
required = false
on_invalid = "missing"
[training]
holdout = 0.4
seed = 8
"""
TIMED = Contract.from_toml(HEAD + 'group = "patient"\ntime = "at"\n' + FEATURES + '[training]\nsplit = "time"\n')
HEADER = "patient,visit,size,colour,kind"


def contract(role: str = "", more: str = "") -> Contract:
    return Contract.from_toml(HEAD + role + FEATURES + more)


ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 60), st.sampled_from(["red", "blue"]), st.sampled_from("ab")),
    max_size=12,
)


@pytest.mark.parametrize(
    ("role", "key"), [('group = "patient"\n', "patient"), ('id = "visit"\n', "visit"), ("", "size"), ("", None)]
)
@settings(max_examples=12, deadline=None)
@given(more=st.lists(ROWS, min_size=1, max_size=3), edited=st.booleans())
def test_a_row_never_moves_between_train_and_holdout(
    role: str, key: str | None, more: list[list[tuple[int, int, str, str]]], edited: bool
) -> None:
    """Whatever is added, however often ETL runs, and whatever the contract becomes."""
    lake = Lake(contract(role))
    sizes = range(60) if key is not None else [1, 2] * 30  # few distinct rows: each is its own key
    lake.drop("0.csv", HEADER, *[f"p{n % 20},v{n},{size},red,{'ab'[n % 2]}" for n, size in enumerate(sizes)])
    version = lake.run()["version"]
    sealed = lake.get(layout.SPLIT)
    assert json.loads(sealed.body)["columns"] == ({"size": ["size", "colour"], None: []}.get(key, [key]))
    for index, rows in enumerate(more):
        lake.drop(
            f"{index + 1}.csv",
            HEADER,
            *[f"p{patient},v{size},{size}.0,{colour},{kind}" for patient, size, colour, kind in rows],
        )
        if edited:
            lake.contract = Contract.from_toml(HEAD + role.replace("patient", "visit") + EDITED)
        before, version = version, lake.run()["version"]
        for column in ("_row", "_key"):
            was, now = lake.sides(before, column), lake.sides(version, column)
            assert all(len(found) == 1 for found in now.values()), "equal keys share a side"
            assert all(now[value] == side for value, side in was.items() if value in now)
            assert was.keys() <= now.keys() or (column == "_row" and key == "visit"), "only a later row replaces one"
    assert lake.get(layout.SPLIT) == sealed


def test_the_same_rows_make_the_same_version_whatever_their_file_is_called_and_when_it_lands() -> None:
    rows = [f"p{n},v{n},{n},red,{'ab'[n % 2]}" for n in range(40)]
    one, other = Lake(contract()), Lake(contract())
    for name in ("a.csv", "b.csv"):
        one.drop(name, HEADER, *(rows[:20] if name == "a.csv" else rows[20:]))
    other.drop("x.csv", HEADER, *rows[20:])
    other.drop("folder/y.csv", HEADER, *rows[:20])
    assert one.run()["version"] == other.run()["version"]


def test_equal_records_share_a_side_whatever_file_they_stand_in() -> None:
    lake = Lake(contract())
    lake.drop("a.csv", "size,colour,kind", *[f"{n}.50,red,{'ab'[n % 2]}" for n in range(40)])
    lake.run()
    lake.drop("b.csv", "kind;colour;size", *[f"{'ab'[n % 2]};red;{n},5" for n in range(40)])
    lake.drop("c.jsonl", *[f'{{"size": {n}.5, "colour": " red", "kind": "{"ab"[n % 2]}"}}' for n in range(40)])
    version = lake.run()["version"]
    assert len(lake.column(version, "_row")) == 120
    assert len(lake.sides(version, "_key")) == 40
    assert all(len(found) == 1 for found in lake.sides(version, "size").values())
    lake.contract = Contract.from_toml(HEAD + FEATURES.replace('type = "number"', 'type = "category"'))
    edited = lake.run()["version"]
    assert edited != version
    assert lake.sides(edited, "_row") == lake.sides(version, "_row"), "also when its column is of another type now"


def test_the_same_input_writes_nothing_twice() -> None:
    lake = Lake(contract())
    lake.drop("a.csv", HEADER, *[f"p{n},v{n},{n},red,{'ab'[n % 2]}" for n in range(40)], "p,v,x,red,a")
    first = lake.run()
    before = list(lake.writes)
    again = lake.run()
    assert lake.writes == before
    assert again == {**first, "status": "unchanged"}


def test_a_file_that_comes_again_unchanged_changes_nothing() -> None:
    lake = Lake(contract())
    rows = [f"p{n},v{n},{n},red,{'ab'[n % 2]}" for n in range(40)]
    lake.drop("a.csv", HEADER, *rows[:20])
    lake.drop("b.csv", HEADER, *rows[20:])
    first = lake.run()
    said = lake.run(lake.drop("a.csv", HEADER, *rows[:20]))
    assert (said["status"], said["version"]) == ("unchanged", first["version"])


@pytest.mark.parametrize(
    ("more", "another"),
    [
        ("[training]\ntrials = 3\n", False),
        ("[gate]\nconfidence = 0.9\n", False),
        ('[features.size]\ntype = "number"\nunit = "m"\n', False),
        ('[features.size]\ntype = "number"\nmax = 20\nrequired = false\non_invalid = "missing"\n', True),
        ('[features.size]\ntype = "number"\nrequired = false\n', True),
        ('[data]\nmissing = ["", "-"]\n', True),
    ],
)
def test_an_edit_of_the_contract_makes_a_new_version_when_it_is_of_the_data_half(more: str, another: bool) -> None:
    lake = Lake(contract())
    lake.drop("a.csv", HEADER, *[f"p{n},v{n},{n},red,{'ab'[n % 2]}" for n in range(40)])
    first = lake.run()["version"]
    features = FEATURES.replace('[features.size]\ntype = "number"\n', "") if "features.size" in more else FEATURES
    lake.contract = Contract.from_toml(HEAD + (more + features if "features.size" in more else features + more))
    said = lake.run()
    assert (said["version"] != first) == another
    assert said["status"] == ("published" if another else "unchanged")


def test_with_a_time_split_the_newest_share_is_held_out_and_a_patient_is_never_on_both_sides() -> None:
    lake = Lake(TIMED)
    lake.drop("a.csv", "patient,at,size,colour,kind", *[_timed(n) for n in range(50)])
    said = lake.run()
    version = said["version"]
    assert lake.manifest(version)["cutoff"] == "2026-02-11T00:00:00"
    assert said["rows"]["holdout"] == 10
    first = np.datetime64("2026-02-11T00:00:00")
    assert min(lake.side(version, "holdout")["at"]) == first > max(lake.side(version, "train")["at"])
    lake.drop("b.csv", "patient,at,size,colour,kind", "p0,2026-12-24,7,red,a")
    version = lake.run()["version"]
    assert all(len(found) == 1 for found in lake.sides(version, "patient").values())
    assert np.datetime64("2026-12-24T00:00:00") in lake.side(version, "train")["at"], (
        "goes by the earliest row of the patient"
    )


def test_the_cutoff_of_a_time_split_only_moves_forward() -> None:
    """A row may leave the holdout for train, never the other way: no champion was trained on what it is judged on."""
    lake = Lake(TIMED)
    header = "patient,at,size,colour,kind"
    lake.drop("a.csv", header, *[_timed(n) for n in range(50)])
    first = lake.run()["version"]
    held = set(lake.side(first, "holdout")["patient"])
    lake.drop("old.csv", header, *[f"q{n},2025-01-{n % 28 + 1:02},{n},red,{'ab'[n % 2]}" for n in range(200)])
    second = lake.run()["version"]
    assert lake.manifest(second)["cutoff"] == lake.manifest(first)["cutoff"]
    assert set(lake.side(second, "holdout")["patient"]) == held
    lake.drop("new.csv", header, *[f"r{n},2026-06-{n % 28 + 1:02},{n},red,{'ab'[n % 2]}" for n in range(100)])
    third = lake.run()["version"]
    assert lake.manifest(third)["cutoff"] > lake.manifest(second)["cutoff"]
    assert set(lake.side(third, "train")["patient"]) >= set(lake.side(second, "train")["patient"])


def test_a_holdout_without_both_classes_is_no_data_version() -> None:
    lake = Lake(TIMED)
    lake.drop(
        "a.csv", "patient,at,size,colour,kind", *[_timed(n).replace(",b", ",a") for n in range(10, 40)], _timed(1)
    )
    said = lake.run()
    assert said["status"] == "rejected"
    assert "not every class is on both sides, the holdout (rows from 2026-02-" in said["message"]
    assert "would have 'a': 6, 'b': 0. Classes have 'a': 30, 'b': 1 rows" in said["message"]
    assert not list(lake.list(layout.SPLIT))


def test_a_class_that_is_declared_later_needs_rows_on_both_sides() -> None:
    lake = Lake(contract())
    lake.drop("a.csv", "size,colour,kind", *[f"{n},red,{'ab'[n % 2]}" for n in range(40)])
    first = lake.run()["version"]
    lake.contract = Contract.from_toml(HEAD.replace('b = "B"', 'b = "B", c = "C"') + FEATURES)
    lake.drop("b.csv", "size,colour,kind", "900,red,c")
    said = lake.run()
    assert said["status"] == "rejected"
    assert "'c': 0: it needs rows of every class. A class of about 14 rows is on both sides" in said["message"]
    assert lake.read(layout.CURRENT_DATASET)["version"] == first


def _timed(n: int) -> str:
    return f"p{n},2026-{n // 30 + 1:02}-{n % 30 + 1:02},{n},red,{'ab'[n % 2]}" if n < 59 else ""


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@given(
    numbers=st.lists(st.floats(allow_infinity=False), max_size=6),
    texts=st.lists(TEXT, max_size=6),
    days=st.lists(st.none() | st.dates(), min_size=6, max_size=6),
    moments=st.lists(st.none() | st.datetimes(), min_size=6, max_size=6),
    name=TEXT.filter(bool),
)
def test_columns_come_back_from_a_file_as_they_were_and_equal_columns_make_equal_bytes(
    numbers: list[float], texts: list[str], days: list[Any], moments: list[Any], name: str
) -> None:
    rows = min(len(numbers), len(texts))
    columns = {
        "number": kept(np.array(numbers[:rows], dtype=float)),
        "text": kept(np.array([*texts[:rows], None], dtype=object)[:-1]),
        f"{name} day": np.array(days[:rows], dtype="datetime64[D]"),
        f"{name} moment": np.array(moments[:rows], dtype="datetime64[s]"),
    }
    body = to_bytes(columns)
    back = from_bytes(body)
    assert to_bytes(back) == body == to_bytes(columns)
    assert content_digest(back) == content_digest(columns)
    np.testing.assert_array_equal(back["number"], columns["number"])
    assert {column: back[column].dtype for column in back} == {column: columns[column].dtype for column in columns}
    assert all(back[column].tolist() == columns[column].tolist() for column in columns if column != "number")


COLUMNS = {"size": np.array([1.0]), "kind": np.array(["a"], dtype=object)}


@pytest.mark.parametrize("length", range(0, len(to_bytes(COLUMNS)), 7))
def test_a_file_of_columns_that_was_cut_off_is_told(length: int) -> None:
    with pytest.raises(DataError, match="run ETL again"):
        from_bytes(to_bytes(COLUMNS)[:length])


def test_a_file_of_columns_of_another_format_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("andamio.dataset.columns.FORMAT", 2)
    body = to_bytes(COLUMNS)
    monkeypatch.undo()
    with pytest.raises(DataError, match="format 2, and this version reads 1"):
        from_bytes(body)


def test_the_content_digest_tells_apart_what_looks_alike() -> None:
    digests = {
        content_digest({name: np.array(cells, dtype=object)})
        for name, cells in [
            ("x", ["ab", "c"]),
            ("x", ["a", "bc"]),
            ("y", ["ab", "c"]),
            ("x", ["abc"]),
            ("x", ["abc", ""]),
        ]
    }
    assert len(digests) == 5


def test_the_input_is_named_by_versions_contract_and_settings() -> None:
    lake = Lake(contract())
    lake.drop("a.csv", "x")
    edits = ("", "[training]\nholdout = 0.3\n", "[training]\nseed = 1\n", '[data]\nmissing = ["-"]\n')
    digests = [Sources.now(lake, contract("", more)).digest for more in edits]
    lake.drop("a.csv", "y")
    digests.append(Sources.now(lake, contract()).digest)
    lake.drop("b.csv", "y")
    digests.append(Sources.now(lake, contract()).digest)
    assert len(set(digests)) == len(digests)
    sources = Sources.now(lake, contract())
    sources.save(lake)
    assert Sources.load(lake, sources.digest) == sources
    assert json.loads(lake.get(layout.staging(sources.digest, "sources.json")).body)["recipe"] == 3
