"""Probabilities that mean something: a smooth, increasing curve over a model's scores, and its twin in ONNX.

Two classes: Platt scaling, `sigmoid(a * logit(p) + b)` (Platt 1999, with his smoothed targets; Newton's
method as in Lin, Lin & Weng 2007). More: a temperature, `softmax(log(p) / t)` (Guo et al. 2017). Fitted on
out-of-fold scores alone: a model is surer of the rows that it was fitted on.

The order of the scores never turns round. Where a curve cannot be had, there is none, and it says why.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import checker, helper, numpy_helper

from andamio.contract.task import PROBABILITIES
from training.documents import CalibrationResult

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]

MIN_SLOPE = 0.02
"""A flatter curve than this says that the scores hardly tell the classes apart: in float32 it would merge them."""
MIN_ROWS = 5
"""Of each class: two numbers are fitted."""
_STEEPEST = 50.0
"""How much a curve may stretch a difference between two probabilities: float32 has 6e-8 near 1, parity asks 1e-5."""
_CLIP = 1e-6
_STEPS, _CONVERGED = 100, 1e-10
RAW = "raw_" + PROBABILITIES


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted curve; `clip` is how near to 0 and 1 a probability may come before it is taken."""

    kind: Literal["platt", "temperature", "none"]
    a: float = 1.0
    b: float = 0.0
    t: float = 1.0
    clip: float = _CLIP
    why: str = ""

    def apply(self, probabilities: NDArray[np.floating], positive: int) -> Floats:
        """Calibrated probabilities `[rows, classes]`; `positive` is the positive class of two."""
        p = np.asarray(probabilities, dtype=np.float64)
        if self.kind == "none":
            return p
        clipped = np.clip(p, *self.ends)
        if self.kind == "temperature":
            raised = np.log(clipped) / self.t
            weights = np.exp(raised - raised.max(axis=1, keepdims=True))
            calibrated: Floats = weights / weights.sum(axis=1, keepdims=True)
            return calibrated
        q = _sigmoid(self.a * logit(clipped[:, positive]) + self.b)
        return np.column_stack([1 - q, q] if positive == 1 else [q, 1 - q])

    @property
    def ends(self) -> tuple[float, float]:
        """The smallest and the largest probability that is told apart: numbers that float32 has."""
        high = 1.0 if self.kind == "temperature" else float(np.float32(1 - self.clip))
        return float(np.float32(self.clip)), high

    def result(self) -> CalibrationResult:
        """For `fit.json`: the kind and its own numbers."""
        if self.kind == "platt":
            return CalibrationResult(kind="platt", a=self.a, b=self.b, clip=self.clip)
        if self.kind == "temperature":
            return CalibrationResult(kind="temperature", t=self.t, clip=self.clip)
        return CalibrationResult(kind="none", why=self.why)


Attach = Callable[[bytes, Calibration, int], bytes]


def fit(out_of_fold: Floats, labels: NDArray[Any], positive: int) -> Calibration:
    """Fit a curve to out-of-fold probabilities `[rows, classes]`; `positive` is -1 for more than two classes.

    Numbers `[rows, 1]`, whose labels are numbers too, have none.
    """
    if labels.dtype.kind == "f":
        return _none("a regression has no probabilities")
    counts = np.bincount(labels, minlength=out_of_fold.shape[1])
    if counts.min() < MIN_ROWS:
        return _none(f"a class has {counts.min()} rows in train, and {MIN_ROWS} of each are needed")
    return _temperature(out_of_fold, labels) if positive < 0 else _platt(out_of_fold[:, positive], labels == positive)


def _platt(scores: Floats, truth: NDArray[np.bool_]) -> Calibration:
    x = logit(np.clip(scores, _CLIP, 1 - _CLIP))
    ups, downs = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (ups + 1) / (ups + 2), 1 / (downs + 2))
    found = _newton(x, target)
    if found is None:
        return _none("the fit of the curve did not come to an end")
    a, b = found
    if a < MIN_SLOPE:
        return _none(f"a higher score does not mean a likelier class out of fold (slope {a:.3g})")
    return Calibration("platt", a=a, b=b, clip=_clip(a, b))


def _newton(x: Floats, target: Floats) -> tuple[float, float] | None:
    """Slope and intercept of the logistic regression of soft targets on x; None when it does not converge."""
    design = np.column_stack([x, np.ones(len(x))])

    def loss(w: Floats) -> float:
        z = design @ w
        return float(np.sum(np.logaddexp(0, z) - target * z))

    w = np.array([0.0, math.log(target.mean() / (1 - target.mean()))])
    before = loss(w)
    for _ in range(_STEPS):
        q = _sigmoid(design @ w)
        gradient = design.T @ (q - target)
        if np.abs(gradient).max() < _CONVERGED * len(x):
            return float(w[0]), float(w[1])
        hessian = design.T @ (design * (q * (1 - q))[:, None]) + 1e-12 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        while loss(w - step) > before and np.abs(step).max() > _CONVERGED:
            step /= 2
        w, last, before = w - step, before, loss(w - step)
        if abs(last - before) <= _CONVERGED * len(x) and np.abs(step).max() < 1e-6:
            return float(w[0]), float(w[1])
    return None


def _temperature(scores: Floats, labels: Labels) -> Calibration:
    """The t that maximises the likelihood: it is concave in 1/t, so a bracket that halves finds it."""
    logs = np.log(np.clip(scores, _CLIP, 1.0))
    own = logs[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        raised = inverse * logs
        weights = np.exp(raised - raised.max(axis=1, keepdims=True))
        return float(np.mean(own - np.sum(weights * logs, axis=1) / weights.sum(axis=1)))

    low, high = MIN_SLOPE, 1 / MIN_SLOPE
    if slope(low) <= 0:
        return _none("a higher score does not mean a likelier class out of fold")
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return Calibration("temperature", t=1 / low, clip=_clip(low, 0.0))


def _clip(a: float, b: float) -> float:
    """Where to stop: below, a curve flatter than the score stretches differences that float32 does not have.

    Near 0 the curve is about `exp(b) * p ** a`; its steepness there is held to `_STEEPEST`.
    """
    if a >= 1:
        return _CLIP
    return float(np.clip((a * math.exp(abs(b)) / _STEEPEST) ** (1 / (1 - a)), _CLIP, 0.05))


def _none(why: str) -> Calibration:
    return Calibration("none", why=why)


def logit(p: Floats) -> Floats:
    """The log of the odds."""
    result: Floats = np.log(p) - np.log(1 - p)
    return result


def _sigmoid(z: Floats) -> Floats:
    result: Floats = np.exp(-np.logaddexp(0, -z))
    return result


def attach(model: bytes, calibration: Calibration, positive: int) -> bytes:
    """The same graph with the curve behind it: its output keeps its name; the same input gives the same bytes."""
    if calibration.kind == "none":
        return model
    loaded = onnx.load_model_from_string(model)
    graph = loaded.graph
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name == PROBABILITIES:
                    names[index] = RAW
    low, high = calibration.ends
    values = {"clip_low": low, "clip_high": high}
    if calibration.kind == "platt":
        values |= {"slope": calibration.a, "intercept": calibration.b, "one": 1.0}
        nodes = _platt_nodes(positive)
        graph.initializer.append(numpy_helper.from_array(np.array([positive], dtype=np.int64), "calibration_positive"))
    else:
        values |= {"slope": 1 / calibration.t}
        nodes = _temperature_nodes()
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype=np.float32), f"calibration_{name}")
        for name, value in values.items()
    )
    graph.node.extend(nodes)
    checker.check_model(loaded, full_check=True)
    return bytes(loaded.SerializeToString(deterministic=True))


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
    named = [name if name in (RAW, PROBABILITIES) else f"calibration_{name}" for name in inputs]
    to = output if output == PROBABILITIES else f"calibration_{output}"
    return helper.make_node(operator, named, [to], name=f"calibration_{operator}_{output}", **attributes)


def _platt_nodes(positive: int) -> list[onnx.NodeProto]:
    both = ["rest", "calibrated"] if positive == 1 else ["calibrated", "rest"]
    return [
        _node("Gather", [RAW, "positive"], "score", axis=1),
        _node("Clip", ["score", "clip_low", "clip_high"], "clipped"),
        _node("Sub", ["one", "clipped"], "complement"),
        _node("Log", ["clipped"], "log"),
        _node("Log", ["complement"], "log_complement"),
        _node("Sub", ["log", "log_complement"], "logit"),
        _node("Mul", ["logit", "slope"], "sloped"),
        _node("Add", ["sloped", "intercept"], "line"),
        _node("Sigmoid", ["line"], "calibrated"),
        _node("Sub", ["one", "calibrated"], "rest"),
        _node("Concat", both, PROBABILITIES, axis=1),
    ]


def _temperature_nodes() -> list[onnx.NodeProto]:
    return [
        _node("Clip", [RAW, "clip_low", "clip_high"], "clipped"),
        _node("Log", ["clipped"], "log"),
        _node("Mul", ["log", "slope"], "sloped"),
        _node("Softmax", ["sloped"], PROBABILITIES, axis=1),
    ]
