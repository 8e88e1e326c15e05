"""Releases for tests: a small ONNX model for any contract, sealed and served like a real one.

objects = MemoryObjects()
version = serve(objects, HEART)                     # sealed, and champion by the pointer
version = serve(objects, HEART, onnx=linear_onnx(HEART, favour=1))
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from andamio.contract import Contract
from andamio.contract.task import Classification, Regression, Task
from andamio.records.encode import CATEGORIES, NUMBERS
from andamio.release.pointer import Change, PointerEntry, Strategy, read_pointer, swap_pointer
from andamio.release.release import seal
from andamio.release.samples import ReferenceRows
from andamio.storage.ports import Objects

ROOT = Path(__file__).parents[2]
HEART_FOLDER = ROOT / "problems" / "heart"
OPSETS = {"": 18, "ai.onnx.ml": 3}
SINCE = "2026-01-31T12:00:00+00:00"


def heart() -> Contract:
    """The contract of problems/heart."""
    return Contract.load(HEART_FOLDER)


def linear_onnx(
    contract: Contract,
    *,
    favour: int = -1,
    scale: float = 0.01,
    broken: bool = False,
    silent_above: float | None = None,
) -> bytes:
    """A multinomial logistic regression over a contract's tensors, missing values counted as 0, as ONNX bytes.

    Weights are drawn from a fixed seed, times `scale`; the class `favour` is made the likely one. With
    `broken`, every probability is NaN; so it is of a record whose first number is larger than `silent_above`.
    """
    random = np.random.default_rng(7)
    k, outputs = len(contract.number_columns), len(contract.task.outputs)
    nodes, inputs, parts, width = [], [], [], 0
    constants: dict[str, Any] = {}
    if k:
        inputs.append(helper.make_tensor_value_info(NUMBERS, TensorProto.FLOAT, [None, k]))
        constants["zero"] = np.zeros(1, dtype=np.float32)
        nodes += [
            helper.make_node("IsNaN", [NUMBERS], ["absent"]),
            helper.make_node("Where", ["absent", "zero", NUMBERS], ["filled"]),
        ]
        parts.append("filled")
        width += k
    listed = [feature.values or {} for feature in contract.inputs.values() if feature.type == "category"]
    if listed:
        inputs.append(helper.make_tensor_value_info(CATEGORIES, TensorProto.STRING, [None, len(listed)]))
    for column, values in enumerate(listed):
        constants[f"at{column}"] = np.array([column], dtype=np.int64)
        nodes += [
            helper.make_node("Gather", [CATEGORIES, f"at{column}"], [f"text{column}"], axis=1),
            helper.make_node(
                "OneHotEncoder",
                [f"text{column}"],
                [f"hot{column}"],
                domain="ai.onnx.ml",
                cats_strings=list(values),
                zeros=1,
            ),
            helper.make_node("Flatten", [f"hot{column}"], [f"flat{column}"], axis=1),
        ]
        parts.append(f"flat{column}")
        width += len(values)
    bias = np.full(outputs, _middle(contract.task), dtype=np.float32)
    if favour >= 0:
        bias[favour] = 10.0
    if broken:
        bias[:] = np.nan
    constants["weights"] = (random.normal(size=(width, outputs)) * scale).astype(np.float32)
    constants["bias"] = bias
    nodes += [
        helper.make_node("Concat", parts, ["row"], axis=1),
        helper.make_node("Gemm", ["row", "weights", "bias"], ["scores"]),
        _last_node(contract.task, contract.task.tensor if silent_above is None else "said"),
    ]
    if silent_above is not None:
        constants |= {"first": np.array([0], dtype=np.int64), "limit": np.array([silent_above], dtype=np.float32)}
        constants["nan"] = np.array([np.nan], dtype=np.float32)
        nodes += [
            helper.make_node("Gather", [NUMBERS, "first"], ["number"], axis=1),
            helper.make_node("Greater", ["number", "limit"], ["silent"]),
            helper.make_node("Where", ["silent", "nan", "said"], [contract.task.tensor]),
        ]
    graph = helper.make_graph(
        nodes,
        "linear",
        inputs,
        [helper.make_tensor_value_info(contract.task.tensor, TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _middle(task: Task) -> float:
    match task:
        case Classification():
            return 0.0
        case Regression():
            return 4.0 if task.log else 100.0


def _last_node(task: Task, name: str) -> onnx.NodeProto:
    match task:
        case Classification():
            return helper.make_node("Softmax", ["scores"], [name], axis=1)
        case Regression():
            return helper.make_node("Exp" if task.log else "Identity", ["scores"], [name])


def reference_document(contract: Contract, rows: int = 40) -> ReferenceRows:
    """Reference rows in the shape that training writes: values drawn within each feature's range, some missing."""
    random = np.random.default_rng(11)
    columns: dict[str, list[Any]] = {}
    for name, feature in contract.inputs.items():
        if feature.private:
            continue
        values: list[Any]
        if feature.type == "category":
            values = random.choice(list(feature.values or ["a"]), rows).tolist()
        elif feature.type == "date":
            values = [f"20{year:02}-0{year % 9 + 1}-1{year % 10}" for year in random.integers(0, 25, rows)]
        elif feature.type == "boolean":
            values = random.integers(0, 2, rows).astype(float).tolist()
        else:
            low = 0 if feature.min is None else feature.min
            high = low + 100 if feature.max is None else feature.max
            values = np.round(random.uniform(low, high, rows)).tolist()
        if not feature.required:
            values[:: rows // 4 + 1] = [None] * len(values[:: rows // 4 + 1])
        columns[name] = values
    timed = contract.problem.time is not None and any(contract.inputs[name].type == "date" for name in columns)
    return ReferenceRows(rows, columns, ("2026-06-01",) * rows if timed else None)


def release_files(
    contract: Contract, onnx: bytes | None = None, changed: Mapping[str, bytes] | None = None
) -> dict[str, bytes]:
    """Every file of a release, in the shape that training writes; `changed` replaces some of them."""
    classes = isinstance(contract.task, Classification)
    metrics = ("roc_auc", "accuracy") if classes else ("rmse", "mae")
    figures = {name: {"value": 0.9, "low": 0.8, "high": 0.95} for name in metrics}
    evaluation = {
        "run": "run-1",
        "dataset": "data-1",
        "metric": metrics[0],
        "metrics": figures,
        "rows": 60,
        **({"threshold": 0.5} if classes else {}),
    }
    files = {
        "MLmodel": b"flavors: {}\n",
        "model.onnx": linear_onnx(contract) if onnx is None else onnx,
        "contract.json": contract.to_json(),
        "profile.json": b"{}",
        "reference.json": reference_document(contract).to_json(),
        "out_of_fold.json": b"{}",
        "evaluation.json": json.dumps(evaluation).encode(),
        "decision.json": json.dumps({"outcome": "promote", "reason": "better than the majority class"}).encode(),
    }
    return files | dict(changed or {})


def sealed_with(contract: Contract, threshold: float = 0.5) -> dict[str, object]:
    """What a release seals beside its graph: a threshold, or the margins of intervals."""
    match contract.task:
        case Classification():
            return {"threshold": threshold}
        case Regression() as task:
            low, high = (0.5, 2.0) if task.log else (-40.0, 60.0)
            return {
                "interval": {
                    "level": task.level,
                    "low": low,
                    "high": high,
                    "scale": "log" if task.log else "linear",
                    "widths": [[100.0, 0.5], [200.0, 1.5]],
                }
            }


def seal_release(
    objects: Objects,
    contract: Contract,
    onnx: bytes | None = None,
    *,
    threshold: float = 0.5,
    changed: Mapping[str, bytes] | None = None,
    ignored: Sequence[str] = (),
    info: Mapping[str, object] | None = None,
) -> str:
    """Write a release and return its version; `info` replaces what it is sealed with."""
    said: dict[str, object] = {"problem": contract.problem.name, "run": "run-1", "dataset": "data-1"}
    said |= {"ignored": list(ignored), **sealed_with(contract, threshold), **(info or {})}
    return seal(objects, release_files(contract, onnx, changed), said)


def promote(objects: Objects, problem: str, version: str, since: str = SINCE) -> int:
    """Make a release the champion, whatever it is; returns the pointer's revision."""
    pointer, etag = read_pointer(objects, problem)
    promoted = pointer.promoted(PointerEntry(version, since, "run-1"))
    swap_pointer(objects, promoted, etag)
    return promoted.revision


def challenge(
    objects: Objects, problem: str, version: str, strategy: Strategy = "canary", share: float = 0.1, since: str = SINCE
) -> str:
    """Make a release the challenger; returns the name of the trial."""
    pointer, etag = read_pointer(objects, problem)
    before = None if pointer.champion is None else pointer.champion.release
    change = Change("challenged", since, "the gate", "it is better", before, version, "run-2")
    challenged = pointer.challenged(PointerEntry(version, since, "run-2"), strategy, share, change)
    swap_pointer(objects, challenged, etag)
    return str(challenged.rollout)


def serve(objects: Objects, contract: Contract, onnx: bytes | None = None, *, threshold: float = 0.5) -> str:
    """Seal a release and make it the champion; returns its version."""
    version = seal_release(objects, contract, onnx, threshold=threshold)
    promote(objects, contract.problem.name, version)
    return version
