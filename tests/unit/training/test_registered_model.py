"""The columns of a registered model: MLflow passes none under a misspelt name, and none is missing unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import Model as MlflowModel

from andamio.contract import Contract
from andamio.errors import InvalidRecord, ReleaseError
from andamio.prepare.rows import prepared
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.model import Model
from registry import flavor
from registry.mlflow import deployed_prepare
from tests.support.machine import SMALL
from tests.support.own_code import PREPARE, problem
from tests.support.releases import linear_onnx

SEEN = Contract.from_toml(SMALL.replace('id = "patient"', 'time = "seen"'))
SENT = {"rate": "85%", "built": "1990-01-01", "beds": 2, "kind": "flat", "seen": "2026-01-01"}
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


# With code of one's own


def with_code(path: Path, source: str = PREPARE, sealed: Contract | None = None) -> str:
    contract, _ = problem(source)
    kept = sealed or contract
    body, serving = linear_onnx(contract), {"threshold": 0.5}
    flavor.save_model(str(path), MlflowModel(), body=body, contract=kept, serving=serving, prepare=source.encode())
    return str(path)


def test_a_model_with_a_prepare_py_takes_the_columns_that_are_sent(tmp_path: Path) -> None:
    contract, code = problem()
    model = mlflow.pyfunc.load_model(with_code(tmp_path / "model"))
    assert model.metadata.get_input_schema().input_names() == ["rate", "beds", "kind", "built", "seen"]
    found = model.predict(pd.DataFrame([SENT, SENT | {"rate": None, "beds": 7}]))
    records = [SENT, {**SENT, "beds": 7, "rate": None}]
    table = prepared(contract, code, parse_records(contract.sent, records))
    expected = Model(contract, linear_onnx(contract)).predict(encode(contract, table))
    assert np.abs(found[["probability_no", "probability_yes"]].to_numpy() - expected).max() <= 1e-6
    with pytest.raises(InvalidRecord, match="expected a share such as 85%"):
        model.predict(pd.DataFrame([SENT | {"rate": "half"}]))


def test_a_prepare_py_that_was_changed_in_the_folder_of_a_model_is_refused(tmp_path: Path) -> None:
    folder = with_code(tmp_path / "model", PREPARE.replace("+ 1", "+ 2"), sealed=problem()[0])
    with pytest.raises(ReleaseError, match="is not the file that this model was trained with"):
        mlflow.pyfunc.load_model(folder)


def test_a_prepare_py_that_was_changed_is_not_run_before_it_is_refused(tmp_path: Path) -> None:
    folder, mark = Path(with_code(tmp_path / "model")), tmp_path / "run"
    (folder / "prepare.py").write_text(f"open({str(mark)!r}, 'w').close()\n{PREPARE}")
    with pytest.raises(ReleaseError, match="is not the file that this model was trained with"):
        mlflow.pyfunc.load_model(str(folder))
    assert not mark.exists()


def test_only_the_prepare_py_that_a_model_was_trained_with_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    contract, _ = problem()
    for deployed, goes in ((PREPARE.encode(), True), (PREPARE.replace("+ 1", "+ 2").encode(), False), (None, False)):
        monkeypatch.setattr("registry.mlflow.deployed_source", lambda deployed=deployed: deployed)
        assert deployed_prepare(contract) == (deployed if goes else None)
        assert deployed_prepare(SEEN) is None
