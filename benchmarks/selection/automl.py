"""FLAML beside a run's search: the same train rows and the same processor time on one core."""

from __future__ import annotations

import json
import subprocess
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from andamio.release.model import Model
from benchmarks.selection import splits
from benchmarks.selection.rules import adopted
from benchmarks.selection.splits import Floats, Split, sides
from benchmarks.selection.tables import CACHE, RealTable, Source, load, uv
from training import calibrate, export
from training.documents import TrialSpec
from training.evaluate.evaluate import latency_ms
from training.rows import encode_rows, seal
from training.trials.trial import fit_spec

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
    told_file = CACHE / f"{splits.path(source, number, rows).stem}-flaml.json"
    if not told_file.exists():
        _run(source, split, rows, told_file)
    told = json.loads(told_file.read_text(encoding="utf-8"))
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


def _run(source: Source, split: Split, rows: int, told_file: Path) -> None:
    table = load(source)
    sides_of = sides(table, split.number, rows)
    files = [told_file.with_suffix(f".{side}.csv") for side in ("train", "test")]
    for file, side in zip(files, sides_of, strict=True):
        _frame(table, side, labelled=side is sides_of[0]).to_csv(file, index=False)
    metric = split.metric if split.positive >= 0 else "roc_auc_ovr"
    alone = [uv(), "run", "--no-project", "--quiet", "--with", FLAML, "python", str(SCRIPT)]
    subprocess.run([*alone, *map(str, files), f"{split.seconds:.1f}", metric, str(told_file)], check=True)
    told = json.loads(told_file.read_text(encoding="utf-8"))
    told["own_bytes"], told["own_latency_ms"] = _served(table, split, sides_of)
    told_file.write_text(json.dumps(told), encoding="utf-8")
    for file in files:
        file.unlink()


def _frame(table: RealTable, rows: np.ndarray, *, labelled: bool) -> pd.DataFrame:
    inputs = table.contract.inputs
    columns = table.take(rows)
    named = {f"text:{name}" if feature.type == "category" else name: columns[name] for name, feature in inputs.items()}
    return pd.DataFrame({**named, **({"label": table.labels[rows]} if labelled else {})})


def _served(table: RealTable, split: Split, sides_of: Sequence[np.ndarray]) -> tuple[int, float]:
    """Bytes and milliseconds a record of what the adopted rule would serve."""
    columns = table.take(sides_of[0])
    contract = seal(table.contract, columns)
    train = encode_rows(contract, columns, version="benchmark")
    test = encode_rows(contract, table.take(sides_of[1]), version="benchmark")
    chosen = adopted(split)
    spec = TrialSpec(**{name: chosen.figures[name] for name in TrialSpec.model_fields})
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = fit_spec(contract, train.encoded, train.labels, spec, splits.SEED)
    curve = calibrate.fit(chosen.out_of_fold, train.labels, contract.positive_index)
    onnx = calibrate.attach(export.to_onnx(fitted), curve, contract.positive_index)
    return len(onnx), latency_ms(Model(contract, onnx), test.encoded)
