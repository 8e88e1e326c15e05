"""A problem's own pipeline as ONNX: converted with an input for each column, behind the inputs of every release.

What the converter cannot say is refused by the path of its step, its class, and what to do instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, helper, numpy_helper
from skl2onnx import convert_sklearn
from skl2onnx._supported_operators import sklearn_operator_name_map
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from andamio.names import PIPELINE_FILE
from andamio.records.encode import CATEGORIES, NUMBERS
from training.own import splines
from training.own.fit import Own, OwnClassifier, steps
from training.own.trial import PipelineError

OPSETS = {"": 18, "ai.onnx.ml": 3}
CONVERTED = frozenset({*sklearn_operator_name_map, ColumnTransformer, FeatureUnion, Pipeline, SplineTransformer})
_EXPORT = (
    "Of scikit-learn these export, among others: SimpleImputer, StandardScaler, OneHotEncoder, OrdinalEncoder, "
    "TargetEncoder, SplineTransformer, KBinsDiscretizer, PolynomialFeatures, PCA, SelectKBest; LogisticRegression, "
    "SVC, forests and boosted trees, MLPs, CalibratedClassifierCV, StackingClassifier, VotingClassifier."
)
_PREPARE = "Do what it does to a row in prepare.py, which runs in training and in serving alike."


def convert(fitted: Own) -> ModelProto:
    """The pipeline as the converter makes it, its inputs `numbers` and/or `categories`; raises `PipelineError`."""
    for path, each in steps(fitted.pipeline):
        _refuse(path, each)
    inputs = _inputs(fitted)
    last = _last(fitted.pipeline)
    options = {id(last): {"zipmap": False}} if isinstance(fitted, OwnClassifier) else None
    try:
        model: ModelProto = convert_sklearn(
            fitted.pipeline,
            name="andamio",
            initial_types=inputs,
            target_opset=OPSETS,
            options=options,
            custom_conversion_functions={SplineTransformer: splines.convert},
            custom_shape_calculators={SplineTransformer: splines.shape},
        )
    except Exception as error:  # converters raise whatever they like
        raise PipelineError(_cannot(_blamed(error, fitted.pipeline), error)) from error
    return model


def with_usual_inputs(model: ModelProto, fitted: Own) -> None:
    """Put `numbers` float32 [N, k] and `categories` string [N, m] before the columns that the graph asks for."""
    if len(_inputs(fitted)) == 1 and _inputs(fitted)[0][0] in (NUMBERS, CATEGORIES):
        return
    graph, width = model.graph, fitted.numbers
    del graph.input[:]
    parts = (
        (NUMBERS, onnx.TensorProto.FLOAT, fitted.names[:width]),
        (CATEGORIES, onnx.TensorProto.STRING, fitted.names[width:]),
    )
    asked = {name for node in graph.node for name in node.input}
    before = []
    for name, kind, columns in parts:
        if not columns:
            continue
        graph.input.append(helper.make_tensor_value_info(name, kind, [None, len(columns)]))
        for place, column in enumerate(columns):
            if column in asked:
                own = f"andamio_{name}_{place}"
                graph.initializer.append(numpy_helper.from_array(np.array([place], np.int64), own))
                before.append(helper.make_node("Gather", [name, own], [column], name=own, axis=1))
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _inputs(fitted: Own) -> list[tuple[str, Any]]:
    """An input for each column; a single matrix where the pipeline does not begin by taking columns apart."""
    width, first = fitted.numbers, fitted.pipeline.steps[0][1]
    if not isinstance(first, ColumnTransformer | FeatureUnion | Pipeline) and not (width and fitted.categories):
        if width:
            return [(NUMBERS, FloatTensorType([None, width]))]
        return [(CATEGORIES, StringTensorType([None, fitted.categories]))]
    return [
        (name, FloatTensorType([None, 1]) if place < width else StringTensorType([None, 1]))
        for place, name in enumerate(fitted.names)
    ]


def _last(pipeline: Any) -> Any:
    while isinstance(pipeline, Pipeline):
        pipeline = pipeline.steps[-1][1]
    return pipeline


def _refuse(path: str, each: Any) -> None:
    kind = type(each)
    if isinstance(each, FunctionTransformer) and each.func is not None:
        name = getattr(each.func, "__name__", "a function")
        raise PipelineError(
            f"{PIPELINE_FILE}: step {path} (FunctionTransformer of {name}) cannot be exported: a Python function has "
            f"no form in ONNX. {_PREPARE}"
        )
    if not any(base in CONVERTED for base in kind.__mro__[:1]):
        if not kind.__module__.startswith("sklearn."):
            raise PipelineError(
                f"{PIPELINE_FILE}: step {path} ({kind.__name__}) cannot be exported: only scikit-learn's own "
                f"estimators have a form in ONNX, and {kind.__name__} is of {kind.__module__}. {_PREPARE}"
            )
        raise PipelineError(
            f"{PIPELINE_FILE}: step {path} ({kind.__name__}) cannot be exported: there is no form of it in ONNX. "
            f"{_EXPORT}"
        )


def _cannot(blamed: tuple[str, Any] | None, error: Exception) -> str:
    said = " ".join(str(error).split())[:200]
    if blamed is None:
        return f"{PIPELINE_FILE}: the pipeline cannot be exported: {type(error).__name__}: {said}. {_EXPORT}"
    path, each = blamed
    if isinstance(error, PipelineError):
        return f"{PIPELINE_FILE}: step {path} ({type(each).__name__}) cannot be exported: {error}"
    return (
        f"{PIPELINE_FILE}: step {path} ({type(each).__name__}) cannot be exported with these settings: {said}. Leave "
        f"its settings as they are by default, or take another step. {_EXPORT}"
    )


def _blamed(error: Exception, pipeline: Pipeline) -> tuple[str, Any] | None:
    """The step that a converter was at work on: its frame knows the estimator as an operator's."""
    paths = {id(each): path for path, each in steps(pipeline)}
    found = None
    for frame in _frames(error.__traceback__):
        estimator = getattr(frame.f_locals.get("operator"), "raw_operator", frame.f_locals.get("model"))
        if id(estimator) in paths:
            found = paths[id(estimator)], estimator
    return found


def _frames(traceback: TracebackType | None) -> Iterator[Any]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next
