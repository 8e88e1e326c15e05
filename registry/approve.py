"""Approval of a promotion: what is asked of a person, and what follows where the answer is no, or there is none."""

from __future__ import annotations

from datetime import datetime, timedelta

from andamio.release.approval import Answer, Approval, ask, find_approval
from andamio.release.history import HistoryRecord, record_rejection
from andamio.storage.ports import Objects
from registry.documents import RegisteredModel
from registry.follow import CHALLENGER
from registry.news import News
from registry.record import Trackers
from registry.register import numbers_of, problem_of
from training.evaluate.documents import GateDecision
from training.run import Run, decision_file, registered_file


def ask_approval(
    models: Objects, run_id: str, decision: str, token: str, seconds: int, news: News, now: datetime
) -> Approval:
    """Write what waits for an answer, and tell of it; `token` is that of the task which waits for so many seconds.

    Raises as `Events.put`.
    """
    run = Run(run_id, models)
    gate_decision = run.need(decision_file(decision), GateDecision, "decide")
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    approval = Approval(
        problem=problem_of(run),
        release=registered.release,
        run=run_id,
        decision=decision,
        champion=None if gate_decision.champion is None else gate_decision.champion.release,
        reason=gate_decision.reason,
        numbers=numbers_of(gate_decision),
        token=token,
        asked=now.isoformat(timespec="seconds"),
        expires=(now + timedelta(seconds=seconds)).isoformat(timespec="seconds"),
    )
    ask(models, approval)
    news.asked(approval)
    return approval


def decline(
    models: Objects, run_id: str, decision: str, trackers: Trackers, news: News, now: datetime
) -> RegisteredModel:
    """Reject what was declined, or not answered in time, in MLflow and in the history, and tell of it.

    Raises as `Events.put`.
    """
    run = Run(run_id, models)
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    approval = find_approval(models, registered.release)
    answer = approval.answer if approval is not None else None
    if answer is not None and not answer.approved:
        by, reason = answer.by, f"Declined by {answer.by}: {answer.reason}"
    else:
        by, reason = (
            "the approval",
            "Nobody approved it in time. Train again, or: andamio promote " + registered.release,
        )
        if approval is not None:
            # From now on an answer is told that it comes too late.
            late = Answer(approved=False, by=by, at=now.isoformat(timespec="seconds"), reason="the time was over")
            ask(models, approval.model_copy(update={"answer": late}))
    tracker = trackers(problem_of(run))
    tracker.point(CHALLENGER, registered.mlflow_version)
    tracker.conclude(registered.mlflow_run, registered.mlflow_version, "rejected")
    gate_decision = run.need(decision_file(decision), GateDecision, "decide")
    record_rejection(
        models,
        HistoryRecord(
            kind="rejected",
            at=now.isoformat(timespec="seconds"),
            by=by,
            reason=reason,
            problem=problem_of(run),
            release=registered.release,
            before=None if gate_decision.champion is None else gate_decision.champion.release,
            run=run_id,
            revision=None,
            decision=decision,
            numbers=numbers_of(gate_decision),
        ),
    )
    rejected = registered.model_copy(update={"status": "rejected", "reason": reason})
    news.rejected(problem_of(run), decision, rejected)
    return rejected
