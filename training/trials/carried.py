"""What a trial of a race was scored on before, on all rows of train: the same folds are not fitted again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from training.documents import TRIAL, ScoredTrial, TrainingPlan, TrialSpec
from training.npy import from_npy
from training.run import Run, scores_file, trial_file
from training.rungs import place_of


@dataclass(frozen=True, slots=True)
class Carried:
    """The first `folds` of the first drawing: their probabilities, in `out_of_fold` [rows, outputs], NaN elsewhere.

    `columns` is the sum of those that their models see, `size_bytes` the size of the largest model.
    """

    folds: int
    out_of_fold: NDArray[Any]
    columns: int
    size_bytes: int


def carried(run: Run, plan: TrainingPlan, spec: TrialSpec) -> Carried | None:
    """What the rung before left of a trial; None where it is the first one, or had not all rows.

    A trial that did not fit into its function was given fewer rows than its rung says: nothing of it is carried.
    """
    place = place_of(spec.id, plan.rungs)
    if spec.baseline or not place or plan.rungs[place - 1].rows < plan.rows:
        return None
    rung = plan.rungs[place - 1]
    name = rung.of(spec.trial)
    result = run.find(trial_file(name), TRIAL)
    if not isinstance(result, ScoredTrial) or result.limited is not None:
        return None
    scores = from_npy(run.read(scores_file(name), result.scores, f"trial {name}"))
    return Carried(rung.folds, scores, round(result.columns * rung.folds), result.size_bytes)
