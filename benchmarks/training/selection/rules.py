"""Rules that choose a trial of a split by what cross-validation says of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain

import numpy as np

from andamio.stats.metrics import higher_is_better, score
from benchmarks.training.selection.splits import Scored, Split
from training.families.spaces import PLAIN
from training.trials.loss_guard import LossGap, loss_gap
from training.trials.selection import Score, choose, near, standard_error

Rule = Callable[[Split], Scored]


def scores(split: Split) -> list[Score]:
    """The trials as training's own rule takes them."""
    return [
        Score(
            str(place),
            figures["simplicity"],
            figures["mean"],
            tuple(figures["folds"]),
            figures["test_to_train"],
            figures["columns"],
            figures["size_bytes"],
        )
        for place, figures in enumerate(each.figures for each in split.trials)
    ]


def default(split: Split) -> Scored:
    """Logistic regression with its defaults."""
    return next(trial for trial in split.trials if trial.figures["id"] == PLAIN)


def gap(split: Split, trial: Scored) -> LossGap:
    """The log loss of a trial beside plain logistic regression's, both calibrated and out of fold."""
    ratio = trial.figures["test_to_train"]
    rows = np.arange(len(split.train))
    return loss_gap(trial.out_of_fold, default(split).out_of_fold, split.train, rows, ratio)


def adopted(split: Split) -> Scored:
    """The rule that training has."""
    return _first(split, scores(split), guarded=True)


def unguarded(split: Split) -> Scored:
    """The same without the guard."""
    return _first(split, scores(split), guarded=False)


def best(split: Split) -> Scored:
    """The best mean."""
    ranked = sorted(scores(split), key=lambda each: -_sign(split) * each.mean)
    return split.trials[int(ranked[0].trial)]


def guarded_best(split: Split) -> Scored:
    """The best mean that passes the guard."""
    ranked = sorted(scores(split), key=lambda each: -_sign(split) * each.mean)
    return next(trial for trial in (split.trials[int(each.trial)] for each in ranked) if passes(split, trial))


def own_error(split: Split) -> Scored:
    """The simplest whose mean is within the standard error of the best one's own mean."""
    ranked = sorted(scores(split), key=lambda each: -_sign(split) * each.mean)
    error = standard_error([value for value in ranked[0].folds if value is not None], ranked[0].test_to_train)
    close = [each for each in ranked if _sign(split) * (ranked[0].mean - each.mean) <= error]
    return split.trials[int(min(close, key=lambda each: (each.simplicity, each.columns, each.size)).trial)]


def simplest_family(split: Split, *, guarded: bool = False) -> Scored:
    """Within one paired standard error of the best the simplest family, and the best trial of it."""
    sign = _sign(split)
    ranked = sorted(scores(split), key=lambda each: -sign * each.mean)
    close = near(ranked, higher_is_better=sign > 0)
    order = chain(sorted(close, key=lambda each: (each.simplicity, -sign * each.mean)), ranked)
    trials = (split.trials[int(each.trial)] for each in order)
    return next(trial for trial in trials if not guarded or passes(split, trial))


def lowest_loss(split: Split) -> Scored:
    """The lowest calibrated out-of-fold log loss."""
    return min(
        split.trials, key=lambda trial: score("log_loss", split.train, trial.out_of_fold, positive=split.positive)
    )


def nearest(split: Split) -> set[str]:
    """The ids of the trials that are near the best."""
    ranked = sorted(scores(split), key=lambda each: -_sign(split) * each.mean)
    return {split.trials[int(each.trial)].figures["id"] for each in near(ranked, higher_is_better=_sign(split) > 0)}


def passes(split: Split, trial: Scored) -> bool:
    """Whether the guard lets a trial pass."""
    return not gap(split, trial).beyond_noise


def _first(split: Split, ranked: Sequence[Score], *, guarded: bool) -> Scored:
    chosen = choose(
        ranked,
        higher_is_better=_sign(split) > 0,
        passes=lambda name: not guarded or passes(split, split.trials[int(name)]),
    )
    return split.trials[int(chosen[0].trial)]


def _sign(split: Split) -> float:
    return 1.0 if higher_is_better(split.metric) else -1.0


RULES: Mapping[str, Rule] = {
    "own error of the best": own_error,
    "paired error": unguarded,
    "paired error and guard": adopted,
    "paired error, best of the simplest family": simplest_family,
    "the same and guard": lambda split: simplest_family(split, guarded=True),
    "best mean": best,
    "best mean and guard": guarded_best,
    "lowest log loss": lowest_loss,
    "plain logistic regression": default,
}
"""By the name that the results give them."""
