"""A problem's own pipeline fitted: on a frame of the contract's columns by name, seeded, on one thread."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter

from andamio.contract import Contract
from andamio.contract.task import Classification, Regression
from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from training.families.catalog import Columns, Fitted, FittedPipeline, round_model, threads
from training.families.regression import FittedRegressor, Scale
from training.families.spaces import OWN, Space
from training.own.code import PipelineCode, check_probabilities
from training.own.trial import PipelineError, Replay

HOLD_ROWS = ("support_vectors_", "_fit_X", "X_train_", "X_fit_")
"""What scikit-learn calls rows of train that a fitted model keeps."""


@dataclass(frozen=True, slots=True)
class OwnPipeline:
    """A problem's pipeline.py, and the space that a run found in it."""

    code: PipelineCode
    space: Space


@dataclass(frozen=True)
class _Own(FittedPipeline):
    """A fitted pipeline of the problem; its input is a frame of the columns `names`: float32 with NaN, then texts."""

    names: tuple[str, ...]

    def answers(self, encoded: Encoded, method: str) -> NDArray[np.float64]:
        """What the pipeline says by one of its methods. On one thread, as `fit`."""
        with warnings.catch_warnings(), threads().limit(limits=1):
            warnings.simplefilter("ignore")  # of values never seen, which are a part of what is asked
            return np.asarray(getattr(self.pipeline, method)(frame(encoded, self.names)), dtype=np.float64)


@dataclass(frozen=True)
class OwnClassifier(_Own, Fitted):
    """A problem's own classifier."""


@dataclass(frozen=True)
class OwnRegressor(_Own, FittedRegressor):
    """A problem's own regressor."""

    complete = True


Own = OwnClassifier | OwnRegressor


def frame(encoded: Encoded, names: tuple[str, ...]) -> pd.DataFrame:
    """The table that the problem's pipeline sees: float32 columns with NaN, then texts ("" for no value)."""
    width = encoded.numbers.shape[1]
    columns: dict[str, Any] = {name: encoded.numbers[:, place] for place, name in enumerate(names[:width])}
    columns |= {name: pd.Series(encoded.categories[:, place], dtype=object) for place, name in enumerate(names[width:])}
    return pd.DataFrame(columns, index=range(encoded.rows))


def fit(
    own: OwnPipeline,
    contract: Contract,
    encoded: Encoded,
    truth: NDArray[Any],
    params: Mapping[str, Any],
    seed: int,
) -> Own:
    """Fit the pipeline of one trial; raises `PipelineError`, and `TrainingError` for a truth of one value."""
    if len(np.unique(truth)) < 2:
        raise TrainingError(f"{OWN}: all {len(truth)} rows to fit on have the same target; they need two values")
    names = (*contract.number_columns, *contract.category_columns)
    trial = Replay(contract.number_columns, contract.category_columns, seed, params=params, space=own.space.varied)
    pipeline = own.code.build(trial, contract.task)
    shape = (encoded.numbers.shape[1], encoded.categories.shape[1])
    used = Columns(tuple(range(shape[0])), tuple(range(shape[1])))
    match contract.task:
        case Classification() as task:
            weights = _weights(pipeline, contract, truth)
            _fit(own.code.file, pipeline, frame(encoded, names), truth, weights)
            check_probabilities(own.code.file, pipeline)
            fitted: Own = OwnClassifier(pipeline, *shape, used, len(task.outputs), names)
        case Regression() as task:
            scale = Scale.of(task, truth)
            _fit(own.code.file, pipeline, frame(encoded, names), scale.seen(truth), {})
            fitted = OwnRegressor(pipeline, *shape, used, scale, names)
    _refuse_private_rows(own.code.file, pipeline, contract)
    return fitted


def _fit(file: str, pipeline: Pipeline, values: pd.DataFrame, target: NDArray[Any], given: Mapping[str, Any]) -> None:
    with warnings.catch_warnings(), threads().limit(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # it shows in the score, which is what decides
        try:
            pipeline.fit(values, target, **given)
        except (MemoryError, PipelineError):
            raise
        except Exception as error:
            raise PipelineError(f"{file}: the pipeline cannot be fitted: {type(error).__name__}: {error}") from error
        for _, each in steps(pipeline):
            round_model(each)


def _weights(pipeline: Pipeline, contract: Contract, truth: NDArray[Any]) -> dict[str, Any]:
    if contract.training.class_weight != "balanced":
        return {}
    name, last = pipeline.steps[-1]
    if not has_fit_parameter(last, "sample_weight"):
        raise PipelineError(
            f'[training] class_weight = "balanced", and {type(last).__name__}, the last step, takes no weights of '
            "rows: take another one, or leave class_weight out"
        )
    return {f"{name}__sample_weight": compute_sample_weight("balanced", truth)}


def _refuse_private_rows(file: str, pipeline: Pipeline, contract: Contract) -> None:
    private = [name for name in contract.private if name in contract.inputs]
    for path, each in steps(pipeline) if private else ():
        if any(hasattr(each, name) for name in HOLD_ROWS):
            raise PipelineError(
                f"{file}: {path} keeps rows of train in the model, with values of {', '.join(private)}, which is "
                "private: take an estimator that keeps none, or take the feature out"
            )


def steps(pipeline: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every fitted estimator inside a pipeline, outer before inner, by the path of its names: "columns > cat"."""
    for name, each in _inside(pipeline):
        if isinstance(each, str) or each is None:
            continue
        below = f"{path} > {name}" if path else name
        yield below, each
        yield from steps(each, below)


def _inside(estimator: Any) -> list[tuple[str, Any]]:
    if hasattr(estimator, "transformers_"):
        return [(name, each) for name, each, _ in estimator.transformers_]
    if isinstance(estimator, Pipeline):
        return list(estimator.steps)
    if hasattr(estimator, "transformer_list"):
        return list(estimator.transformer_list)
    if hasattr(estimator, "calibrated_classifiers_"):
        return [("estimator", each.estimator) for each in estimator.calibrated_classifiers_]
    found: list[tuple[str, Any]] = []
    if hasattr(estimator, "named_estimators_"):  # stacking, voting
        found += list(estimator.named_estimators_.items())
    elif hasattr(estimator, "estimators_"):  # bagging, boosting
        found += [("estimator", each) for each in np.ravel(np.asarray(estimator.estimators_, dtype=object))]
    for name in ("estimator_", "final_estimator_", "best_estimator_", "regressor_"):
        inner = getattr(estimator, name, None)
        if inner is not None and hasattr(inner, "get_params"):
            found.append((name.rstrip("_"), inner))
    return found
