"""The columns of a registered model: MLflow passes none under a misspelt name, and none is missing unnoticed."""

from __future__ import annotations

from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model as MlflowModel

from andamio.contract import Contract
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.model import Model
from registry import flavor
from tests.support.machine import SMALL
from tests.support.releases import linear_onnx

SEEN = Contract.from_toml(SMALL.replace('id = "patient"', 'time = "seen"'))
RECORD = {"age": 50, "weight": 70.5, "colour": "red", "seen": "2026-03-01"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("registered") / "model")
    flavor.save_model(path, MlflowModel(), body=linear_onnx(SEEN), contract=SEEN, serving={"threshold": 0.5})
    return path


@pytest.mark.parametrize(("name", "slip"), [("colour", "Colour"), ("colour", "color"), ("seen", "Seen")])
def test_an_optional_column_under_another_name_is_refused(folder: str, name: str, slip: str) -> None:
    frame = pd.DataFrame([RECORD]).rename(columns={name: slip})
    with pytest.raises(MlflowException, match=rf"missing inputs \['{name}'\].*extra inputs: \['{slip}'\]"):
        mlflow.pyfunc.load_model(folder).predict(frame)


def test_a_column_of_none_is_an_absent_one_of_the_api(folder: str) -> None:
    frame = pd.DataFrame([RECORD | {"colour": None, "seen": None}])
    found = mlflow.pyfunc.load_model(folder).predict(frame)
    absent: dict[str, Any] = {name: RECORD[name] for name in ("age", "weight")}
    expected = Model(SEEN, linear_onnx(SEEN)).predict(encode(SEEN, parse_records(SEEN, [absent])))
    assert np.abs(found[["probability_no", "probability_yes"]].to_numpy() - expected).max() <= 1e-6


def test_the_example_has_every_column(folder: str) -> None:
    model = MlflowModel.load(folder)
    example = model.load_input_example(folder)
    assert list(example.columns) == ["age", "weight", "colour", "seen"]
    assert len(mlflow.pyfunc.load_model(folder).predict(example)) == 1
