"""The families of models that training knows, each as preprocessing and a classifier that export exactly.

What lets a family agree with its ONNX twin to 1e-5: it is fitted on the contract's float32 values; linear
models and nets are scaled and trees are not (float32 rounding of a scaled value flips splits); every model has
an imputer before it (given NaN, exported trees answer wrongly without an error); and what has been learned is
rounded to float32, because the exported one holds nothing else: preprocessing *before* the classifier is fitted,
thresholds of histogram-boosted trees *down*, so that `x <= threshold` keeps its answer for every float32 x.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif, f_regression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight
from threadpoolctl import ThreadpoolController

from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from training.families import preprocessing
from training.families.spaces import Space, space_of


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of model; its defaults and its search space are in `training.families.spaces`."""

    name: str
    scaled: bool
    build: Callable[[int, Mapping[str, Any]], Any] = field(repr=False)

    @property
    def space(self) -> Space:
        """Its defaults and what of them is searched."""
        return space_of(self.name)


def _net(seed: int, params: Mapping[str, Any]) -> MLPClassifier:
    given = dict(params)
    sizes = (given.pop("width"),) * given.pop("layers")
    return MLPClassifier(hidden_layer_sizes=sizes, early_stopping=False, random_state=seed, **given)


class _UpToFiveFolds:
    """Stratified folds: five, or as many as the rarest class has rows. Raises `ValueError` where that is one."""

    def split(self, values: Any, labels: NDArray[np.int64], groups: None = None) -> Iterator[tuple[Any, Any]]:
        fewest = int(np.unique(labels, return_counts=True)[1].min())
        if fewest < 2:
            raise ValueError("a class has a single row here, and a margin becomes a probability by two folds or more")
        return iter(StratifiedKFold(min(5, fewest)).split(values, labels))

    def get_n_splits(self, *_: object) -> int:
        return 5


def _kernel_machine(seed: int, params: Mapping[str, Any]) -> CalibratedClassifierCV:
    """It scores by a margin; a sigmoid over the margins of folds makes probabilities of it (Platt, 1999)."""
    return CalibratedClassifierCV(SVC(random_state=seed, **params), ensemble=False, cv=_UpToFiveFolds())


FAMILIES: Mapping[str, Family] = {
    family.name: family
    for family in (
        Family(
            "logistic_regression",
            True,
            lambda seed, params: LogisticRegression(solver="lbfgs", random_state=seed, **params),
        ),
        Family(
            "random_forest", False, lambda seed, params: RandomForestClassifier(random_state=seed, n_jobs=1, **params)
        ),
        Family("extra_trees", False, lambda seed, params: ExtraTreesClassifier(random_state=seed, n_jobs=1, **params)),
        Family(
            "gradient_boosting", False, lambda seed, params: GradientBoostingClassifier(random_state=seed, **params)
        ),
        Family(
            "hist_gradient_boosting",
            False,
            lambda seed, params: HistGradientBoostingClassifier(early_stopping=False, random_state=seed, **params),
        ),
        Family("mlp", True, _net),
        Family("svm", True, _kernel_machine),
    )
}
MAJORITY = Family("majority_class", False, lambda seed, params: DummyClassifier(strategy="prior"))
"""Every row gets the shares of the classes in train: what any model has to beat."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Places of columns in `numbers` and in `categories`."""

    numbers: tuple[int, ...]
    categories: tuple[int, ...]


def informative(encoded: Encoded) -> Columns:
    """The columns with two values or more in these rows.

    No value is one of a category's; of a number it is not, since the imputer fills it with the only other one.
    """
    numbers, texts = encoded.numbers, encoded.categories
    return Columns(
        tuple(place for place in range(numbers.shape[1]) if _distinct(numbers[:, place]) > 1),
        tuple(place for place in range(texts.shape[1]) if (texts[:, place] != texts[0, place]).any()),
    )


def _distinct(column: NDArray[np.float32]) -> int:
    known = column[~np.isnan(column)]
    return len(known) if len(known) < 2 else 1 + int((known != known[0]).any())


@dataclass(frozen=True)
class FittedPipeline(ABC):
    """A fitted pipeline; its input is a frame of `numbers` columns, then `categories` columns.

    `used` are those of them that tell rows apart: no other column reaches the model.
    """

    pipeline: Pipeline
    numbers: int
    categories: int
    used: Columns

    @abstractmethod
    def predict(self, encoded: Encoded) -> NDArray[np.float64]:
        """Scores [rows, outputs] of the contract's task."""

    def answers(self, encoded: Encoded, method: str) -> NDArray[np.float64]:
        """What the model itself says by one of its methods. On one thread, as `fit`."""
        with threads().limit(limits=1):
            values = preprocessing.transform(self.pipeline.named_steps["columns"], encoded)
            # The steps after the columns take the matrix; what is exported is the whole pipeline.
            return np.asarray(getattr(Pipeline(self.pipeline.steps[1:]), method)(values), dtype=np.float64)


@dataclass(frozen=True)
class Fitted(FittedPipeline):
    """A fitted pipeline of so many classes."""

    classes: int

    def predict(self, encoded: Encoded) -> NDArray[np.float64]:
        """Probabilities [rows, classes]; a class that was not among the fitted rows gets 0."""
        found = self.answers(encoded, "predict_proba")
        result = np.zeros((encoded.rows, self.classes))
        result[:, np.asarray(self.pipeline.classes_, dtype=int)] = found
        return result

    @property
    def complete(self) -> bool:
        """Whether every class was among the fitted rows: else the exported model lacks a column."""
        return len(self.pipeline.classes_) == self.classes


@cache
def threads() -> ThreadpoolController:
    """The thread pools of the libraries that this module imports; to find them takes a millisecond or two."""
    return ThreadpoolController()


def fit(
    name: str,
    encoded: Encoded,
    labels: NDArray[np.int64],
    *,
    classes: int,
    seed: int,
    class_weight: str = "none",
    params: Mapping[str, Any] | None = None,
    selection: str = "none",
    share: float = 1.0,
) -> Fitted:
    """Fit one family on rows with class indices [rows]; raises `TrainingError` when there are not two classes.

    `selection` (of `training.families.spaces.SELECTIONS`) keeps a `share` of the encoded columns, chosen on these rows.
    A column that is empty or constant in these rows does not enter the model: what a model makes of its first other
    value is chance. Raises `ValueError` when no column is left.
    On one thread, so that the same rows give the same bits on any machine.
    """
    if len(np.unique(labels)) < 2:
        raise TrainingError(
            f"{name}: all {len(labels)} rows to fit on are of one class; a classifier needs rows of at least two"
        )
    family = MAJORITY if name == MAJORITY.name else FAMILIES[name]
    weight = compute_sample_weight("balanced", labels) if class_weight == "balanced" else None
    pipeline, used = fit_pipeline(
        family, encoded, labels, seed=seed, params=params, selection=selection, share=share, weight=weight,
        any_columns=family is MAJORITY,
    )  # fmt: skip
    return Fitted(pipeline, encoded.numbers.shape[1], encoded.categories.shape[1], used, classes)


def fit_pipeline(
    family: Family,
    encoded: Encoded,
    target: NDArray[Any],
    *,
    seed: int,
    params: Mapping[str, Any] | None,
    selection: str,
    share: float,
    weight: NDArray[np.float64] | None = None,
    any_columns: bool = False,
) -> tuple[Pipeline, Columns]:
    """The fitted pipeline of a family and the columns that it uses; `target` has class indices or numbers [rows].

    Raises `ValueError` when no column tells rows apart, unless it may take `any_columns`.
    """
    used = informative(encoded)
    if not used.numbers and not used.categories:
        if not any_columns:
            raise ValueError(f"every feature is empty or constant in the {encoded.rows} rows to fit on")
        used = Columns(tuple(range(encoded.numbers.shape[1])), tuple(range(encoded.categories.shape[1])))
    model = family.build(seed, family.space.params(params))
    with warnings.catch_warnings(), threads().limit(limits=1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # it shows in the score, which is what decides
        columns = preprocessing.fit(encoded, used.numbers, used.categories, scaled=family.scaled)
        values = preprocessing.transform(columns, encoded)
        steps: list[tuple[str, Any]] = [("columns", columns)]
        selector = _selector(selection, share, values.shape[1], seed, numbers=target.dtype.kind == "f")
        if selector is not None:
            warnings.simplefilter("ignore", UserWarning)  # "features are constant": they are left out first
            warnings.simplefilter("ignore", RuntimeWarning)
            values = selector.fit(values, target).transform(values)
            steps.append(("select", selector))
        model.fit(values, target, **({} if weight is None else {"sample_weight": weight}))
        round_model(model)
    return Pipeline([*steps, ("model", model)]), used


def _selector(selection: str, share: float, width: int, seed: int, *, numbers: bool) -> Any:
    """What keeps a share of the encoded columns; None keeps them all.

    At least two are kept: the converter takes the first column alone for none at all.
    """
    columns_kept = max(2, round(share * width))
    if selection == "none" or columns_kept >= width:
        return None
    if selection == "univariate":
        return SelectKBest(f_regression if numbers else f_classif, k=columns_kept)
    if selection == "model":
        of = ExtraTreesRegressor if numbers else ExtraTreesClassifier
        forest = of(n_estimators=50, min_samples_leaf=5, n_jobs=1, random_state=seed)
        return SelectFromModel(forest, threshold=-np.inf, max_features=columns_kept)
    raise TrainingError(f"There is no feature selection '{selection}'")


def round_model(model: Any) -> None:
    """Round in place what the converter would round otherwise, or what shows far out: thresholds down, weights."""
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        for predictors in model._predictors:
            for predictor in predictors:
                predictor.nodes["num_threshold"] = _float32_below(predictor.nodes["num_threshold"])
    if isinstance(model, MLPClassifier | MLPRegressor):
        model.coefs_ = [preprocessing.float32(layer) for layer in model.coefs_]
        model.intercepts_ = [preprocessing.float32(layer) for layer in model.intercepts_]


def _float32_below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest float32 that is not above each value."""
    nearest = np.asarray(values, dtype=np.float32)
    below = np.where(nearest.astype(np.float64) > values, np.nextafter(nearest, np.float32(-np.inf)), nearest)
    return below.astype(np.float64)
