"""FLAML beside a run's search: the same train rows and the same processor time on one core."""

from __future__ import annotations

import json
import subprocess
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from andamio.release.model import Model
from benchmarks.training.selection import splits
from benchmarks.training.selection.rules import adopted
from benchmarks.training.selection.splits import Floats, Split, sides
from benchmarks.training.selection.tables import CACHE, RealTable, Source, load, uv
from training import calibrate, export
from training.documents import TrialSpec
from training.evaluate.evaluate import latency_ms
from training.families.trainable import fit_spec
from training.rows import encode_rows, seal

Rows = NDArray[np.int64]

FLAML = "flaml[automl]==2.7.0"
SCRIPT = Path(__file__).with_name("flaml_alone.py")


@dataclass(frozen=True, slots=True)
class Contest:
    """One split: what FLAML found, and what the adopted rule would serve; sizes in bytes, times in milliseconds."""

    split: Split
    estimator: str
    probabilities: Floats
    seconds: float
    size: int
    latency: float
    own_size: int
    own_latency: float


def contest(source: Source, number: int, rows: int) -> Contest:
    """Run FLAML on a split that is in the cache, once, and time both models."""
    split = splits.read(splits.path(source, number, rows))
    file = told_file(source, number, rows)
    if not file.exists():
        _run(source, split, rows, file)
    told = json.loads(file.read_text(encoding="utf-8"))
    return Contest(
        split=split,
        estimator=told["estimator"],
        probabilities=np.array(told["probabilities"])[:, np.argsort(told["classes"])],
        seconds=told["seconds"],
        size=told["bytes"],
        latency=told["latency_ms"],
        own_size=told["own_bytes"],
        own_latency=told["own_latency_ms"],
    )


def told_file(source: Source, number: int, rows: int) -> Path:
    """What FLAML found on a split."""
    return CACHE / f"{splits.path(source, number, rows).stem}-flaml.json"


def _run(source: Source, split: Split, rows: int, file: Path) -> None:
    table = load(source)
    train, test = sides(table, split.number, rows)
    train_file, test_file, found = (file.with_suffix(f".{part}") for part in ("train.csv", "test.csv", "part"))
    _frame(table, train).assign(label=table.labels[train]).to_csv(train_file, index=False)
    _frame(table, test).to_csv(test_file, index=False)
    metric = split.metric if split.positive >= 0 else "roc_auc_ovr"
    alone = [uv(), "run", "--no-project", "--quiet", "--with", FLAML, "python", str(SCRIPT)]
    if not found.exists():
        arguments = [str(train_file), str(test_file), f"{split.seconds:.1f}", metric, str(found)]
        subprocess.run([*alone, *arguments], check=True, stdout=subprocess.DEVNULL)
    told = json.loads(found.read_text(encoding="utf-8"))
    told["own_bytes"], told["own_latency_ms"] = _served(table, split, train, test)
    file.write_text(json.dumps(told), encoding="utf-8")
    for each in (train_file, test_file, found):
        each.unlink()


def _frame(table: RealTable, rows: Rows) -> pd.DataFrame:
    columns = table.take(rows)
    inputs = table.contract.inputs
    names = {name: f"text_{name}" if feature.type == "category" else name for name, feature in inputs.items()}
    return pd.DataFrame({shown: columns[name] for name, shown in names.items()})


def _served(table: RealTable, split: Split, train_rows: Rows, test_rows: Rows) -> tuple[int, float]:
    """Bytes and milliseconds a record of what the adopted rule would serve."""
    columns = table.take(train_rows)
    contract = seal(table.contract, columns)
    train = encode_rows(contract, columns, version="benchmark")
    test = encode_rows(contract, table.take(test_rows), version="benchmark")
    chosen = adopted(split)
    spec = TrialSpec(**{name: chosen.figures[name] for name in TrialSpec.model_fields if name in chosen.figures})
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = fit_spec(contract, train.encoded, train.labels, spec, splits.SEED)
    curve = calibrate.fit(chosen.out_of_fold, train.labels, contract.positive_index)
    onnx = calibrate.attach(export.to_onnx(fitted), curve, contract.positive_index)
    return len(onnx), latency_ms(Model(contract, onnx), test.encoded)
