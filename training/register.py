"""After the decision: MLflow's record, the sealed release, and the pointer's swap.

The record is written before the pointer moves, so whatever is served can be looked up; the aliases are
moved after it, so that they never claim what did not happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from andamio import release as releases
from andamio.contract import Contract
from andamio.errors import PreconditionFailed, TrainingError
from andamio.ports import Objects
from andamio.serving import Pointer, Served, read_pointer, swap_pointer
from training.runs import (
    EVALUATION,
    FIT,
    PLAN,
    Run,
    candidate_file,
    decision_file,
    registered_file,
    to_json,
    trial_file,
)

CHAMPION, CHALLENGER = "champion", "challenger"
MLMODEL = "model/MLmodel"
ATTEMPTS = 3
"""How often a run is decided on, when somebody else's promotion comes between decision and swap."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is tracked of a training run; `contract` and `onnx` are None when it ended without a model."""

    run: str
    problem: str
    source: str
    plan: dict[str, Any]
    trials: list[dict[str, Any]]
    fit: dict[str, Any]
    evaluation: dict[str, Any] | None
    decision: dict[str, Any] | None
    contract: Contract | None
    onnx: bytes | None


@dataclass(frozen=True, slots=True)
class Tracked:
    """Where a record is in MLflow; `version` and `mlmodel` are None when it has no model."""

    run_id: str
    version: str | None
    mlmodel: bytes | None


class Tracker(Protocol):
    """What registration asks of an experiment tracker: each call may be repeated."""

    def log(self, record: Record) -> Tracked:
        """Write the record, or find it written."""

    def sealed(self, tracked_version: str, release: str) -> None:
        """Note which release a model version became."""

    def point(self, alias: str, version: str) -> None:
        """Give a model version an alias, taking it from whichever had it."""

    def unpoint(self, alias: str, version: str) -> None:
        """Take an alias from a model version, if it has it."""

    def conclude(self, run_id: str, version: str, outcome: str) -> None:
        """Note what finally became of a run and its model version."""


Trackers = Callable[[str], Tracker]


def register(models: Objects, run_id: str, decision: str | None, source: str, trackers: Trackers) -> dict[str, Any]:
    """Record a decided run in MLflow and seal its release; without a decision, record that it has no model.

    `source` is where the data version lies, as a URI. A rejected model gets the alias "challenger"; no alias
    moves for one that is to be promoted before it is.
    """
    run = Run(run_id, models)

    def compute() -> dict[str, Any]:
        record = read_record(run, decision, source)
        tracker = trackers(record.problem)
        tracked = tracker.log(record)
        result: dict[str, Any] = {"run": run_id, "mlflow_run": tracked.run_id, "metric": record.plan["metric"]}
        if record.decision is None or tracked.version is None or tracked.mlmodel is None:
            return {**result, "status": record.fit["status"]}
        # The first description of this model stays: MLflow puts a time into it, and a release's bytes never change.
        models.put_new(run.key(MLMODEL), tracked.mlmodel)
        sealed = seal(run, record, models.get(run.key(MLMODEL)).body)
        tracker.sealed(tracked.version, sealed)
        if record.decision["outcome"] == "rejected":
            tracker.point(CHALLENGER, tracked.version)
        return {
            **result,
            **record.decision["holdout"],
            "status": record.decision["outcome"],
            "mlflow_version": tracked.version,
            "release": sealed,
            "reason": record.decision["reason"],
        }

    return run.once(registered_file(decision or "none"), compute)


def read_record(run: Run, decision: str | None, source: str) -> Record:
    """Collect a run's results; raises `TrainingError` that names the step whose result is missing."""
    plan, fit = run.need(PLAN, "plan"), run.need(FIT, "fit")
    trials = run.trials()
    fitted = fit["status"] == "fitted"
    if fitted and decision is None:
        raise TrainingError(f"Run {run.id} has a candidate, and no decision was named: the step 'decide' comes first")

    def candidate(name: str) -> bytes:
        return run.read(candidate_file(name), fit["files"][name], "fit")

    return Record(
        run=run.id,
        problem=plan["problem"],
        source=source + plan["dataset"] + "/",
        plan=plan,
        trials=trials,
        fit=fit,
        evaluation=run.need(EVALUATION, "evaluate") if fitted else None,
        decision=run.need(decision_file(decision), "decide") if decision is not None else None,
        contract=Contract.from_json(candidate("contract.json")) if fitted else None,
        onnx=candidate("model.onnx") if fitted else None,
    )


def seal(run: Run, record: Record, mlmodel: bytes) -> str:
    """Write the release of a decided run and return its version."""
    fit = record.fit
    files = {name: run.read(candidate_file(name), sha256, "fit") for name, sha256 in fit["files"].items()}
    files |= {
        "MLmodel": mlmodel,
        "evaluation.json": to_json(record.evaluation),
        "decision.json": to_json(record.decision),
    }
    info = {
        "problem": record.problem,
        "run": run.id,
        "dataset": record.plan["dataset"],
        "split": record.plan["split"],
        "threshold": fit["threshold"],
        "family": fit["family"],
        "metric": record.plan["metric"],
    }
    return releases.seal(run.models, files, info)


def promote(
    models: Objects, run_id: str, decision: str, trackers: Trackers, now: datetime, *, attempt: int = 1
) -> dict[str, Any]:
    """Swap the pointer to the run's release if it is still the one that the gate decided on, then the aliases.

    Status "promoted", "rejected" (the decision says so), or "conflict": somebody promoted another meanwhile,
    and the gate has to decide again. After three attempts a conflict is a rejection.
    """
    run = Run(run_id, models)
    decided = run.need(decision_file(decision), "decide")
    registered = run.need(registered_file(decision), "register")
    if decided["outcome"] != "promoted":
        return registered
    version = registered["mlflow_version"]
    swapped = _swap(models, run, decided, registered["release"], now)
    if not swapped and attempt < ATTEMPTS:
        return {"status": "conflict", "run": run_id, "attempt": attempt}
    tracker = trackers(decided_problem(run))
    if not swapped:
        tracker.point(CHALLENGER, version)
        tracker.conclude(registered["mlflow_run"], version, "rejected")
        reason = f"Another model was promoted meanwhile, {attempt} times: train again to be judged against it."
        return {**registered, "status": "rejected", "reason": reason}
    tracker.point(CHAMPION, version)
    tracker.unpoint(CHALLENGER, version)
    tracker.conclude(registered["mlflow_run"], version, "promoted")
    return registered


def decided_problem(run: Run) -> str:
    """The problem that a run was planned for."""
    problem: str = run.need(PLAN, "plan")["problem"]
    return problem


def _swap(models: Objects, run: Run, decided: dict[str, Any], release: str, now: datetime) -> bool:
    """Whether the pointer names the release: swapped now, or by an earlier call that was cut off."""
    pointer, etag = read_pointer(models, decided_problem(run))
    if _serves(pointer, release):
        return True
    if (pointer.revision, etag) != (decided["revision"], decided["etag"]):
        return False
    served = Served(release=release, since=now.isoformat(timespec="seconds"), run=run.id)
    try:
        swap_pointer(models, pointer.promoted(served), etag)
    except PreconditionFailed:
        # A write that was retried after its answer got lost fails too: look whether it was ours.
        return _serves(read_pointer(models, pointer.problem)[0], release)
    return True


def _serves(pointer: Pointer, release: str) -> bool:
    return pointer.champion is not None and pointer.champion.release == release
