"""After the decision: MLflow's record, the sealed release, and the pointer's swap, to a champion or to a challenger.

The record is written before the pointer moves, so whatever is served can be looked up; the aliases are
moved after it, so that they never claim what did not happen. The event comes last, before the step is marked as done: a
step that could not send it is not done, and another call of it sends it.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from andamio.contract.tables import ReleaseTable
from andamio.errors import ContractError, PreconditionFailed, ReleaseError, TrainingError
from andamio.release import release as releases
from andamio.release.approval import find_approval
from andamio.release.history import (
    HistoryRecord,
    change_pointer,
    record_approval,
    record_change,
    record_rejection,
)
from andamio.release.pointer import Change, Pointer, PointerEntry, read_pointer
from andamio.release.release import Release
from andamio.storage.ports import Objects
from registry import card
from registry.card import Facts
from registry.documents import REGISTERED, Conflict, Registered, RegisteredModel, RegisteredRun
from registry.follow import CHALLENGER, align
from registry.news import News
from registry.record import Origin, Record, Trackers, read_record
from training.evaluate.documents import GateDecision, Promotion
from training.families.spaces import OWN
from training.run import Run, candidate_file, decision_file, promotion_file, registered_file

GATE = "the gate"
"""Who promotes or rejects, in the history."""
MLMODEL = "model/MLmodel"
ATTEMPTS = 3
"""How often a run is decided on, when somebody else's promotion comes between decision and swap."""


def register(
    lake: Objects,
    models: Objects,
    run_id: str,
    decision: str | None,
    origin: Origin,
    trackers: Trackers,
    news: News,
    now: datetime,
) -> Registered:
    """Record a decided run in MLflow and seal its release; without a decision, record that it has no model.

    A rejected model gets the alias "challenger" and a record of the history, and is told of; no alias moves for one
    that is to be promoted before it is. Raises as `Events.put`.
    """
    run = Run(run_id, models)

    def compute() -> Registered:
        record = with_card(run, decision, read_record(lake, run, decision, origin))
        facts = record.facts()
        tracker = trackers(record.problem)
        tracked = tracker.log(record)
        metric = record.plan.metric
        if facts is None or tracked.version is None or tracked.mlmodel is None:
            return RegisteredRun(run=run_id, mlflow_run=tracked.run_id, metric=metric, status="no_parity")
        # The first description of this model stays: MLflow puts a time into it, and a release's bytes never change.
        models.put_new(run.key(MLMODEL), tracked.mlmodel)
        release_version = seal(run, record, facts, models.get(run.key(MLMODEL)).body)
        tracker.record_release(tracked.version, release_version)
        gate_decision = facts.decision
        result = RegisteredModel(
            run=run_id,
            mlflow_run=tracked.run_id,
            metric=metric,
            status=gate_decision.outcome,
            **dict(gate_decision.holdout),
            mlflow_version=tracked.version,
            release=release_version,
            reason=gate_decision.reason,
        )
        if decision is not None and gate_decision.outcome == "rejected":
            tracker.point(CHALLENGER, tracked.version)
            record_rejection(
                models, rejection(record.problem, gate_decision, release_version, gate_decision.reason, now)
            )
            news.rejected(record.problem, decision, result)
        # A run that is decided on again has one model version for all of its releases: one of them may serve.
        align(models, read_pointer(models, record.problem)[0], tracker)
        return result

    return run.once(registered_file(decision or "none"), REGISTERED, compute)


def with_card(run: Run, decision: str | None, record: Record) -> Record:
    """The record with its model card: the one that an earlier call wrote, for a release's bytes never change."""
    facts = record.facts()
    if facts is None:
        return record
    new_card = card.make(facts, record.plots)
    stored = {}
    for name, body in new_card.files().items():
        key = run.key(f"registered/{decision}/{name}")
        run.models.put_new(key, body)
        stored[name] = run.models.get(key).body.decode()
    new_card = dataclasses.replace(new_card, markdown=stored[releases.CARD], html=stored[releases.CARD_PAGE])
    return dataclasses.replace(record, card=new_card)


def seal(run: Run, record: Record, facts: Facts, mlmodel: bytes) -> str:
    """Write the release of a decided run and return its version."""
    fit = facts.fit
    files = {name: run.read(candidate_file(name), sha256, "fit") for name, sha256 in fit.files.items()}
    files |= {
        "MLmodel": mlmodel,
        "evaluation.json": facts.evaluation.to_json(),
        "decision.json": facts.decision.to_json(),
        **(record.card.files() if record.card else {}),
        releases.IMPORTANCE: facts.importance.to_json(),
    }
    info: dict[str, Any] = {
        "problem": record.problem,
        "run": run.id,
        "dataset": record.plan.dataset,
        "split": record.plan.split,
        "threshold": fit.threshold,
        "family": fit.family,
        "metric": record.plan.metric,
        "ignored": fit.ignored,
    }
    if fit.interval is not None:
        info["interval"] = fit.interval.model_dump(exclude_defaults=True)  # earlier versions know no widths
    if record.plan.own is not None and fit.family == OWN:
        info["pipeline"] = record.plan.own.digest
    return releases.seal(run.models, files, info)


def promote(
    models: Objects,
    run_id: str,
    decision: str,
    trackers: Trackers,
    news: News,
    now: datetime,
    *,
    attempt: int = 1,
    rules: ReleaseTable | None = None,
) -> RegisteredModel | Conflict:
    """Swap the pointer to the run's release if it is still the one that the gate decided on, then the aliases.

    `rules` are those of the deployed contract: with the strategy "shadow" or "canary" the release becomes the
    challenger of a champion that can answer (status "challenged"); without rules it is promoted. Status "promoted",
    "rejected" (the decision says so), or "conflict": somebody promoted another meanwhile, and the gate has to decide
    again. After three attempts a conflict is a rejection. What is written last says that the promotion is complete:
    until then the gate returns the same decision, and this step completes it. Raises as `Events.put`.
    """
    run = Run(run_id, models)
    gate_decision = run.need(decision_file(decision), GateDecision, "decide")
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    if gate_decision.outcome != "promoted":
        return registered
    version = registered.mlflow_version
    swapped = _swap(models, run, gate_decision, registered.release, now, rules or ReleaseTable())
    if swapped is None and attempt < ATTEMPTS:
        return Conflict(run=run_id, attempt=attempt)
    problem = problem_of(run)
    tracker = trackers(problem)
    if swapped is None:
        tracker.point(CHALLENGER, version)
        tracker.conclude(registered.mlflow_run, version, "rejected")
        reason = f"Another model was promoted during this run, {attempt} times. Train again to compare with it."
        record_rejection(models, rejection(problem, gate_decision, registered.release, reason, now))
        rejected = registered.model_copy(update={"status": "rejected", "reason": reason})
        align(models, read_pointer(models, problem)[0], tracker)
        news.rejected(problem, decision, rejected)
        return rejected
    if swapped.champion is None or swapped.champion.release != registered.release:
        registered = registered.model_copy(update={"status": "challenged", "rollout": swapped.rollout})
    if registered.status == "challenged":
        tracker.conclude(registered.mlflow_run, version, CHALLENGER)
    else:
        tracker.unpoint(CHALLENGER, version)
        tracker.conclude(registered.mlflow_run, version, "promoted")
    align(models, read_pointer(models, problem)[0], tracker)

    def complete() -> Promotion:
        if registered.status == "challenged":
            news.challenged(problem, decision, registered, str(swapped.strategy))
        else:
            news.promoted(problem, decision, registered)
        return Promotion(run=run_id, decision=decision, release=registered.release)

    run.once(promotion_file(decision), Promotion, complete)
    return registered


def problem_of(run: Run) -> str:
    """The problem that a run was planned for."""
    return run.plan().problem


def _swap(
    models: Objects, run: Run, gate_decision: GateDecision, release: str, now: datetime, rules: ReleaseTable
) -> Pointer | None:
    """The pointer that names the release: swapped now, or by an earlier call that was cut off; None when it moved."""
    pointer, etag = read_pointer(models, problem_of(run))
    if _names(pointer, release):
        record_change(models, pointer)  # the call that swapped it may have been cut off before
        return pointer
    if (pointer.revision, etag) != (gate_decision.revision, gate_decision.etag):
        return None
    entry = PointerEntry(release=release, since=now.isoformat(timespec="seconds"), run=run.id)
    strategy = None if rules.strategy == "direct" else rules.strategy
    if strategy is not None and not _can_answer(models, pointer.champion, gate_decision, release):
        strategy = None
    change = Change(
        kind="promoted" if strategy is None else "challenged",
        at=entry.since,
        by=_by(models, release, gate_decision.decision),
        reason=gate_decision.reason,
        before=None if pointer.champion is None else pointer.champion.release,
        after=release,
        run=run.id,
        decision=gate_decision.decision,
        numbers=numbers_of(gate_decision),
    )
    after = (
        pointer.promoted(entry, change)
        if strategy is None
        else pointer.challenged(entry, strategy, rules.share, change)
    )
    try:
        change_pointer(models, pointer, etag, after)
    except PreconditionFailed:
        # A write that was retried after its answer got lost fails too: look whether it was ours.
        found, _ = read_pointer(models, pointer.problem)
        if not _names(found, release):
            return None
        record_change(models, found)
        return found
    return after


def _can_answer(models: Objects, champion: PointerEntry | None, decision: GateDecision, release: str) -> bool:
    """Whether there is a champion that answers beside the release that is to be promoted.

    One that is damaged, or that prepares its records with another prepare.py than the release, is loaded by no
    environment, and a challenger answers only beside a champion.
    """
    if champion is None or decision.champion_unreadable is not None:
        return False
    try:
        champion_release = Release.open(models, champion.release)
        champion_release.verify()
        served, promoted = champion_release.contract(), Release.open(models, release).contract()
    except (ContractError, ReleaseError):
        return False
    return not served.prepares or served.prepare == promoted.prepare


def _by(models: Objects, release: str, decision: str) -> str:
    """Who promotes: the gate, and whoever approved its decision, which is recorded before anything is promoted.

    Raises `TrainingError` when nobody approved it yet.
    """
    approval = find_approval(models, release)
    if approval is None or approval.decision != decision:
        return GATE
    if approval.answer is None or not approval.answer.approved:
        raise TrainingError(f"Release {release} waits for approval: andamio approve {release}")
    record_approval(models, approval)
    return f"{GATE}, approved by {approval.answer.by}"


def rejection(
    problem: str, decision: GateDecision, release: str, reason: str, now: datetime, by: str = GATE
) -> HistoryRecord:
    """The record of a decision by which a release does not serve."""
    return HistoryRecord(
        kind="rejected",
        at=now.isoformat(timespec="seconds"),
        by=by,
        reason=reason,
        problem=problem,
        release=release,
        before=None if decision.champion is None else decision.champion.release,
        run=decision.run,
        revision=None,
        decision=decision.decision,
        numbers=numbers_of(decision),
    )


def numbers_of(decision: GateDecision) -> dict[str, float]:
    """What a decision stands on: the metric of both models, the gain, and how probable it is; what there is of it."""
    figures = {
        decision.metric: decision.holdout.value,
        "baseline": decision.baseline.value if decision.baseline else None,
        "gain": decision.gain.value if decision.gain else None,
        "probability": decision.probability,
    }
    return {name: value for name, value in figures.items() if value is not None}


def _names(pointer: Pointer, release: str) -> bool:
    return any(entry is not None and entry.release == release for entry in (pointer.champion, pointer.challenger))
