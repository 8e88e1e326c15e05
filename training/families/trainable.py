"""The families of a task, and the fit of one: the one place of training that asks which task it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Classification, Regression, Task
from andamio.records.encode import Encoded
from training.documents import TrialSpec
from training.families import catalog, regression
from training.families.catalog import Family, FittedPipeline
from training.families.spaces import OWN
from training.own.fit import OwnPipeline
from training.own.fit import fit as fit_own


def families_of(task: Task) -> Mapping[str, Family]:
    """The families that a task can be trained with, by name."""
    match task:
        case Classification():
            return catalog.FAMILIES
        case Regression():
            return regression.REGRESSORS


def families_asked(contract: Contract, families: Sequence[str] | None = None, *, own: bool) -> tuple[str, ...]:
    """The families asked for; the problem's `own`, where it has one, is among them unless somebody chose others."""
    chosen = families or contract.training.families
    if not families and own and tuple(chosen) == tuple(contract.task.default_families):
        chosen = (*chosen, OWN)
    return tuple(dict.fromkeys(chosen))


def fit_spec(
    contract: Contract,
    encoded: Encoded,
    truth: NDArray[Any],
    spec: TrialSpec,
    seed: int,
    own: OwnPipeline | None = None,
) -> FittedPipeline:
    """Fit a trial by its specification, in cross-validation and on all of train."""
    given: dict[str, Any] = {"params": spec.params, "selection": spec.selection, "share": spec.share}
    return fit_family(contract, spec.family, encoded, truth, seed, own=own, **given)


def fit_family(
    contract: Contract,
    family: str,
    encoded: Encoded,
    truth: NDArray[Any],
    seed: int,
    *,
    params: Mapping[str, Any] | None = None,
    selection: str = "none",
    share: float = 1.0,
    own: OwnPipeline | None = None,
) -> FittedPipeline:
    """Fit a family of the contract's task; the defaults are the family's own, with every column.

    `own` is the problem's pipeline.py, which only that family needs.
    """
    if family == OWN:
        assert own is not None, "what is not there was refused when the step began"
        return fit_own(own, contract, encoded, truth, params or {}, seed)
    given: dict[str, Any] = {"params": params, "selection": selection, "share": share, "seed": seed}
    match contract.task:
        case Classification() as task:
            weight = contract.training.class_weight
            return catalog.fit(family, encoded, truth, classes=len(task.outputs), class_weight=weight, **given)
        case Regression() as task:
            return regression.fit(family, encoded, truth, task, **given)


def fit_plain(contract: Contract, encoded: Encoded, truth: NDArray[Any], seed: int) -> FittedPipeline:
    """Fit the linear family of a task as it is by default, without class weights: what any other is compared with."""
    match contract.task:
        case Classification() as task:
            return catalog.fit(task.linear, encoded, truth, classes=len(task.outputs), seed=seed)
        case Regression() as task:
            return regression.fit(task.linear, encoded, truth, task, seed=seed)


def floor(contract: Contract, truth: NDArray[Any]) -> NDArray[np.float64]:
    """What a model without any feature says of every row `[outputs]`: the classes' shares, or the median."""
    match contract.task:
        case Classification() as task:
            return np.bincount(truth, minlength=len(task.outputs)) / len(truth)
        case Regression():
            return np.array([np.median(truth)])
