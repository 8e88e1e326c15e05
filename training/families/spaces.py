"""The search space of each family: its defaults, and the ranges of its hyperparameters. Data only.

Known to the function that suggests trials, which has no scikit-learn: `training.families` builds what is named
here. A family's defaults are the first trial of it, so a search is never worse than no search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Real:
    """A number between two ends, both included, in steps where there are any; `log`: as likely in each decade."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two ends, both included, in steps; `log`: as likely in each decade."""

    low: int
    high: int
    log: bool = False
    step: int = 1


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few values without an order."""

    values: tuple[str | float | bool | None, ...]


Dimension = Real | Whole | OneOf


@dataclass(frozen=True, slots=True)
class Space:
    """One family: its rank in simplicity (0 is the simplest), its defaults, and what of them is varied where."""

    simplicity: int
    defaults: Mapping[str, Any]
    varied: Mapping[str, Dimension] = field(default_factory=dict)

    def params(self, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All hyperparameters of one trial: the family's own, overridden by what is given."""
        return {**self.defaults, **(given or {})}


_FOREST: Mapping[str, Dimension] = {
    "n_estimators": Whole(100, 500, step=50),
    "min_samples_leaf": Whole(1, 20, log=True),
    "max_features": OneOf(("sqrt", 0.3, 0.6, 1.0)),
    "max_leaf_nodes": Whole(8, 512, log=True),
}
_FOREST_DEFAULTS = {"n_estimators": 300, "min_samples_leaf": 5, "max_features": "sqrt", "max_leaf_nodes": 512}

# In order of simplicity: what a person can read off, then votes of trees, then sums of trees, then a net, then what
# carries rows of train with it.
SPACES: Mapping[str, Space] = {
    "logistic_regression": Space(0, {"C": 1.0, "max_iter": 2000}, {"C": Real(1e-3, 1e2, log=True)}),
    "random_forest": Space(1, _FOREST_DEFAULTS, _FOREST),
    "extra_trees": Space(2, _FOREST_DEFAULTS, _FOREST),
    "gradient_boosting": Space(
        3,
        {"n_estimators": 150, "learning_rate": 0.05, "max_depth": 3, "min_samples_leaf": 5, "subsample": 0.8},
        {
            "n_estimators": Whole(50, 400, step=50),
            "learning_rate": Real(0.01, 0.3, log=True),
            "max_depth": Whole(1, 6),
            "min_samples_leaf": Whole(1, 30, log=True),
            "subsample": Real(0.5, 1.0),
        },
    ),
    "hist_gradient_boosting": Space(
        4,
        {
            "max_iter": 150,
            "learning_rate": 0.05,
            "max_leaf_nodes": 15,
            "min_samples_leaf": 10,
            "l2_regularization": 1e-3,
        },
        {
            "max_iter": Whole(50, 400, step=50),
            "learning_rate": Real(0.01, 0.3, log=True),
            "max_leaf_nodes": Whole(3, 63, log=True),
            "min_samples_leaf": Whole(5, 60, log=True),
            "l2_regularization": Real(1e-3, 10.0, log=True),
        },
    ),
    "mlp": Space(
        5,
        {"width": 16, "layers": 1, "alpha": 1e-2, "learning_rate_init": 3e-3, "max_iter": 300},
        {
            "width": Whole(4, 64, log=True),
            "layers": Whole(1, 2),
            "alpha": Real(1e-5, 1.0, log=True),
            "learning_rate_init": Real(1e-3, 3e-2, log=True),
            "max_iter": Whole(100, 500, step=100),
        },
    ),
    "svm": Space(
        6,
        {"C": 1.0, "gamma": "scale"},
        {"C": Real(1e-2, 1e2, log=True), "gamma": OneOf(("scale", 0.003, 0.01, 0.03, 0.1, 0.3))},
    ),
}

KEEP_ROWS = frozenset({"svm"})
"""Families whose model holds rows of train, and whose time grows with the square of the rows or faster."""

SELECTIONS = ("none", "univariate", "model")
"""How columns are chosen inside the pipeline: not at all, each by its F statistic, or by a forest's importances."""

SHARE = Real(0.2, 0.9)
"""The share of encoded columns that a selection keeps."""

RIDGE = Space(0, {"alpha": 1.0}, {"alpha": Real(1e-3, 1e4, log=True)})
"""In place of logistic regression, where the target is a number: all other families are the same."""

BASELINES: Mapping[str, Space] = {"majority_class": Space(-1, {})}
"""Scored beside the trials so that theirs can be judged; never exported."""
BASELINES_OF_NUMBERS: Mapping[str, Space] = {"median": Space(-1, {})}

PLAIN, PLAIN_OF_NUMBERS = "logistic_regression", "ridge"
"""The family whose defaults are always scored in the first round, whichever families were asked for."""
PLAINS = frozenset({PLAIN, PLAIN_OF_NUMBERS})


OWN, OWN_SIMPLICITY = "pipeline", 7
"""The family of a problem's own pipeline.py, whose space its code says. It ranks last: its simplicity is unknown."""


def space_of(family: str, own: Space | None = None) -> Space:
    """The space of a family or of a baseline, of whichever task; `own` is that of the problem's pipeline.py."""
    if family == OWN:
        assert own is not None, "a plan with the family has its space"
        return own
    if family == PLAIN_OF_NUMBERS:
        return RIDGE
    return SPACES[family] if family in SPACES else {**BASELINES, **BASELINES_OF_NUMBERS}[family]


OPTUNA = "4.9.0"
"""The version whose suggestions make a run repeatable; it is part of a run's identity."""
