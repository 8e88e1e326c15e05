"""How long training takes: from fits on a sample, scaled to all rows and all trials of a contract."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from andamio.cli.check.families import Trained
from andamio.contract import Contract
from training.compute import fits_function
from training.search.racing import FEWEST, KEPT
from training.trials.folds import FOLDS
from training.trials.sample import repeats_of, steps

FUNCTION = 1.6
"""How many times longer one thread of a function takes than one of a common machine of today."""
ROUND_SECONDS = 6.0
"""What a round of the search takes besides its trials: starts of functions, and states of the machine."""
REST_SECONDS = 60.0
"""What ETL, fit, evaluation and registration take of a small problem, on AWS."""
_LOCAL_REST = 40.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """Seconds of training here and on AWS, the fits that they are for, and whether functions suffice."""

    here: float
    aws: float
    fits: int
    function: bool


def estimate(contract: Contract, families: Sequence[Trained], rows: int) -> Estimate:
    """Training on so many rows of train, by what each family took on a sample."""
    settings = contract.training
    works = [family for family in families if not family.why]
    fits = fits_of(settings.trials, FOLDS * repeats_of(settings, rows), rows)
    work = sum(
        number * seconds_of(family, math.ceil(share * rows)) / len(works) for share, number in fits for family in works
    )
    rounds = -(-settings.trials // settings.parallel) + len(steps(rows))
    budget = settings.budget_minutes * 60
    threads = max(1, min(settings.parallel, os.cpu_count() or 1))
    here = min(work / threads + rounds * ROUND_SECONDS / threads, budget) + _LOCAL_REST
    aws = min(FUNCTION * work / settings.parallel + rounds * ROUND_SECONDS, budget) + REST_SECONDS
    offered = settings.compute
    function = offered == "function" or (offered == "auto" and fits_function(rows, len(contract.features)))
    return Estimate(here, aws, sum(number for _, number in fits), function)


def fits_of(trials: int, folds: int, rows: int) -> list[tuple[float, int]]:
    """The fits of so many trials, each of so many folds, on so many rows of train: of each rung of a race, and of what
    is left after it, the share of the rows and the number of fits.

    As many trials go on as a rung lets, and plain logistic regression. Folds that had all rows are not fitted again.
    """
    found, going, done = [], trials, 0
    for share, taken in steps(rows):
        found.append((share, going * (taken - done)))
        done = taken if share == 1 else 0
        going = min(going, max(FEWEST, math.ceil(going / KEPT)) + 1)
    return [*found, (1.0, going * (folds - done))]


def seconds_of(family: Trained, rows: int) -> float:
    """A fit on so many rows: a part that does not depend on them, and one that grows with them."""
    (few, more), (one, other) = family.rows, family.seconds
    slope = max(0.0, other - one) / max(more - few, 1)
    return max(other - slope * more, 0.0) + slope * rows
