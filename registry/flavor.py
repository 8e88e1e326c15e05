"""How a model is kept in MLflow: its ONNX graph, and beside it a python_function that takes raw records.

A flavour as MLflow knows it: a module with `save_model`. The code that reads and encodes records travels with the
model as source, so that who loads it needs MLflow, onnxruntime and pydantic, and no package of ours.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import mlflow.onnx
import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pydantic
from mlflow.models import Model
from mlflow.models.signature import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from mlflow.types.schema import AnyType

from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.contract.task import Classification, Regression
from andamio.errors import TrainingError
from andamio.names import PREPARE_FILE
from andamio.release import pyfunc

LOADER = "andamio.release.pyfunc"
MODULES = (
    "andamio/*.py",
    "andamio/contract/*.py",
    "andamio/prepare/__init__.py",
    "andamio/prepare/code.py",
    "andamio/prepare/rows.py",
    "andamio/records/*.py",
    "andamio/stats/__init__.py",
    "andamio/stats/conformal.py",
    "andamio/stats/metrics.py",
    "andamio/stats/rounding.py",
    "andamio/release/__init__.py",
    "andamio/release/answers.py",
    "andamio/release/model.py",
    "andamio/release/pyfunc.py",
    "andamio/release/threshold.py",
)
"""What `LOADER` imports, and what that imports."""
REQUIREMENTS = tuple(f"{module.__name__}=={module.__version__}" for module in (np, onnx, onnxruntime, pydantic))
ROOT = Path(__file__).parents[1]
SOURCES = "sources"
"""Where a bundle, whose modules are bytecode, has them as `PATH.txt` (infra/packing/recipes.py)."""


def save_model(
    path: str,
    mlflow_model: Model,
    *,
    body: bytes,
    contract: Contract,
    serving: Mapping[str, object],
    prepare: bytes | None = None,
) -> None:
    """Write the folder of a model: what MLflow's ONNX flavour writes, contract, `serving` and code.

    `serving` is the threshold of a classification, or the interval of a regression. With `prepare`, the prepare.py that
    the model was trained with, the columns are those that a client sends; without it they are the model's features.
    Raises `TrainingError` when the code is not there to be read.
    """
    sent = contract if prepare is None else contract.sent
    with tempfile.TemporaryDirectory() as folder:
        for name, source in code():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(source)
        mlflow.onnx.save_model(
            onnx.load_model_from_string(body),
            path,
            mlflow_model=mlflow_model,
            code_paths=[str(Path(folder, "andamio"))],
            signature=signature(sent),
            input_example=pd.DataFrame([dict.fromkeys(columns(sent)) | example_record(sent)]),
            pip_requirements=list(REQUIREMENTS),
            onnx_execution_providers=["CPUExecutionProvider"],
            save_as_external_data=False,
        )
    Path(path, pyfunc.CONTRACT).write_bytes(contract.to_json())
    Path(path, pyfunc.SERVING).write_text(json.dumps(serving))
    if prepare is not None:
        Path(path, PREPARE_FILE).write_bytes(prepare)
    function = mlflow_model.flavors["python_function"]
    function["loader_module"] = LOADER
    del function["data"]  # without it the loader is given the whole folder
    mlflow_model.save(str(Path(path, "MLmodel")))


def code() -> Iterator[tuple[str, bytes]]:
    """Name and source of each module that travels with a model."""
    for pattern in MODULES:
        found = {str(file.relative_to(ROOT)): file for file in ROOT.glob(pattern)}
        found |= {str(file.relative_to(ROOT / SOURCES))[:-4]: file for file in (ROOT / SOURCES).glob(f"{pattern}.txt")}
        if not found:
            raise TrainingError(f"The source of {pattern} is not there, which a registered model carries")
        yield from ((name, found[name].read_bytes()) for name in sorted(found))


def columns(contract: Contract) -> list[str]:
    """The raw columns of a model: its features, and [problem] time where there is one."""
    time = contract.problem.time
    return [*contract.inputs, *(() if time is None else (time,))]


def signature(contract: Contract) -> ModelSignature:
    """Raw columns in, the API's answer out.

    A column is of any type: MLflow would refuse an integer for a number and a number for a category, and the
    contract, which takes both, says more about a cell than a type of MLflow can. Every column is required, and one
    without values holds None: MLflow drops unknown columns before the model sees them, so that an optional column
    under a misspelt name would count as missing in every row.
    """
    anything = AnyType()  # type: ignore[no-untyped-call]
    inputs: list[ColSpec | TensorSpec] = [ColSpec(anything, name) for name in columns(contract)]
    outputs: list[ColSpec | TensorSpec] = []
    match contract.task:
        case Classification() as task:
            outputs += [ColSpec(DataType.string, name) for name in (pyfunc.LABEL, pyfunc.TEXT)]
            outputs += [ColSpec(DataType.double, pyfunc.PROBABILITY + key) for key in task.outputs]
        case Regression():
            outputs += [ColSpec(DataType.double, name) for name in ("value", "interval_low", "interval_high")]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
