"""The record of a training run: everything that MLflow, the card and the release are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from andamio.contract import Contract
from andamio.dataset.documents import DatasetAudit, DatasetManifest, DatasetProfile
from andamio.dataset.version import AUDIT, MANIFEST, PROFILE, REPORT
from andamio.errors import ObjectNotFound, TrainingError
from andamio.release.release import IMPORTANCE
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from registry.card import Card, Facts
from training.documents import FittedModel, NoModel, ScoredTrial, TrainingPlan, UnscoredTrial
from training.evaluate.documents import Evaluation, GateDecision, Importance
from training.run import EVALUATION_FILE, Run, candidate_file, decision_file

PLOTS = "plots/"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where things come from: `datasets` is where data versions lie, as a URI; `lock` the digest of the lock file."""

    datasets: str
    lock: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is tracked of a training run; without a model, `contract`, `onnx` and what follows from them are None.

    `source` is the URI of the data version's folder, `audit` and `report` what ETL found out about it.
    """

    run: str
    problem: str
    source: str
    lock: str
    plan: TrainingPlan
    trials: list[ScoredTrial | UnscoredTrial]
    fit: FittedModel | NoModel
    evaluation: Evaluation | None
    decision: GateDecision | None
    contract: Contract | None
    onnx: bytes | None
    profile: DatasetProfile | None = None
    manifest: DatasetManifest | None = None
    audit: DatasetAudit | None = None
    report: bytes | None = None
    importance: Importance | None = None
    plots: dict[str, bytes] = field(default_factory=dict)
    decision_day: str = ""
    card: Card | None = None

    def facts(self) -> Facts | None:
        """What a card is made of; None when the run ended without a model."""
        if (
            not isinstance(self.fit, FittedModel)
            or self.evaluation is None
            or self.decision is None
            or self.contract is None
            or self.importance is None
        ):
            return None
        return Facts(
            run=self.run,
            plan=self.plan,
            fit=self.fit,
            evaluation=self.evaluation,
            decision=self.decision,
            contract=self.contract,
            manifest=self.manifest,
            profile=self.profile,
            audit=self.audit,
            importance=self.importance,
            lock=self.lock,
            decision_day=self.decision_day,
            report=self.source + REPORT if self.report is not None else "",
        )


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """Where a record is in MLflow; `version` and `mlmodel` are None when it has no model."""

    run_id: str
    version: str | None
    mlmodel: bytes | None


class Tracker(Protocol):
    """The experiment tracker as registration uses it: each call may be repeated."""

    def log(self, record: Record) -> TrackedRun:
        """Write the record, or find it written."""

    def record_release(self, tracked_version: str, release: str) -> None:
        """Note which release a model version became."""

    def version_of(self, release: str) -> str | None:
        """The model version that became a release; None where there is none."""

    def point(self, alias: str, version: str) -> None:
        """Give a model version an alias, taking it from whichever had it."""

    def unpoint(self, alias: str, version: str) -> None:
        """Take an alias from a model version, if it has it."""

    def version_with(self, alias: str) -> str | None:
        """The model version that has an alias; None where none has."""

    def tag_outcome(self, version: str, outcome: str) -> None:
        """Record what became of a model version, and of the run that made it."""

    def outcome_of(self, version: str) -> str:
        """What is on record as having become of a model version; "" where nothing is."""

    def conclude(self, run_id: str, version: str | None, outcome: str) -> None:
        """Record the outcome of a run and its model version."""


Trackers = Callable[[str], Tracker]


def read_record(lake: Objects, run: Run, decision: str | None, origin: Origin) -> Record:
    """Collect a run's results; raises `TrainingError` that names the step whose result is missing."""
    plan, fit = run.plan(), run.fit()
    fitted = fit if isinstance(fit, FittedModel) else None
    if fitted and decision is None:
        raise TrainingError(f"Run {run.id} has a candidate, and no decision was named: the step 'decide' comes first")

    def candidate(name: str) -> bytes | None:
        return run.read(candidate_file(name), fitted.files[name], "fit") if fitted else None

    version = plan.dataset
    contract, profile = candidate("contract.json"), candidate(PROFILE)
    profile_key = run.key(candidate_file(PROFILE))
    evaluation = run.need(EVALUATION_FILE, Evaluation, "evaluate") if fitted else None
    return Record(
        run=run.id,
        problem=plan.problem,
        source=f"{origin.datasets}{version}/",
        lock=origin.lock,
        plan=plan,
        trials=fit.trials,
        fit=fit,
        evaluation=evaluation,
        decision=run.need(decision_file(decision), GateDecision, "decide") if decision is not None else None,
        contract=None if contract is None else Contract.from_json(contract),
        onnx=candidate("model.onnx"),
        profile=None if profile is None else documents.parse(profile, DatasetProfile, profile_key),
        manifest=documents.find(lake, layout.dataset(version, MANIFEST), DatasetManifest),
        audit=documents.find(lake, layout.dataset(version, AUDIT), DatasetAudit),
        report=_bytes(lake, layout.dataset(version, REPORT)),
        importance=_importance(run, evaluation) if evaluation else None,
        plots=_plots(run, evaluation) if evaluation else {},
        decision_day=_day(run, decision),
    )


def _importance(run: Run, evaluation: Evaluation) -> Importance:
    """The features' importance, as the evaluation vouches for it."""
    body = run.read(IMPORTANCE, evaluation.files[IMPORTANCE], "evaluate")
    return documents.parse(body, Importance, run.key(IMPORTANCE))


def _plots(run: Run, evaluation: Evaluation) -> dict[str, bytes]:
    """The evaluation's plots, SVG by name ("roc")."""
    return {
        file.removeprefix(PLOTS).removesuffix(".svg"): run.read(file, digest, "evaluate")
        for file, digest in evaluation.files.items()
        if file.startswith(PLOTS)
    }


def _day(run: Run, decision: str | None) -> str:
    """The day of the decision, which is written once."""
    if decision is None:
        return ""
    return run.models.head(run.key(decision_file(decision))).modified.date().isoformat()


def _bytes(lake: Objects, key: str) -> bytes | None:
    try:
        return lake.get(key).body
    except ObjectNotFound:
        return None
