"""What comes before a model: numbers imputed (and scaled), categories in a column for each value.

What is fitted is scikit-learn's own transformer, which is exported. It is fitted and applied here without a frame of
objects: a category is looked up once for each row, as a code, and not once for each of scikit-learn's checks. A median
comes from a partition of its column, where scikit-learn sorts a masked array: it is the same number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from andamio.records.encode import Encoded

SMALLEST_SCALE = 1e-30
"""A spread below this is no spread: its inverse is beyond float32."""

Floats = NDArray[np.float64]


def frame(encoded: Encoded) -> pd.DataFrame:
    """The table that scikit-learn sees: float64 columns that hold float32 values, then text columns."""
    numbers = {f"n{i}": encoded.numbers[:, i].astype(np.float64) for i in range(encoded.numbers.shape[1])}
    texts = {f"c{i}": pd.Series(encoded.categories[:, i], dtype=object) for i in range(encoded.categories.shape[1])}
    return pd.DataFrame({**numbers, **texts}, index=range(encoded.rows))


def fit(encoded: Encoded, numbers: tuple[int, ...], categories: tuple[int, ...], *, scaled: bool) -> ColumnTransformer:
    """The fitted transformer of these columns; what it learned of numbers is what the exported model can hold."""
    values = [np.array(sorted(set(encoded.categories[:, place].tolist())), dtype=object) for place in categories]
    columns = _unfitted(encoded, numbers, categories, scaled)
    # A few rows have every value of every category: to fit the encoder takes no more. Numbers are fitted below.
    few = max(2, *(len(column) for column in values)) if values else 2
    texts = np.full((few, encoded.categories.shape[1]), "", dtype=object)
    for place, column in zip(categories, values, strict=True):
        texts[:, place] = np.resize(column, few)
    columns.fit(frame(Encoded(np.zeros((few, encoded.numbers.shape[1]), dtype=np.float32), texts)))
    if numbers:
        _fit_numbers(columns.named_transformers_["numbers"], encoded.numbers[:, list(numbers)].astype(np.float64))
    return columns


def transform(columns: ColumnTransformer, encoded: Encoded) -> Floats:
    """The matrix that the model sees `[rows, columns]`, the same that `columns` makes of the frame."""
    matrix = np.zeros((encoded.rows, _width(columns)))
    at = 0
    for name, fitted, places in columns.transformers_:
        if name == "numbers":
            matrix[:, : len(places)] = encoded.numbers[:, list(places)]
            _standardise(fitted, matrix[:, : len(places)])
            at = len(places)
        elif name == "categories":
            texts = [place - encoded.numbers.shape[1] for place in places]
            for text, seen in zip(texts, fitted.categories_, strict=True):
                codes = pd.Index(seen, dtype=object).get_indexer(pd.Index(encoded.categories[:, text], dtype=object))
                known = np.flatnonzero(codes >= 0)
                matrix[known, at + codes[known]] = 1.0
                at += len(seen)
    return matrix


def _width(columns: ColumnTransformer) -> int:
    """The columns of the matrix: one a number, and one a value of a category."""
    return sum(
        len(places) if name == "numbers" else sum(map(len, fitted.categories_))
        for name, fitted, places in columns.transformers_
        if name != "remainder"
    )


def _standardise(pipeline: Pipeline, values: Floats) -> None:
    """Do to `values` what the fitted pipeline of numbers does, in their place."""
    impute, scale = pipeline.named_steps["impute"], pipeline.named_steps.get("scale")
    np.copyto(values, impute.statistics_, where=np.isnan(values))
    if scale is not None:
        values -= scale.mean_
        values /= scale.scale_


def _unfitted(
    encoded: Encoded, numbers: tuple[int, ...], categories: tuple[int, ...], scaled: bool
) -> ColumnTransformer:
    parts: list[tuple[str, Any, list[int]]] = []
    if numbers:
        parts.append(("numbers", _pipeline(scaled), list(numbers)))
    if categories:
        one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        parts.append(("categories", one_hot, [encoded.numbers.shape[1] + place for place in categories]))
    return ColumnTransformer(parts)


def _pipeline(scaled: bool) -> Pipeline:
    steps: list[tuple[str, Any]] = [("impute", SimpleImputer(strategy="median", keep_empty_features=True))]
    return Pipeline([*steps, ("scale", StandardScaler())] if scaled else steps)


def _fit_numbers(pipeline: Pipeline, values: Floats) -> None:
    """Set median, mean and scale, rounded to what the exported model can hold; fills the gaps of `values`."""
    impute, scale = pipeline.named_steps["impute"], pipeline.named_steps.get("scale")
    medians = np.array([_median(column) for column in values.T])
    impute.statistics_ = float32(medians)
    if scale is not None:
        np.copyto(values, medians, where=np.isnan(values))
        scale.fit(values)
        scale.mean_, scale.scale_ = float32(scale.mean_), float32(scale.scale_)
        scale.scale_[np.abs(scale.scale_) < SMALLEST_SCALE] = 1.0


def _median(column: Floats) -> float:
    known = column[~np.isnan(column)]
    return float(np.median(known)) if len(known) else 0.0


def float32(values: Floats) -> Floats:
    """The nearest numbers that an exported model can hold."""
    return np.asarray(values, dtype=np.float32).astype(np.float64)
