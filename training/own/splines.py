"""SplineTransformer in ONNX: B-splines as the polynomials that they are between two knots.

The converter has none of it. With u the place of x between two knots, from 0 to 1, every basis function is a
polynomial of u there (de Boor, A Practical Guide to Splines, 1978), so that one matrix product gives them all.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skl2onnx.common.data_types import FloatTensorType

from training.own.trial import PipelineError


def shape(operator: Any) -> None:
    """The width of what comes out: so many columns for each column that goes in."""
    transformer = operator.raw_operator
    if transformer.extrapolation != "constant":
        raise PipelineError(
            f'extrapolation = "{transformer.extrapolation}" has no form in ONNX; leave it out, which is "constant"'
        )
    if getattr(transformer, "handle_missing", "error") != "error":
        raise PipelineError("handle_missing has no form in ONNX; put SimpleImputer() before it")
    width = transformer.n_features_out_
    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])


def pieces(spline: Any, degree: int, include_bias: bool) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Where pieces begin `[pieces]`, how wide they are, and factors `[(degree + 1) * pieces, functions]` of u^p."""
    knots = np.unique(spline.t[degree : len(spline.t) - degree])
    starts, widths = knots[:-1], np.diff(knots)
    # Taylor's polynomial is the piece itself.
    terms = [spline(starts, nu=power).T * widths**power / math.factorial(power) for power in range(degree + 1)]
    functions = terms[0].shape[0] - (0 if include_bias else 1)
    return starts, widths, np.vstack([term[:functions].T for term in terms])


def convert(scope: Any, operator: Any, container: Any) -> None:
    """Write the nodes: which piece x lies in, the powers of its place there, and the product with coefficients."""
    transformer, given = operator.raw_operator, operator.inputs[0].full_name
    degree, parts = transformer.degree, []

    def constant(name: str, values: Any, *, whole: bool = False) -> str:
        array = np.asarray(values, dtype=np.int64 if whole else np.float32)
        unique: str = scope.get_unique_variable_name(name)
        container.add_initializer(unique, 7 if whole else 1, list(array.shape), array.ravel().tolist())
        return unique

    def node(kind: str, inputs: list[str], **settings: Any) -> str:
        output: str = scope.get_unique_variable_name(kind.lower())
        container.add_node(kind, inputs, output, name=scope.get_unique_operator_name(kind), op_version=18, **settings)
        return output

    for place, spline in enumerate(transformer.bsplines_):
        starts, widths, coefficients = pieces(spline, degree, transformer.include_bias)
        low, high = starts[0], starts[-1] + widths[-1]
        value = node("Gather", [given, constant("place", [place], whole=True)], axis=1)
        value = node("Clip", [value, constant("low", np.float32(low)), constant("high", np.float32(high))])
        u = node("Div", [node("Sub", [value, constant("starts", starts[None])]), constant("widths", widths[None])])
        # In piece i are values from its start on, and below the start of the next one; the last has all the rest.
        above = node("Cast", [node("GreaterOrEqual", [value, constant("from", _open(starts))])], to=1)
        next_above = node("Cast", [node("GreaterOrEqual", [value, constant("to", _open(starts, after=True))])], to=1)
        inside = node("Sub", [above, next_above])
        powers = [inside]
        for _ in range(degree):
            powers.append(node("Mul", [powers[-1], u]))
        stacked = node("Concat", powers, axis=1)
        parts.append(node("MatMul", [stacked, constant("coefficients", coefficients)]))
    output = operator.outputs[0].full_name
    container.add_node("Concat", parts, output, name=scope.get_unique_operator_name("Concat"), op_version=18, axis=1)


def _open(starts: NDArray[Any], *, after: bool = False) -> NDArray[Any]:
    """The starts as a row, the first and the one after the last without an end."""
    largest = np.finfo(np.float32).max
    ends = np.array([*starts[1:], largest]) if after else np.array([-largest, *starts[1:]])
    return ends[None]
