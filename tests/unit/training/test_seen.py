"""The gate compares on no row that the champion was trained on and the candidate was not."""

from __future__ import annotations

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.storage import layout
from rollout.retraining.records import keep
from tests.support.datasets import HEART_FOLDER, SPLIT, heart_cells, publish
from tests.support.releases import linear_onnx, promote, seal_release
from tests.support.runs import evaluated
from tests.unit.etl.test_captured_sides import lake_of, records
from training.evaluate.decide import decide
from training.evaluate.seen import by_champion_alone
from training.run import candidate_file

HEART = Contract.load(HEART_FOLDER)
COUNT = 40


@pytest.mark.parametrize("key", ["id", "features"])
@pytest.mark.parametrize("again", [False, True])
def test_a_captured_record_that_a_raw_row_takes_to_the_holdout_is_one_that_the_champion_was_trained_on(
    key: str, *, again: bool
) -> None:
    lake = lake_of(key)
    own = [(f"n{n}", 100.0 + n) for n in range(COUNT)]
    keep(lake, lake.contract, records(0, own))
    before = lake.run()["version"]
    if again:  # the same records are predicted anew: their rows have other identities
        keep(lake, lake.contract, records(COUNT, own))
    # As a person writes them: by other ids, and in a spelling that no capture has.
    lake.drop(
        "later.csv",
        "visit,size,on,kind",
        *(f"m{n},{100 + n}.0,{'no' if n % 2 == 0 else 'yes'},a" for n in range(COUNT)),
    )
    now = lake.run()["version"]
    was, held = lake.side(before, "train")["size"], dataset.read_columns(lake, now, "holdout")
    moved = np.isin(held["size"], was) & (held["size"] >= 100)
    assert moved.sum() >= 4, "records and the raw rows of the same values"
    assert by_champion_alone(lake, lake.contract, before, now, held).tolist() == moved.tolist()
    assert not by_champion_alone(lake, lake.contract, now, now, held).any()
    assert not by_champion_alone(lake, lake.contract, "0123456789abcdef", now, held).any(), "nobody knows"


def test_a_raw_row_that_takes_the_place_of_its_record_is_known_by_its_id() -> None:
    """Its values are others now: the champion knows an earlier visit of the same patient."""
    lake = lake_of("id")
    keep(lake, lake.contract, records(0, [("first", 100.0), *((f"n{n}", 100.0) for n in range(COUNT))]))
    before = lake.run()["version"]
    lake.drop("later.csv", "visit,size,on,kind", *(f"n{n},{200 + n}.0,no,a" for n in range(COUNT)))
    now = lake.run()["version"]
    held = dataset.read_columns(lake, now, "holdout")
    assert "first" in lake.side(before, "train")["visit"], "and so all that equal it: the salt is the same ever"
    expected = [name.startswith("n") for name in held["visit"]]
    assert by_champion_alone(lake, lake.contract, before, now, held).tolist() == expected
    assert any(expected)


def test_rows_that_are_equal_by_chance_are_compared_on_for_both_models_saw_one() -> None:
    lake = lake_of("row")
    before = lake.run()["version"]
    lake.drop("later.csv", "visit,size,on,kind", *(f",{n % 5}.0,{'yes' if n % 2 else 'no'},a" for n in range(30)))
    now = lake.run()["version"]
    held = dataset.read_columns(lake, now, "holdout")
    assert np.isin(held["size"], lake.side(before, "train")["size"]).all()
    assert not by_champion_alone(lake, lake.contract, before, now, held).any()


def judged(moved: int) -> tuple[int, int, str]:
    """How many rows were compared on, how many were left out, and the reason; so many rows came from train."""
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    cells = heart_cells()
    rows = len(cells["age"])
    held = np.arange(rows) % 5 == 0
    publish(lake, HEART, cells, holdout=held.tolist())
    before = held.copy()
    before[np.flatnonzero(held)[:moved]] = False
    old = publish(lake, HEART, cells, holdout=before.tolist(), current=False)
    run, _ = evaluated(lake, models, HEART)
    info, name = {"dataset": old, "split": SPLIT}, "out_of_fold.json"
    scores = {name: models.get(layout.run(run, candidate_file(name))).body}
    promote(models, "heart", seal_release(models, HEART, linear_onnx(HEART), info=info, changed=scores))
    decision = decide(lake, models, run)
    return decision.rows, decision.rows_champion_was_trained_on, decision.reason


def test_the_gate_leaves_such_rows_out_and_says_so() -> None:
    assert judged(0)[:2] == (61, 0)
    rows, left_out, reason = judged(5)
    assert (rows, left_out) == (56, 5)
    assert "5 holdout rows were left out: the champion was trained on that data, and this model was not." in reason


def test_where_the_champion_was_trained_on_all_of_the_holdout_out_of_fold_scores_are_compared() -> None:
    rows, left_out, reason = judged(60)
    assert (rows, left_out) == (1, 60)
    assert "the gate needs at least 10 of each" in reason
    assert judged(61)[:2] == (0, 61)
