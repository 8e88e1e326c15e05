"""Export of a fitted pipeline to ONNX, and the check of parity.

The same fitted pipeline always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, checker, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from skl2onnx.helpers.onnx_helper import select_model_inputs_outputs

from andamio.contract import Contract
from andamio.contract.task import PROBABILITIES, VALUE
from andamio.errors import TrainingError
from andamio.records.encode import CATEGORIES, NUMBERS, OTHER, Encoded
from training.documents import ParityResult
from training.families.catalog import Fitted, FittedPipeline
from training.families.regression import LARGEST_LOG, SMALLEST_LOG, FittedRegressor, Scale
from training.own.convert import OPSETS, convert, with_usual_inputs
from training.own.fit import Own

TOLERANCE = 1e-5
ROUNDING = 2**-22
"""What float32 leaves of a number open, as a share of it."""
LARGEST_ROUNDING = 0.01
"""How many standard deviations of the target that may be: more, and parity would prove nothing."""
TRAIN_ROWS, PERTURBED_ROWS = 20_000, 2_000
"""How many rows parity is proven on, at most: of train as they are, and of each kind of perturbed copies."""

Predict = Callable[[Encoded], NDArray[np.floating]]
Exporter = Callable[[FittedPipeline], bytes]


def to_onnx(fitted: FittedPipeline) -> bytes:
    """The pipeline as an ONNX model: `numbers` float32 [N, k] and/or `categories` string [N, m] in,
    `probabilities` float32 [N, classes] or `value` float32 [N, 1] out, nothing else; opset 18, ai.onnx.ml 3."""
    converted = convert(fitted) if isinstance(fitted, Own) else _converted(fitted)
    if isinstance(fitted, FittedRegressor):
        model, output, width = _with_value(converted, fitted.scale), VALUE, 1
    elif isinstance(fitted, Fitted):
        model, output, width = _only_probabilities(converted), PROBABILITIES, fitted.classes
    else:
        raise TypeError(f"{type(fitted).__name__} cannot be exported")
    if isinstance(fitted, Own):
        with_usual_inputs(model, fitted)
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, [None, width]))
    # The converter declares the lowest opset that each node needs, some twice; we declare what we ask of a runtime.
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in OPSETS.items())
    model.producer_name, model.producer_version, model.doc_string = "andamio", "", ""
    model.graph.name, model.graph.doc_string = "andamio", ""
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def _converted(fitted: FittedPipeline) -> ModelProto:
    inputs: list[tuple[str, object]] = []
    if fitted.numbers:
        inputs.append((NUMBERS, FloatTensorType([None, fitted.numbers])))
    if fitted.categories:
        inputs.append((CATEGORIES, StringTensorType([None, fitted.categories])))
    options = {id(fitted.pipeline.named_steps["model"]): {"zipmap": False}} if isinstance(fitted, Fitted) else None
    model: ModelProto = convert_sklearn(
        fitted.pipeline, name="andamio", initial_types=inputs, target_opset=OPSETS, options=options
    )
    return model


def _only_probabilities(model: ModelProto) -> ModelProto:
    """Drop the label output, and the nodes that only it needed: our own threshold makes the label."""
    output = model.graph.output[1].name
    if output != PROBABILITIES:
        raise ValueError(f"the converter named its second output '{output}', not '{PROBABILITIES}'")
    selected: ModelProto = select_model_inputs_outputs(model, [PROBABILITIES])
    return selected


def _with_value(model: ModelProto, scale: Scale) -> ModelProto:
    """Put the model's answer back into the target's unit and range: the nodes of `Scale.put_back`."""
    graph, answer = model.graph, model.graph.output[0].name
    ends = {"low": scale.low, "high": scale.high}
    constants: dict[str, float] = {"spread": scale.spread, "centre": scale.centre}
    constants |= {name: end for name, end in ends.items() if end is not None}
    steps: list[tuple[str, list[str]]] = [("Mul", ["spread"]), ("Add", ["centre"])]
    if scale.log:
        constants |= {"smallest": SMALLEST_LOG, "largest": LARGEST_LOG}
        steps += [("Clip", ["smallest", "largest"]), ("Exp", [])]
    if scale.low is not None or scale.high is not None:
        steps.append(("Clip", ["" if end is None else name for name, end in ends.items()]))
    graph.initializer.extend(
        numpy_helper.from_array(np.array(value, dtype=np.float32), f"target_{name}")
        for name, value in constants.items()
    )
    for number, (operator, others) in enumerate(steps, start=1):
        output = VALUE if number == len(steps) else f"target_{number}"
        inputs = [answer, *(other and f"target_{other}" for other in others)]
        graph.node.append(helper.make_node(operator, inputs, [output], name=f"target_{operator}_{number}"))
        answer = output
    return model


@dataclass(frozen=True, slots=True)
class Parity:
    """The largest difference |dp| of two predictors over `rows` of train, and over each kind of perturbed rows."""

    rows: int
    train: float
    missing: float
    unknown: float
    range_ends: float
    tolerance: float = TOLERANCE

    @property
    def largest(self) -> float:
        """The largest difference of all; NaN when either predictor gave one."""
        return float(np.max([self.train, self.missing, self.unknown, self.range_ends]))

    @property
    def holds(self) -> bool:
        """Whether the exported model may stand for the fitted one."""
        return bool(self.largest <= self.tolerance)

    def result(self) -> ParityResult:
        """For `fit.json`: a difference that is not a number is None."""
        train, missing, unknown, range_ends, largest = (
            value if np.isfinite(value) else None
            for value in (self.train, self.missing, self.unknown, self.range_ends, self.largest)
        )
        return ParityResult(
            rows=self.rows,
            train=train,
            missing=missing,
            unknown=unknown,
            range_ends=range_ends,
            largest=largest,
            tolerance=self.tolerance,
        )


@dataclass(frozen=True, slots=True)
class Ruler:
    """In what two predictions are compared: probabilities as they are, numbers in `spread`s of what was fitted on."""

    tolerance: float = TOLERANCE
    log: bool = False
    spread: float = 1.0

    @classmethod
    def of(cls, fitted: FittedPipeline) -> Ruler:
        """The ruler of a model; float32 cannot tell numbers apart that lie far from 0 and close together.

        Raises `TrainingError` when it rounds them by more than a hundredth of their standard deviation.
        """
        if not isinstance(fitted, FittedRegressor):
            return cls()
        scale = fitted.scale
        rounding = ROUNDING * scale.largest / scale.spread
        if rounding > LARGEST_ROUNDING:
            of_what = "logarithm of the target" if scale.log else "target"
            raise TrainingError(
                f"The {of_what} lies so far from 0 ({scale.largest:.3g}) for its standard deviation "
                f"({scale.spread:.3g}) that float32, in which models answer, rounds it by {rounding:.2g} standard "
                f"deviations, and {LARGEST_ROUNDING:g} is allowed: parity would prove nothing. Subtract an offset from "
                "the target in the data, and add it to the answers."
            )
        return cls(TOLERANCE + rounding, scale.log, scale.spread)

    def difference(self, one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
        """The largest difference of two predictions."""
        first, second = (np.asarray(each, dtype=np.float64) for each in (one, other))
        if self.log:
            first, second = np.log(first), np.log(second)
        return float(np.max(np.abs(first - second))) / self.spread


_PLAIN_RULER = Ruler()


def parity(
    fitted: Predict,
    exported: Predict,
    train: Encoded,
    ranges: dict[int, tuple[float, ...]],
    seed: int,
    ruler: Ruler = _PLAIN_RULER,
) -> Parity:
    """Compare two predictors on training rows (at most 20,000) and perturbed copies (2,000 of each kind), by seed.

    `ranges` has, by column of `numbers`, the range ends that the contract states; the smallest and the largest
    value in train are always added. Perturbed: missing (each column in turn, then all, then at random), a
    category never seen, and range ends (each column in turn, then all at once).
    """
    rng = np.random.default_rng(seed)
    sample = rng.permutation(train.rows)[:TRAIN_ROWS]
    rows = train.take(sample[:PERTURBED_ROWS])

    def max_difference(encoded: Encoded) -> float:
        return ruler.difference(fitted(encoded), exported(encoded)) if encoded.rows else 0.0

    ends = _ends(train, ranges)
    return Parity(
        rows=len(sample),
        train=max_difference(train.take(sample)),
        missing=max_difference(_missing(rows, rng)),
        unknown=max_difference(_unknown(rows, rng)),
        range_ends=max_difference(_at_ends(rows, ends, rng)),
        tolerance=ruler.tolerance,
    )


def range_ends(contract: Contract) -> dict[int, tuple[float, ...]]:
    """The range ends that the contract states, by column of `numbers`."""
    ends = {}
    for index, column in enumerate(contract.number_columns):
        feature = contract.inputs.get(column)
        if feature is not None:
            ends[index] = tuple(end for end in (feature.min, feature.max) if end is not None)
    return ends


def _missing(rows: Encoded, rng: np.random.Generator) -> Encoded:
    numbers, categories = rows.numbers.copy(), rows.categories.copy()
    width = numbers.shape[1] + categories.shape[1]
    masked = rng.random((rows.rows, width)) < 0.3
    pattern = np.arange(rows.rows) % (width + 2)
    for column in range(width):
        masked[pattern == column] = False
        masked[pattern == column, column] = True
    masked[pattern == width] = True
    numbers[masked[:, : numbers.shape[1]]] = np.nan
    categories[masked[:, numbers.shape[1] :]] = ""
    return Encoded(numbers, categories)


def _unknown(rows: Encoded, rng: np.random.Generator) -> Encoded:
    categories = rows.categories.copy()
    strange = np.array([OTHER, "never seen", "ñ漢", " "], dtype=object)
    swapped = rng.random(categories.shape) < 0.5
    categories[swapped] = strange[rng.integers(len(strange), size=int(swapped.sum()))]
    return Encoded(rows.numbers, categories)


def _ends(train: Encoded, ranges: dict[int, tuple[float, ...]]) -> list[NDArray[np.float32]]:
    ends = []
    for column in range(train.numbers.shape[1]):
        values = train.numbers[:, column]
        values = values[np.isfinite(values)]
        seen = (float(values.min()), float(values.max())) if len(values) else (0.0,)
        ends.append(np.unique(np.asarray((*seen, *ranges.get(column, ())), dtype=np.float32)))
    return ends


def _at_ends(rows: Encoded, ends: list[NDArray[np.float32]], rng: np.random.Generator) -> Encoded:
    numbers = rows.numbers.copy()
    pattern = np.arange(rows.rows) % (len(ends) + 1)
    for column, values in enumerate(ends):
        here = (pattern == column) | (pattern == len(ends))
        numbers[here, column] = values[rng.integers(len(values), size=int(here.sum()))]
    return Encoded(numbers, rows.categories)
