"""A row never moves between train and holdout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.canonical import canonical_number
from andamio.errors import DataError
from etl.split import SALTS, SealedSplit, key_columns, row_keys, rows_needed
from etl.split import seal_split as seal

from .making import contract

HEAD = '[problem]\nname = "te"\ntarget = "y"\nlabels = { a = "A", b = "B" }\n'
FEATURES = '[features.x]\ntype = "number"\n[features.c]\ntype = "category"\n'

Cells = dict[str, list[object]]
Days = NDArray[np.datetime64]
NO_TIMES: Days = np.array([], dtype="datetime64[s]")


def data(rows: int, seed: int = 0) -> tuple[Cells, list[str], NDArray[np.int64]]:
    """Cells of `rows` distinct records, their identities, and labels of which 30% are of the second class."""
    rng = np.random.default_rng(seed)
    numbers: list[object] = [f"{value:.4f}" for value in rng.normal(size=rows)]
    categories: list[object] = rng.choice(["a", "b"], rows).tolist()
    groups: list[object] = [f"g{value}" for value in rng.integers(0, rows // 4, rows)]
    labels = (rng.random(rows) < 0.3).astype(np.int64)
    return {"x": numbers, "c": categories, "g": groups}, [f"id{row}" for row in range(rows)], labels


def seal_split(
    problem: Contract, cells: Cells, identities: list[str], labels: NDArray[np.int64], times: Days = NO_TIMES
) -> SealedSplit:
    columns = {name: np.array(column, dtype=object) for name, column in cells.items()}
    made = row_keys(key_columns(problem), problem.data.missing, cells, len(identities))
    split, keys = seal(problem, columns, made, identities, labels, times)
    assert np.array_equal(keys, split.keys(cells, identities))
    return split


def taken(cells: Cells, order: Sequence[int]) -> Cells:
    return {name: [column[row] for row in order] for name, column in cells.items()}


KINDS = {"features": "", "group": 'group = "g"\n', "id": 'id = "g"\n'}


@pytest.mark.parametrize("kind", KINDS)
@given(order=st.permutations(range(60)), cut=st.integers(1, 60))
def test_a_row_never_moves_when_rows_are_added_taken_or_shuffled(kind: str, order: list[int], cut: int) -> None:
    cells, identities, labels = data(60)
    split = seal_split(contract(FEATURES, HEAD + KINDS[kind]), cells, identities, labels)
    assert split.key == kind
    sides = split.holdout(split.keys(cells, identities))
    some = order[:cut]
    again = SealedSplit.from_json(split.to_json())
    moved = again.holdout(again.keys(taken(cells, some), [identities[row] for row in some]))
    assert moved.tolist() == sides[some].tolist()


def test_a_row_never_moves_when_the_contract_is_edited() -> None:
    cells, identities, labels = data(200)
    first = contract(FEATURES, HEAD)
    sealed = seal_split(first, cells, identities, labels).to_json()
    edited = contract(
        '[features.c]\ntype = "category"\nvalues = ["b"]\nunknown = "other"\n[features.new]\ntype = "date"\n',
        HEAD.replace("a = ", "b0 = ") + '[data]\nmissing = ["a"]\n[training]\nseed = 99\nholdout = 0.4\n',
    )
    # A later run has another contract, and the sealed split: only the latter says who is on which side.
    assert edited.data_digest != first.data_digest
    split = SealedSplit.from_json(sealed)
    before = split.holdout(split.keys(cells, identities))
    later = cells | {"new": ["2026-01-01"] * 200, "other": [None] * 200}
    assert split.holdout(split.keys(later, identities)).tolist() == before.tolist()
    assert split.to_json() == sealed


@given(st.data())
def test_rows_with_an_equal_key_share_a_side(drawn: st.DataObject) -> None:
    cells, identities, labels = data(80)
    split = seal_split(contract(FEATURES, HEAD + KINDS["group"]), cells, identities, labels)
    groups: list[object] = drawn.draw(st.lists(st.sampled_from(["p1", "p2", "p3", 4, "4", 4.0]), min_size=2))
    held = split.holdout(split.keys({"g": groups}, ["?"] * len(groups)))
    sides: dict[str, set[bool]] = {}
    for group, side in zip(groups, held.tolist(), strict=True):
        sides.setdefault(canonical_number(group), set()).add(side)
    assert all(len(both) == 1 for both in sides.values())


def test_equal_records_have_equal_keys_whatever_wrote_them() -> None:
    written: list[list[object]] = [
        [1.5, "1.5", "1.50", " 1.5 ", "+1.5", "15e-1"],
        [0.00001, "0.00001", "1e-05", "1E-5"],
        [100_000, 100_000.0, "100000", "1e5", "100000.0"],
        [10**16, 1e16, "10000000000000000"],
        [0, -0.0, "0", "-0", "0.0", "-0.0"],
        [True, "true", "True", "TRUE"],
        [None, float("nan"), "", " ", "?"],
    ]
    seen = set()
    for ways in written:
        keys = row_keys(["x"], ["", "?"], {"x": ways}, len(ways))
        assert len(set(keys.tolist())) == 1, ways
        seen.add(keys[0])
    assert len(seen) == len(written)
    assert row_keys(["x"], [""], {"x": ["007"]}, 1) != row_keys(["x"], [""], {"x": ["7"]}, 1)


def test_keys_are_made_of_anything_that_a_file_holds() -> None:
    odd: list[object] = ["\ud800", [1, 2], {"a": 1}, 10**5000, b"x", "1e999", None]
    assert len(set(row_keys(["x"], [""], {"x": odd}, len(odd)).tolist())) == len(odd)
    assert len(row_keys(["x", "gone"], [""], {"x": odd}, len(odd))) == len(odd)


def test_the_holdout_is_near_what_was_asked_for_also_on_few_rows() -> None:
    for seed in range(8):
        cells, identities, labels = data(300, seed)
        split = seal_split(contract(FEATURES, HEAD), cells, identities, labels)
        held = split.holdout(split.keys(cells, identities))
        assert abs(held.sum() - 60) <= 6
        assert abs(labels[held].mean() - labels.mean()) < 0.05


def test_the_same_data_give_the_same_split() -> None:
    cells, identities, labels = data(100)
    splits = {seal_split(contract(FEATURES, HEAD), cells, identities, labels).digest for _ in range(2)}
    order = np.random.default_rng(1).permutation(100)
    splits.add(
        seal_split(
            contract(FEATURES, HEAD), taken(cells, order.tolist()), [identities[row] for row in order], labels[order]
        ).digest
    )
    assert len(splits) == 1


def test_when_records_are_rarely_distinct_a_row_is_its_own_key() -> None:
    """Titanic has 2,201 rows and 14 distinct ones: there, equal records are a coincidence."""
    cells, identities, labels = data(100)
    cells["x"] = ["1"] * 100
    split = seal_split(contract(FEATURES, HEAD), cells, identities, labels)
    assert (split.key, split.columns) == ("row", ())
    assert len(set(split.keys(cells, identities).tolist())) == 100
    nearly: Cells = {"x": [*data(100)[0]["x"][:91], *["7"] * 9], "c": ["a"] * 100}
    assert seal_split(contract(FEATURES, HEAD), nearly, identities, labels).key == "features"


def shared_sides(cells: Cells) -> tuple[str, float]:
    """What makes the key, and the share of holdout rows with a twin in train."""
    rows = len(cells["x"])
    identities, labels = [str(row) for row in range(rows)], np.arange(rows) % 2
    split = seal_split(contract(FEATURES, HEAD), cells, identities, labels)
    held = split.holdout(split.keys(cells, identities))
    records = list(zip(cells["x"], cells["c"], strict=True))
    train = {record for record, side in zip(records, held.tolist(), strict=True) if not side}
    twins = [record in train for record, side in zip(records, held.tolist(), strict=True) if side]
    return split.key, float(np.mean(twins))


@pytest.mark.parametrize("share", [0.15, 0.3, 0.6])
def test_copies_share_a_side_however_many_there_are(share: float) -> None:
    cells, _, _ = data(1000)
    again = np.random.default_rng(2).choice(1000, round(share * 1000), replace=False).tolist()
    doubled: Cells = {name: [*column, *(column[row] for row in again)] for name, column in cells.items()}
    assert shared_sides(doubled) == ("features", 0.0)


def test_a_class_that_was_drawn_again_and_again_shares_a_side_too() -> None:
    """Oversampling with replacement: some records come once, some five times."""
    cells, _, _ = data(600)
    drawn = np.random.default_rng(3).choice(150, 900).tolist()
    assert shared_sides({name: [*column, *(column[row] for row in drawn)] for name, column in cells.items()}) == (
        "features",
        0.0,
    )


def test_what_few_values_bring_is_chance_also_where_columns_depend_on_each_other() -> None:
    rng = np.random.default_rng(6)
    health = rng.normal(size=1000)
    signs = {f"b{n}": (health + 0.3 * rng.normal(size=1000) > 0).astype(int).tolist() for n in range(8)}
    toml = "".join(f'[features.{name}]\ntype = "boolean"\n' for name in signs)
    identities, labels = [str(row) for row in range(1000)], (health > 0).astype(np.int64)
    assert seal_split(contract(toml, HEAD), signs, identities, labels).key == "row"


def test_so_few_records_that_they_cannot_be_divided_are_divided_by_rows() -> None:
    cells: Cells = {"x": ["1", "1", "1", "2"] * 15, "c": ["a", "a", "a", "b"] * 15}
    labels = np.array([0, 0, 1, 1] * 15)
    identities = [str(row) for row in range(60)]
    split = seal_split(contract(FEATURES, HEAD), cells, identities, labels)
    assert (split.key, split.columns) == ("row", ())
    held = split.holdout(split.keys(cells, identities))
    assert all(0 < held[labels == index].sum() < 30 for index in range(2))


def test_a_split_that_was_sealed_before_keeps_its_sides_and_its_name() -> None:
    cells, identities, labels = data(50)
    sealed = seal_split(contract(FEATURES, HEAD), cells, identities, labels)
    old = SealedSplit.from_json(sealed.to_json().replace(b'"format": 2', b'"format": 1'))
    assert old.format == 1
    assert SealedSplit.from_json(old.to_json()).digest == old.digest != sealed.digest
    keys = sealed.keys(cells, identities)
    assert old.holdout(keys).tolist() == sealed.holdout(keys).tolist()


def test_a_class_that_cannot_be_on_both_sides_is_an_error_that_counts() -> None:
    cells, identities, labels = data(50)
    labels[:] = 0
    labels[7] = 1
    message = r"of 1,024 divisions by hash none .* Classes have 'a': 49, 'b': 1 rows; with a holdout of 20%, each of 2"
    with pytest.raises(DataError, match=message):
        seal_split(contract(FEATURES, HEAD), cells, identities, labels)


def test_a_declared_class_without_a_row_is_an_error_before_anything_is_sealed() -> None:
    cells, identities, labels = data(50)
    three = contract(FEATURES, HEAD.replace('b = "B"', 'b = "B", c = "C"'))
    with pytest.raises(DataError, match=r"a class of \[problem\] labels has no rows\. .*'c': 0 rows; .* needs about 3"):
        seal_split(three, cells, identities, labels)


def test_of_many_classes_the_rarest_are_counted() -> None:
    many = contract(FEATURES, HEAD.replace('a = "A", b = "B"', ", ".join(f'c{n} = "C{n}"' for n in range(100))))
    labels = np.repeat(np.arange(100), [5] * 99 + [1])
    cells: Cells = {"x": [str(row) for row in range(len(labels))], "c": ["a"] * len(labels)}
    with pytest.raises(DataError, match=r"Classes have 'c0': 5, .*'c8': 5, 'c99': 1, 90 more at least as many rows; "):
        seal_split(many, cells, [str(row) for row in range(len(labels))], labels)


def test_as_many_rows_as_are_said_to_be_needed_are_enough() -> None:
    classes = 40
    needed = rows_needed(classes, 0.2, SALTS)
    many = contract(FEATURES, HEAD.replace('a = "A", b = "B"', ", ".join(f'c{n} = "C{n}"' for n in range(classes))))
    labels = np.repeat(np.arange(classes), needed)
    cells: Cells = {"x": [str(row) for row in range(len(labels))], "c": ["a"] * len(labels)}
    identities = [str(row) for row in range(len(labels))]
    split = seal_split(many, cells, identities, labels)
    held = split.holdout(split.keys(cells, identities))
    assert all(0 < held[labels == index].sum() < needed for index in range(classes))
    few = labels[:: needed // 3]  # three or four rows of each
    with pytest.raises(DataError, match=rf"each of 40 classes needs about {needed}\. Nothing was sealed"):
        seal_split(many, {name: column[:: needed // 3] for name, column in cells.items()}, identities[: len(few)], few)


def test_a_split_of_another_format_is_refused() -> None:
    cells, identities, labels = data(50)
    sealed = seal_split(contract(FEATURES, HEAD), cells, identities, labels).to_json()
    with pytest.raises(DataError, match="format 3 is not one that this version reads"):
        SealedSplit.from_json(sealed.replace(b'"format": 2', b'"format": 3'))


# The newest share is the holdout

TIMED: Contract = contract(FEATURES, HEAD + 'group = "g"\ntime = "t"\n[training]\nsplit = "time"\n')
times_of = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 30)), min_size=1, max_size=30)


def by_time(
    rows: list[tuple[str, int]], not_before: np.datetime64 | None = None
) -> tuple[list[bool], np.datetime64, SealedSplit]:
    cells: Cells = {"g": [group for group, _ in rows], "x": [1] * len(rows), "c": ["a"] * len(rows)}
    identities = [str(row) for row in range(len(rows))]
    split = SealedSplit(rule="time", key="group", columns=("g",), missing=("",), salt="", share=0.2, time="t")
    days = np.array([np.datetime64("2026-01-01", "s") + np.timedelta64(day, "D") for _, day in rows])
    held, cutoff = split.holdout_by_time(split.keys(cells, identities), days, not_before)
    return held.tolist(), cutoff, split


@given(times_of)
def test_a_group_is_never_on_both_sides_of_the_cutoff(rows: list[tuple[str, int]]) -> None:
    held, cutoff, _ = by_time(rows)
    sides: dict[str, set[bool]] = {}
    for (group, day), side in zip(rows, held, strict=True):
        sides.setdefault(group, set()).add(side)
        if side:  # and nothing in the holdout is older than what train may know
            assert np.datetime64("2026-01-01", "s") + np.timedelta64(day, "D") >= cutoff
    assert all(len(both) == 1 for both in sides.values())


@given(times_of, times_of)
def test_with_more_data_the_cutoff_only_moves_forward_and_no_row_goes_from_train_to_holdout(
    rows: list[tuple[str, int]], more: list[tuple[str, int]]
) -> None:
    held, cutoff, split = by_time(rows)
    later, next_cutoff, same = by_time(rows + more, cutoff)
    assert same == split
    assert next_cutoff >= cutoff
    assert all(before or not after for before, after in zip(held, later[: len(rows)], strict=True))


def test_a_split_by_time_is_sealed_once_every_class_is_on_both_sides() -> None:
    days = np.datetime64("2026-01-01", "s") + np.arange(20) * np.timedelta64(1, "D")
    cells: Cells = {"g": [f"p{row}" for row in range(20)], "x": [1] * 20, "c": ["a"] * 20}
    identities = [str(row) for row in range(20)]
    labels = np.arange(20) % 2
    split = seal_split(TIMED, cells, identities, labels, days)
    assert (split.rule, split.time, split.key) == ("time", "t", "group")
    late = (np.arange(20) > 15).astype(np.int64)  # the holdout is all of the second class, and train of the first
    with pytest.raises(DataError, match=r"the holdout \(rows from 2026-01-17T00:00:00 on\) would have 'a': 0, 'b': 4"):
        seal_split(TIMED, cells, identities, late, days)


def test_the_newest_share_is_held_out() -> None:
    held, _, _ = by_time([(f"p{day}", day) for day in range(100)])
    assert held == [False] * 80 + [True] * 20
