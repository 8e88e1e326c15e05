"""What a problem asks for: a class of several, or a number. One object says how the two differ.

A room that has to treat them differently matches on the type of `contract.task`, in one place; everything else
takes `outputs`, `tensor` and the truth as they are. The truth is class indices (int64) or numbers (float64), and a
score matrix is `[rows, len(outputs)]` for both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from andamio.contract.tables import (
    DEFAULT_FAMILIES,
    DEFAULT_REGRESSORS,
    ClassificationMetric,
    Classifier,
    RegressionMetric,
    Regressor,
    TaskName,
)

PROBABILITIES, VALUE = "probabilities", "value"
"""The tensor that an exported model gives: float32 `[rows, outputs]`."""


@dataclass(frozen=True, slots=True)
class Classification:
    """A class of several: `positive` is the column of the positive one, -1 where there are more than two."""

    outputs: tuple[str, ...]
    """The keys of the classes: column j of every matrix of probabilities is class j."""
    positive: int

    name: ClassVar[TaskName] = "classification"
    tensor: ClassVar = PROBABILITIES
    metrics: ClassVar[tuple[str, ...]] = get_args(ClassificationMetric)
    default_metric: ClassVar = "roc_auc"
    families: ClassVar[tuple[str, ...]] = get_args(Classifier)
    default_families: ClassVar[tuple[str, ...]] = DEFAULT_FAMILIES
    linear: ClassVar = "logistic_regression"
    """The family that every other is compared with."""
    floor: ClassVar[Literal["majority_class", "median"]] = "majority_class"
    """The baseline that looks at no feature."""

    @property
    def described(self) -> str:
        """What a row's answer is, for a message."""
        return f"{len(self.outputs)} classes"

    @property
    def answers(self) -> str:
        """What a model of it does, as a verb with its object."""
        return f"tells {', '.join(self.outputs)} apart"

    start_over: ClassVar = "the new classes"
    """What a model would start over with, that cannot be compared with the one before."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A number in `unit`, from `low` to `high` (None: no bound), with an interval that holds it at a `level`."""

    low: float | None
    high: float | None
    unit: str
    log: bool
    """Whether the model is fitted to the logarithm: its errors are ratios then. What it answers is no logarithm."""
    level: float
    """How often the interval of a prediction holds the truth: 0.9 for nine in ten."""

    name: ClassVar[TaskName] = "regression"
    outputs: ClassVar[tuple[str, ...]] = (VALUE,)
    tensor: ClassVar = VALUE
    positive: ClassVar = -1
    metrics: ClassVar[tuple[str, ...]] = get_args(RegressionMetric)
    default_metric: ClassVar = "rmse"
    families: ClassVar[tuple[str, ...]] = get_args(Regressor)
    default_families: ClassVar[tuple[str, ...]] = DEFAULT_REGRESSORS
    linear: ClassVar = "ridge"
    floor: ClassVar[Literal["majority_class", "median"]] = "median"

    def holds(self, value: float) -> bool:
        """Whether a number lies within the target's range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)

    @property
    def described(self) -> str:
        """What a row's answer is, for a message."""
        return "one number each"

    @property
    def answers(self) -> str:
        """What a model of it does, as a verb with its object."""
        return f"predicts a number{f' of {self.unit}' if self.unit else ''}"

    start_over: ClassVar = "another target"


Task = Classification | Regression
