"""A training run's folder: every step writes one result, once, and checks what the steps before it left.

A result is written last and never over another, so a step that is run again returns what is there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from andamio.contract import Contract
from andamio.errors import ObjectNotFound, TrainingError
from andamio.storage import documents, layout
from andamio.storage.documents import Document, Kind, digest
from andamio.storage.ports import Objects
from training.documents import FIT, TRIAL, FittedModel, NoModel, RoundResult, ScoredTrial, TrainingPlan, UnscoredTrial

PLAN_FILE = "plan.json"
CONTRACT = "contract.json"
FOLDS_FILE = "folds.npy"
"""The fold in which each row of train is scored, a row a repeat: int8 [repeats, rows]."""
PLACES_FILE = "places.npy"
"""The place of each row of train in its nested samples: float32 [rows]."""
FIT_FILE = "fit.json"
EVALUATION_FILE = "evaluation.json"

CONTINUE: Final[Literal["continue"]] = "continue"
ENOUGH: Final[Literal["enough"]] = "enough"
"""What a round says of the search: another one, or not."""


def trial_file(trial: str) -> str:
    """The result of one trial, inside a run's folder."""
    return f"trials/{trial}.json"


def scores_file(trial: str) -> str:
    """The out-of-fold probabilities of one trial: a .npy without pickles, float64 [rows, classes]."""
    return f"trials/{trial}.npy"


def round_trials_file(number: int) -> str:
    """The trials of one round of the search, 1 the first."""
    return f"rounds/{number:04d}/trials.json"


def round_result_file(number: int) -> str:
    """The results of one round of the search, and whether it continues."""
    return f"rounds/{number:04d}/result.json"


def lost_file(trial: str) -> str:
    """Why a trial's function left no result. It is not a result: the next run of the trial writes one."""
    return f"lost/{trial}.json"


def candidate_file(file: str) -> str:
    """One file of what training offers as a release."""
    return f"candidate/{file}"


def decision_file(decision: str) -> str:
    """The decision of the gate at one state of the pointer."""
    return f"decisions/{decision}.json"


def promotion_file(decision: str) -> str:
    """That the candidate was promoted after one decision, written when MLflow has it too."""
    return f"promoted/{decision}.json"


def registered_file(decision: str) -> str:
    """The MLflow version and the release of the candidate, after one decision."""
    return f"registered/{decision}.json"


@dataclass(frozen=True, slots=True)
class Run:
    """One training run: its id and the bucket that holds its folder."""

    id: str
    models: Objects

    def key(self, file: str) -> str:
        """The key of one file of the folder."""
        return layout.run(self.id, file)

    def find[D](self, file: str, kind: Kind[D]) -> D | None:
        """A result, or None when its step has not run yet."""
        return documents.find(self.models, self.key(file), kind)

    def need[D](self, file: str, kind: Kind[D], step: str) -> D:
        """A result that must be there; raises `TrainingError` that names the step that writes it."""
        found = self.find(file, kind)
        if found is None:
            raise TrainingError(f"{self.key(file)} is missing: the step '{step}' has to run first")
        return found

    def read(self, file: str, sha256: str, step: str) -> bytes:
        """A file whose digest another result vouches for; raises `TrainingError` when it is not that file."""
        try:
            body = self.models.get(self.key(file)).body
        except ObjectNotFound:
            raise TrainingError(f"{self.key(file)} is missing: the step '{step}' has to run first") from None
        if digest(body) != sha256:
            raise TrainingError(f"{self.key(file)} is not what the step '{step}' wrote: its digest differs")
        return body

    def write(self, file: str, body: bytes) -> str:
        """Write a file that a result will vouch for, and return its digest."""
        self.models.put(self.key(file), body)
        return digest(body)

    def once[D: Document](self, file: str, kind: Kind[D], compute: Callable[[], D]) -> D:
        """The stored result of a step, or else what `compute` returns, stored; the first writer wins."""
        return documents.once(self.models, self.key(file), kind, compute)

    def plan(self) -> TrainingPlan:
        """What the run does; raises `TrainingError` when it was not planned."""
        return self.need(PLAN_FILE, TrainingPlan, "plan")

    def fit(self) -> FittedModel | NoModel:
        """The result of the fit; raises `TrainingError` when there is none yet."""
        return self.need(FIT_FILE, FIT, "fit")

    def search(self) -> RoundResult:
        """What the search knew at its end; raises `TrainingError` while it has rounds to go."""
        number = 1
        while (result := self.need(round_result_file(number), RoundResult, "tell")).status != ENOUGH:
            number += 1
        return result

    def trials(self) -> list[ScoredTrial | UnscoredTrial]:
        """The results of every trial of a search that has ended, baselines first, in order."""
        return [self.need(trial_file(trial), TRIAL, f"trial {trial}") for trial in self.search().trials]

    def contract(self) -> Contract:
        """The contract that the run was planned with, not yet sealed."""
        try:
            return Contract.from_json(self.models.get(self.key(CONTRACT)).body)
        except ObjectNotFound:
            raise TrainingError(f"{self.key(CONTRACT)} is missing: the step 'plan' has to run first") from None
