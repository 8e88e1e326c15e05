"""Approval of a promotion: what is asked of a person, and what follows where the answer is no, or there is none."""

from __future__ import annotations

from datetime import datetime, timedelta

from andamio.errors import ApprovalAnswered
from andamio.release.approval import APPROVAL, Approval, ask, find_approval, lapse, nobody_approved
from andamio.release.history import record_approval, record_rejection
from andamio.release.pointer import read_pointer
from andamio.storage.ports import Objects
from registry.documents import ApprovalState, RegisteredModel
from registry.follow import CHALLENGER, align
from registry.news import News
from registry.record import Trackers
from registry.register import numbers_of, problem_of, rejection
from training.evaluate.documents import GateDecision
from training.run import Run, decision_file, registered_file

_MARGIN_SECONDS = 120
"""So much earlier an answer comes too late than its task ends: what is answered in time is heard."""


def approval_state(
    models: Objects, run_id: str, decision: str, now: datetime, *, waited: bool = False
) -> ApprovalState:
    """Whether a decision is approved, declined, or to be asked about; what serves already needs no answer.

    `waited`: an execution waited for it, and its time is over. Where nobody answered that is declined, from then on
    for every late answer, too; open where another execution waits.
    """
    run = Run(run_id, models)
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    pointer, _ = read_pointer(models, problem_of(run))
    if any(one is not None and one.release == registered.release for one in (pointer.champion, pointer.challenger)):
        return ApprovalState(status="approved", release=registered.release)
    if waited:
        approval = lapse(models, registered.release, decision, now, waited=True)
    else:
        approval = find_approval(models, registered.release)
    answer = None if approval is None or approval.decision != decision else approval.answer
    if approval is None or answer is None or (approval.lapsed and not waited):
        return ApprovalState(status="open", release=registered.release)
    return ApprovalState(status="approved" if answer.approved else "declined", release=registered.release)


def ask_approval(
    models: Objects, run_id: str, decision: str, token: str, seconds: int, news: News, now: datetime
) -> Approval:
    """Write what waits for an answer, and tell of it; `token` is that of the task which waits for so many seconds.

    What was asked before, and not answered in time while nothing waited any more, is recorded as rejected.
    Raises `ApprovalAnswered` when it was answered meanwhile, else as `Events.put`.
    """
    run = Run(run_id, models)
    gate_decision = run.need(decision_file(decision), GateDecision, "decide")
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    earlier = find_approval(models, registered.release)
    if earlier is not None and earlier.answer is None:
        earlier = lapse(models, registered.release, earlier.decision, now, waited=False)
    if earlier is not None and earlier.lapsed:
        record_approval(models, earlier)
    margin = min(_MARGIN_SECONDS, seconds // 10)
    approval = ask(
        models,
        Approval(
            problem=problem_of(run),
            release=registered.release,
            run=run_id,
            decision=decision,
            champion=None if gate_decision.champion is None else gate_decision.champion.release,
            reason=gate_decision.reason,
            numbers=numbers_of(gate_decision),
            tokens=[token],
            asked=now.isoformat(timespec="seconds"),
            expires=(now + timedelta(seconds=seconds - margin)).isoformat(timespec="seconds"),
        ),
    )
    if approval.answer is not None:
        raise ApprovalAnswered(f"Release {approval.release} was answered for by {approval.answer.by} meanwhile")
    news.asked(approval)
    return approval


def decline(
    models: Objects, run_id: str, decision: str, trackers: Trackers, news: News, now: datetime
) -> RegisteredModel:
    """Reject what was declined, or not answered in time, in the history and in MLflow, and tell of it.

    Where another execution waits for the same answer, or has it meanwhile, this one alone ends. Raises as `Events.put`.
    """
    run = Run(run_id, models)
    registered = run.need(registered_file(decision), RegisteredModel, "register")
    gate_decision = run.need(decision_file(decision), GateDecision, "decide")
    # An execution that began before a deploy of this version says nowhere else that its time is over.
    approval = lapse(models, registered.release, decision, now, waited=True)
    problem = problem_of(run)
    if approval is None:
        # The release was asked about anew, by another decision, while this one waited.
        reason = nobody_approved(registered.release, now.isoformat(timespec="seconds"))
        record_rejection(models, rejection(problem, gate_decision, registered.release, reason, now, APPROVAL))
    elif approval.answer is None or approval.answer.approved:
        reason = (
            "Nobody answered while this training waited. Another one has asked, too, and goes on: andamio status, or "
            "andamio history"
        )
        return registered.model_copy(update={"status": "rejected", "reason": reason})
    else:
        reason = record_approval(models, approval).reason
    tracker = trackers(problem)
    tracker.point(CHALLENGER, registered.mlflow_version)
    tracker.conclude(registered.mlflow_run, registered.mlflow_version, "rejected")
    align(models, read_pointer(models, problem)[0], tracker)
    rejected = registered.model_copy(update={"status": "rejected", "reason": reason})
    news.rejected(problem, f"{decision}/{reason}", rejected)
    return rejected
