"""The families of models that training knows, each as preprocessing and a classifier that export exactly.

What lets a family agree with its ONNX twin to 1e-5: it is fitted on the contract's float32 values; linear
models are scaled and trees are not (float32 rounding of a scaled value flips splits); every model has an
imputer before it (given NaN, exported trees answer wrongly without an error); and what preprocessing has
learned is rounded to float32 *before* the classifier is fitted, because the exported one holds nothing else.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from andamio.encode import Encoded
from andamio.errors import TrainingError

SMALLEST_SCALE = 1e-30
"""A spread below this is no spread: its inverse is beyond float32."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model; `simplicity` orders families (0 is the simplest) where scores do not."""

    name: str
    simplicity: int
    scaled: bool
    build: Callable[[int, Mapping[str, Any]], Any] = field(repr=False)
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def params(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The hyperparameters of one trial: the family's own, overridden by what is given."""
        return {**self.defaults, **(given or {})}


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "logistic_regression",
            0,
            True,
            lambda seed, params: LogisticRegression(solver="lbfgs", random_state=seed, **params),
            {"C": 1.0, "max_iter": 2000},
        ),
        Family(
            "random_forest",
            1,
            False,
            lambda seed, params: RandomForestClassifier(random_state=seed, n_jobs=1, **params),
            {"n_estimators": 300, "min_samples_leaf": 5, "max_features": "sqrt", "max_leaf_nodes": 512},
        ),
        Family(
            "gradient_boosting",
            2,
            False,
            lambda seed, params: GradientBoostingClassifier(random_state=seed, **params),
            {"n_estimators": 150, "learning_rate": 0.05, "max_depth": 3, "min_samples_leaf": 5, "subsample": 0.8},
        ),
    )
}


@dataclass(frozen=True)
class Fitted:
    """A fitted pipeline; its input is a frame of `numbers` columns, then `categories` columns."""

    pipeline: Pipeline
    numbers: int
    categories: int
    classes: int

    def predict(self, encoded: Encoded) -> NDArray[np.float64]:
        """Probabilities [rows, classes]; a class that was not among the fitted rows gets 0."""
        found = np.asarray(self.pipeline.predict_proba(frame(encoded)), dtype=np.float64)
        result = np.zeros((encoded.rows, self.classes))
        result[:, np.asarray(self.pipeline.classes_, dtype=int)] = found
        return result

    @property
    def complete(self) -> bool:
        """Whether every class was among the fitted rows: else the exported model lacks a column."""
        return len(self.pipeline.classes_) == self.classes


def frame(encoded: Encoded) -> pd.DataFrame:
    """The table that scikit-learn sees: float64 columns that hold float32 values, then text columns."""
    numbers = {f"n{i}": encoded.numbers[:, i].astype(np.float64) for i in range(encoded.numbers.shape[1])}
    texts = {f"c{i}": pd.Series(encoded.categories[:, i], dtype=object) for i in range(encoded.categories.shape[1])}
    return pd.DataFrame({**numbers, **texts}, index=range(encoded.rows))


def fit(
    name: str,
    encoded: Encoded,
    labels: NDArray[np.int64],
    *,
    classes: int,
    seed: int,
    class_weight: str = "none",
    params: Mapping[str, Any] | None = None,
) -> Fitted:
    """Fit one family on rows with class indices [rows]; raises `TrainingError` when there are not two classes."""
    if len(np.unique(labels)) < 2:
        raise TrainingError(
            f"{name}: all {len(labels)} rows to fit on are of one class; a classifier needs rows of at least two"
        )
    family = FAMILIES[name]
    numbers, categories = encoded.numbers.shape[1], encoded.categories.shape[1]
    table = frame(encoded)
    columns = _columns(numbers, categories, family.scaled)
    columns.fit(table)
    _round_to_float32(columns)
    weight = compute_sample_weight("balanced", labels) if class_weight == "balanced" else None
    classifier = family.build(seed, family.params(params))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it shows in the score, which is what decides
        classifier.fit(columns.transform(table), labels, sample_weight=weight)
    return Fitted(Pipeline([("columns", columns), ("model", classifier)]), numbers, categories, classes)


def _columns(numbers: int, categories: int, scaled: bool) -> ColumnTransformer:
    """Impute (and scale) numbers, one-hot texts. A column without any value becomes 0 instead of vanishing."""
    parts: list[tuple[str, Any, list[int]]] = []
    if numbers:
        steps: list[tuple[str, Any]] = [("impute", SimpleImputer(strategy="median", keep_empty_features=True))]
        if scaled:
            steps.append(("scale", StandardScaler()))
        parts.append(("numbers", Pipeline(steps), list(range(numbers))))
    if categories:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts.append(("categories", one_hot, list(range(numbers, numbers + categories))))
    return ColumnTransformer(parts)


def _round_to_float32(columns: ColumnTransformer) -> None:
    """Round the fitted medians, means and scales to what the exported model can hold."""
    steps = columns.named_transformers_.get("numbers")
    if steps is None:
        return
    impute = steps.named_steps["impute"]
    impute.statistics_ = _float32(impute.statistics_)
    scale = steps.named_steps.get("scale")
    if scale is not None:
        scale.mean_, scale.scale_ = _float32(scale.mean_), _float32(scale.scale_)
        scale.scale_[np.abs(scale.scale_) < SMALLEST_SCALE] = 1.0


def _float32(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float32).astype(np.float64)
