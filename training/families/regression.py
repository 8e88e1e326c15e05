"""The families of a regression: the same preprocessing, with a regressor of the target on a scale of its own.

A model is fitted on the target without its mean, in standard deviations (of its logarithm, where the contract says
so): a net learns that, and float32 keeps what an export needs of it. What it answers is put back into the target's
unit, within the target's range; the exported graph does the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

from andamio.contract.task import Regression
from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from andamio.stats.rounding import inside
from training.families import catalog, preprocessing
from training.families.catalog import Family, FittedPipeline

Floats = NDArray[np.float64]

SMALLEST_LOG, LARGEST_LOG = -87.0, 88.0
"""Logarithms whose exponential float32 holds."""


def _net(seed: int, params: Mapping[str, Any]) -> MLPRegressor:
    given = dict(params)
    sizes = (given.pop("width"),) * given.pop("layers")
    return MLPRegressor(hidden_layer_sizes=sizes, early_stopping=False, random_state=seed, **given)


REGRESSORS: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family("ridge", True, lambda seed, params: Ridge(solver="cholesky", **params)),
        Family(
            "random_forest", False, lambda seed, params: RandomForestRegressor(random_state=seed, n_jobs=1, **params)
        ),
        Family("extra_trees", False, lambda seed, params: ExtraTreesRegressor(random_state=seed, n_jobs=1, **params)),
        Family("gradient_boosting", False, lambda seed, params: GradientBoostingRegressor(random_state=seed, **params)),
        Family(
            "hist_gradient_boosting",
            False,
            lambda seed, params: HistGradientBoostingRegressor(early_stopping=False, random_state=seed, **params),
        ),
        Family("mlp", True, _net),
    )
}
MEDIAN = Family("median", False, lambda seed, params: DummyRegressor(strategy="median"))
"""Every row gets the median of train: what any model has to beat."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How the target is seen by a model: less `centre`, divided by `spread`, both of logarithms where `log` is set.

    All numbers are such that float32 holds them; `low` and `high` bound the answer, `largest` is the largest absolute
    value that was fitted on, before it was centred.
    """

    centre: float
    spread: float
    log: bool
    low: float | None
    high: float | None
    largest: float

    @classmethod
    def of(cls, task: Regression, truth: Floats) -> Self:
        """The scale of the rows to fit on `[rows]`."""
        values = np.log(truth) if task.log else truth
        spread = float(np.float32(values.std()))
        return cls(
            float(np.float32(values.mean())),
            spread if spread >= preprocessing.SMALLEST_SCALE else 1.0,
            task.log,
            None if task.low is None else inside(task.low, np.inf),
            None if task.high is None else inside(task.high, -np.inf),
            float(np.abs(values).max()),
        )

    def seen(self, truth: Floats) -> Floats:
        """Numbers of the target as a model sees them."""
        return ((np.log(truth) if self.log else truth) - self.centre) / self.spread

    def put_back(self, answers: Floats) -> Floats:
        """What a model says, in the target's unit and range."""
        values = answers * self.spread + self.centre
        if self.log:
            values = np.exp(np.clip(values, SMALLEST_LOG, LARGEST_LOG))
        return np.clip(values, self.low, self.high)


@dataclass(frozen=True)
class FittedRegressor(FittedPipeline):
    """A fitted pipeline and the scale of its target."""

    scale: Scale

    def predict(self, encoded: Encoded) -> Floats:
        """Numbers [rows, 1] in the target's unit. On one thread, as `fit`."""
        return self.scale.put_back(self.answers(encoded, "predict").reshape(-1, 1))


def fit(
    name: str,
    encoded: Encoded,
    truth: Floats,
    task: Regression,
    *,
    seed: int,
    params: Mapping[str, Any] | None = None,
    selection: str = "none",
    share: float = 1.0,
) -> FittedRegressor:
    """Fit one family on rows with numbers [rows]; raises `TrainingError` when they are all the same.

    As in `training.families.catalog.fit`, whose arguments these are.
    """
    if len(np.unique(truth)) < 2:
        raise TrainingError(f"{name}: all {len(truth)} rows to fit on have the same target; they need two values")
    family = MEDIAN if name == MEDIAN.name else REGRESSORS[name]
    scale = Scale.of(task, truth)
    pipeline, used = catalog.fit_pipeline(
        family, encoded, scale.seen(truth), seed=seed, params=params, selection=selection, share=share,
        any_columns=family is MEDIAN,
    )  # fmt: skip
    return FittedRegressor(pipeline, encoded.numbers.shape[1], encoded.categories.shape[1], used, scale)
