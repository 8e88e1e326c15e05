"""The model that is scored with: trained, exported, calibrated and sealed by the project's own code.

    python -m benchmarks.batch.release FOLDER gradient_boosting|logistic_regression

Writes a release under FOLDER/models, and beside it what the other contestants score with: the same graph as models of
MLflow's ONNX flavour (FOLDER/pyfunc, FOLDER/one-thread) and what scikit-learn fitted (FOLDER/pipeline.pickle).
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.task import PROBABILITIES
from andamio.dataset import version as dataset
from andamio.records.encode import CATEGORIES, NUMBERS, Encoded, encode
from andamio.records.parse import parse
from andamio.release import release as releases
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from benchmarks.batch import generate
from benchmarks.batch.folder import PROBLEM, FolderObjects
from tests.support.releases import release_files
from training import calibrate, export
from training.documents import ScoredTrial, TrialSpec
from training.fit import Exported, try_exports
from training.rows import encode_rows
from training.trials.folds import repeated
from training.trials.trial import cross_validate

TRAINED_ON = 4_000
SEED = 7
PARAMS: dict[str, dict[str, Any]] = {"gradient_boosting": {"n_estimators": 100}, "logistic_regression": {}}
SINCE = "2026-01-31T12:00:00+00:00"


def main() -> None:
    """Train the family and serve it out of the folder."""
    folder, family = Path(sys.argv[1]), sys.argv[2]
    contract, exported = train(family)
    version = sealed(folder, contract, exported)
    save_model(contract, exported.onnx, folder / "pyfunc")
    save_model(contract, exported.onnx, folder / "one-thread", {"intra_op_num_threads": 1, "inter_op_num_threads": 1})
    curve = exported.calibration
    kept = {"pipeline": exported.fitted.pipeline, "calibration": curve, "positive": contract.positive_index}
    (folder / "pipeline.pickle").write_bytes(pickle.dumps(kept))
    print(f"release {version}: {family}, {len(exported.onnx) / 1024:.0f} KB, calibrated by {curve.kind}")


def train(family: str) -> tuple[Contract, Exported]:
    """Cross-validate, calibrate, fit and export, with the proof of parity that any release needs."""
    contract = Contract.load(PROBLEM)
    columns, gone, labels = generate.block(0)
    cells: dict[str, Any] = {}
    for name, column in columns.items():
        values = column[:TRAINED_ON].astype(np.float64)
        if name in gone:
            values[gone[name][:TRAINED_ON]] = np.nan
        cells[name] = values
    cells[contract.problem.target] = [str(label) for label in labels[:TRAINED_ON].tolist()]
    cells[dataset.KEY] = [f"{row:016x}" for row in range(TRAINED_ON)]
    rows = encode_rows(contract, cells, version="benchmark")
    spec = TrialSpec(id="t1", family=family, params=PARAMS[family], simplicity=0, round=1)
    found = cross_validate(contract, rows, spec, SEED, repeated(rows.labels, rows.keys, contract.classes, SEED, 1))
    trial = ScoredTrial(**spec.model_dump(), **found.figures(), metric=contract.training.metric, scores="", seconds=0.0)
    exported, attempts = try_exports(
        contract, rows, [trial], lambda _: found.out_of_fold, SEED, export.to_onnx, calibrate.attach
    )
    if exported is None:
        raise SystemExit(f"{family} was not exported: {attempts}")
    return contract, exported


def sealed(folder: Path, contract: Contract, exported: Exported) -> str:
    """Seal and promote; returns the version."""
    models = FolderObjects(folder / "models")
    info = {"problem": contract.problem.name, "run": "benchmark", "dataset": "benchmark", "threshold": 0.5}
    files = release_files(contract, exported.onnx)
    version = releases.seal(models, files, info)
    pointer, etag = read_pointer(models, contract.problem.name)
    swap_pointer(models, pointer.promoted(PointerEntry(version, SINCE, "benchmark")), etag)
    return version


def save_model(contract: Contract, graph: bytes, folder: Path, session: Mapping[str, int] | None = None) -> None:
    """Save as MLflow's ONNX flavour does; `session` says how many threads onnxruntime is given, its own choice else."""
    import mlflow.onnx
    import onnx
    from mlflow.models.signature import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    numbers, categories = len(contract.number_columns), len(contract.category_columns)
    inputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(np.float32), (-1, numbers), NUMBERS),
        TensorSpec(np.dtype(np.str_), (-1, categories), CATEGORIES),
    ]
    output = TensorSpec(np.dtype(np.float32), (-1, len(contract.classes)), PROBABILITIES)
    mlflow.onnx.save_model(
        onnx.load_model_from_string(graph),
        str(folder),
        signature=ModelSignature(inputs=Schema(inputs), outputs=Schema([output])),
        pip_requirements=[],
        onnx_execution_providers=["CPUExecutionProvider"],
        onnx_session_options=session,
        save_as_external_data=False,
    )


def tensors(contract: Contract, rows: int) -> Encoded:
    """The first rows of the file as the model's tensors, encoded by the contract (at most one block)."""
    table = next(generate.tables(rows))
    cells = {name: column.to_pylist() for name, column in zip(table.column_names, table.columns, strict=True)}
    return encode(contract, parse(contract, cells, table.num_rows, text=False))


if __name__ == "__main__":
    main()
