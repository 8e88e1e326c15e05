"""What a card is made of: the files that a run left, as they are."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.contract import Contract
from andamio.dataset.documents import DatasetAudit, DatasetManifest, DatasetProfile
from andamio.gate.decision import Figure
from training.documents import FittedModel, ScoredTrial, TrainingPlan, UnscoredTrial
from training.evaluate.documents import Evaluation, GateDecision, Importance


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a run and its data version wrote down; what may be missing is None or empty.

    `lock` is the SHA-256 of the lock file that the functions were deployed from, `decision_day` the day of the
    decision, `report` where the data version's report is.
    """

    run: str
    plan: TrainingPlan
    fit: FittedModel
    evaluation: Evaluation
    decision: GateDecision
    contract: Contract
    importance: Importance
    manifest: DatasetManifest | None = None
    profile: DatasetProfile | None = None
    audit: DatasetAudit | None = None
    lock: str = ""
    decision_day: str = ""
    report: str = ""

    @property
    def metric(self) -> str:
        """The contract's metric."""
        return self.evaluation.metric

    @property
    def low_evidence(self) -> bool:
        """Whether the holdout has too few rows of a class to judge by."""
        return self.evaluation.low_evidence

    @property
    def evidence(self) -> dict[str, Figure]:
        """The figures to judge by: those of the holdout, or of repeated cross-validation where it is too small."""
        return {**self.evaluation.metrics, **(self.evaluation.cross_validated or {})}

    @property
    def figure(self) -> Figure:
        """The contract's metric, to judge by: value, low, high."""
        return self.evidence[self.metric]

    @property
    def trials(self) -> list[ScoredTrial | UnscoredTrial]:
        """Every trial of the run."""
        return self.fit.trials

    @property
    def offered(self) -> list[ScoredTrial | UnscoredTrial]:
        """The trials that a model could come from: all but yardsticks."""
        return [trial for trial in self.trials if not trial.baseline]

    @property
    def done(self) -> list[ScoredTrial]:
        """The trials that were scored to the end and could be chosen."""
        return [trial for trial in self.offered if isinstance(trial, ScoredTrial)]

    def text(self, key: str) -> str:
        """The text shown for a class."""
        return self.contract.texts.get(key, key)
