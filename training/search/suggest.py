"""Which trials to try next: the only place that knows Optuna.

A study lives in memory for one call: it is rebuilt from the list of trials that storage holds, gives its
suggestions, and is forgotten. The same list and seed give the same suggestions.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.trial import FrozenTrial, TrialState

from training.documents import StudyTrial
from training.families.spaces import OWN, SELECTIONS, SHARE, Dimension, OneOf, Real, Space, space_of

FAMILY, SELECTION, KEPT_SHARE = "family", "selection", "share"
STARTUP_TRIALS = 12
"""So many results are waited for, drawn at random beside the defaults, before the sampler models them."""
TRIES = 20
"""How often one suggestion is asked for again when it has been tried already."""

_STATES = {"done": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}

optuna.logging.set_verbosity(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A point of the search space: all hyperparameters of a family, and how columns are selected."""

    family: str
    params: dict[str, Any]
    selection: str = "none"
    share: float = 1.0

    @property
    def key(self) -> str:
        """The same for two suggestions that mean the same trial."""
        return json.dumps(asdict(self), sort_keys=True)


def default(family: str, own: Space | None = None) -> Suggestion:
    """A family as it is without any search."""
    return Suggestion(family, space_of(family, own).params())


def suggest(
    families: Sequence[str],
    trials: Sequence[StudyTrial],
    pending: Sequence[Suggestion],
    count: int,
    *,
    seed: int,
    higher_is_better: bool,
    own: Space | None = None,
) -> list[Suggestion]:
    """At most `count` new trials, after finished `trials` (with status, and mean when done).

    `pending` are trials of the same round that are not scored yet, `own` is the space of the problem's pipeline.py.
    Fewer are returned when the space is used up.
    """
    study = rebuild(families, trials, seed=seed, higher_is_better=higher_is_better, own=own)
    known_keys = {_suggestion(trial).key for trial in trials} | {suggestion.key for suggestion in pending}
    found: list[Suggestion] = []
    for _ in range(count):
        for _ in range(TRIES):
            trial = study.ask()
            drawn = _draw(trial, families, own)
            if drawn.key not in known_keys:
                known_keys.add(drawn.key)
                found.append(drawn)
                break
            study.tell(trial, state=TrialState.FAIL)
    return found


def rebuild(
    families: Sequence[str],
    trials: Sequence[StudyTrial],
    *,
    seed: int,
    higher_is_better: bool,
    own: Space | None = None,
) -> optuna.Study:
    """The Optuna study of a list of trials."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # the version is pinned, so the experiment is over
        sampler = optuna.samplers.TPESampler(
            seed=seed, n_startup_trials=STARTUP_TRIALS, multivariate=True, group=True, constant_liar=True
        )
    study = optuna.create_study(sampler=sampler, direction="maximize" if higher_is_better else "minimize")
    for trial in trials:
        study.add_trial(_frozen(trial, families, own))
    return study


def _frozen(trial: StudyTrial, families: Sequence[str], own: Space | None) -> FrozenTrial:
    suggestion = _suggestion(trial)
    params: dict[str, Any] = {FAMILY: suggestion.family}
    distributions: dict[str, BaseDistribution] = {FAMILY: CategoricalDistribution(tuple(families))}
    if suggestion.family != OWN:
        params[SELECTION], distributions[SELECTION] = suggestion.selection, CategoricalDistribution(SELECTIONS)
    for name, dimension in space_of(suggestion.family, own).varied.items():
        params[f"{suggestion.family}.{name}"] = suggestion.params[name]
        distributions[f"{suggestion.family}.{name}"] = _distribution(dimension)
    if suggestion.selection != "none":
        params[KEPT_SHARE], distributions[KEPT_SHARE] = suggestion.share, _distribution(SHARE)
    state = _STATES[trial.status]
    value = trial.mean if state == TrialState.COMPLETE else None
    return optuna.trial.create_trial(state=state, params=params, distributions=distributions, value=value)


def _draw(trial: optuna.Trial, families: Sequence[str], own: Space | None) -> Suggestion:
    """Ask for one point, family first, in the order and under the names in which `_frozen` tells them.

    A problem's own pipeline selects its columns itself.
    """
    family = str(trial.suggest_categorical(FAMILY, tuple(families)))
    selection = "none" if family == OWN else str(trial.suggest_categorical(SELECTION, SELECTIONS))
    varied = {
        name: trial._suggest(f"{family}.{name}", _distribution(dimension))
        for name, dimension in space_of(family, own).varied.items()
    }
    share = 1.0 if selection == "none" else float(trial._suggest(KEPT_SHARE, _distribution(SHARE)))
    return Suggestion(family, space_of(family, own).params(varied), selection, share)


def _distribution(dimension: Dimension) -> BaseDistribution:
    if isinstance(dimension, OneOf):
        return CategoricalDistribution(dimension.values)
    if isinstance(dimension, Real):
        return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)
    return IntDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _suggestion(trial: StudyTrial) -> Suggestion:
    return Suggestion(trial.family, trial.params, trial.selection, trial.share)
