"""A scaler fitted on all rows knows the holdout: the function that trains cannot read one until it evaluates."""

from __future__ import annotations

from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.version import read_columns
from andamio.errors import TrainingError
from andamio.storage import layout
from lambdas.train import handler as function
from tests.support.datasets import HEART_FOLDER, heart_cells, publish
from training import fit, plan
from training.lake_without_holdout import LakeWithoutHoldout
from training.trials import trial

HEART = Contract.load(HEART_FOLDER)


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> function.Buckets:
    there = function.Buckets(MemoryObjects("lake"), MemoryObjects("models"))
    publish(there.lake, HEART, heart_cells())
    monkeypatch.setattr(function, "connect", lambda: there)
    monkeypatch.setattr(function, "problem", lambda: HEART)
    return there


def test_train_is_seen_and_a_holdout_is_not(buckets: function.Buckets) -> None:
    seen = LakeWithoutHoldout(buckets.lake)
    (version,) = {info.key.split("/")[1] for info in seen.list(layout.DATASETS) if info.key.endswith(".npz")}
    assert len(read_columns(seen, version, "train")["age"]) == 242
    with pytest.raises(TrainingError, match="before the evaluation"):
        read_columns(seen, version, "holdout")
    assert len(read_columns(buckets.lake, version, "holdout")["age"]) == 61


@pytest.mark.parametrize(
    ("event", "module"),
    [
        ({"step": "plan", "input": {}}, plan),
        ({"step": "trial", "run": "r", "trial": "t", "round": 0}, trial),
        ({"step": "fit", "run": "r"}, fit),
    ],
)
def test_a_scaler_fitted_on_all_rows_is_caught(
    buckets: function.Buckets, monkeypatch: pytest.MonkeyPatch, event: dict[str, Any], module: Any
) -> None:
    def scaled_on_all_rows(lake: Any, *args: Any, **kwargs: Any) -> Any:
        version = next(info.key.split("/")[1] for info in lake.list(layout.DATASETS) if info.key.endswith(".npz"))
        rows = [value for side in ("train", "holdout") for value in read_columns(lake, version, side)["age"]]
        raise AssertionError(f"a scaler learned {sum(rows) / len(rows)} from rows that the model is judged on")

    monkeypatch.setattr(module, event["step"], scaled_on_all_rows)
    with pytest.raises(TrainingError, match=r"holdout\.npz was asked for before the evaluation"):
        function.handler(event, None)
