"""A look at a trial: the rule is asked, and what it says is done, in one conditional write. Harmless when repeated."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from andamio.contract import Contract
from andamio.errors import PreconditionFailed
from andamio.release.history import change_pointer, record_change
from andamio.release.pointer import Change, Pointer, PointerEntry, read_pointer
from andamio.storage.ports import Objects
from rollout.challenge import ALARM, RULE, by_itself, identity_of, withdrawal
from rollout.evidence import gather
from rollout.rule import Evidence, Verdict, judge


@dataclass(frozen=True, slots=True)
class Look:
    """What a look led to; `pointer` is as it is now. "ended" says that somebody else ended the trial `rollout`."""

    status: Literal["wait", "promoted", "withdrawn", "ended"]
    rollout: str
    reason: str
    pointer: Pointer
    seconds: int = 0


def look(lake: Objects, models: Objects, contract: Contract, rollout: str, now: datetime) -> Look:
    """Judge the trial of a challenger, and end it where the rule says so.

    A look that was cut off after its write finds it, and completes it.
    """
    pointer, etag = read_pointer(models, contract.problem.name)
    if pointer.rollout != rollout or pointer.challenger is None:
        return _over(models, pointer, rollout)
    since = datetime.fromisoformat(pointer.challenger.since)
    evidence = gather(lake, rollout, since, now)
    verdict = judge(contract, str(pointer.strategy), evidence, (now - since).total_seconds())
    if verdict.status == "wait":
        return Look("wait", rollout, verdict.reason, pointer, verdict.seconds)
    return _end(models, pointer, etag, rollout, _after(models, pointer, now, verdict, evidence))


def withdraw_by_alarm(models: Objects, problem: str, alarm: str, raised: datetime, now: datetime) -> Look:
    """Withdraw the challenger that an alarm is about; one that began after the alarm was raised is another."""
    pointer, etag = read_pointer(models, problem)
    challenger, rollout = pointer.challenger, pointer.rollout
    if challenger is None or rollout is None:
        by_alarm = pointer.change is not None and pointer.change.by == f"{ALARM} {alarm}"
        if by_alarm and pointer.change is not None and pointer.change.kind == "withdrawn":
            record_change(models, pointer)
            rollout = f"{pointer.change.after}-{pointer.revision - 1}"
            return Look("withdrawn", rollout, pointer.change.reason, pointer)
        return Look("ended", "", "There is no challenger any more.", pointer)
    if datetime.fromisoformat(challenger.since) > raised:
        return Look("ended", "", f"Release {challenger.release} became the challenger after the alarm.", pointer)
    reason = f"The alarm {alarm} rang: its section in docs/operations.md says what it means."
    decision = None if pointer.change is None else pointer.change.decision
    after = withdrawal(models, pointer, now, by=f"{ALARM} {alarm}", reason=reason, decision=decision)
    return _end(models, pointer, etag, rollout, after)


def abandon(models: Objects, problem: str, rollout: str, why: str, now: datetime) -> Look:
    """Withdraw the challenger of a trial that nobody can judge; unmarked, for that says nothing of its model."""
    pointer, etag = read_pointer(models, problem)
    if pointer.rollout != rollout:
        return _over(models, pointer, rollout)
    decision = None if pointer.change is None else pointer.change.decision
    reason = f"Its trial could not be judged: {why}"
    after = withdrawal(models, pointer, now, by=RULE, reason=reason, mark=False, decision=decision)
    return _end(models, pointer, etag, rollout, after)


def _after(models: Objects, pointer: Pointer, now: datetime, verdict: Verdict, evidence: Evidence) -> Pointer:
    challenger, champion = pointer.challenger, pointer.champion
    assert challenger is not None
    decision = None if pointer.change is None else pointer.change.decision
    numbers = evidence.numbers()
    if verdict.status == "withdraw":
        return withdrawal(
            models,
            pointer,
            now,
            by=RULE,
            reason=verdict.reason,
            mark=verdict.mark,
            decision=decision,
            numbers=numbers,
        )
    at = now.isoformat(timespec="seconds")
    change = Change(
        kind="promoted",
        at=at,
        by=RULE,
        reason=verdict.reason,
        before=None if champion is None else champion.release,
        after=challenger.release,
        run=challenger.run,
        decision=decision,
        numbers=numbers,
    )
    served = PointerEntry(challenger.release, at, challenger.run)
    return pointer.promoted(served, change, identity_of(models, challenger))


def _end(models: Objects, pointer: Pointer, etag: str | None, rollout: str, after: Pointer) -> Look:
    try:
        change_pointer(models, pointer, etag, after)
    except PreconditionFailed:
        # Somebody else was first, or it was our own write whose answer got lost.
        found, _ = read_pointer(models, pointer.problem)
        return _over(models, found, rollout)
    return _over(models, after, rollout)


def _over(models: Objects, pointer: Pointer, rollout: str) -> Look:
    """How a trial ended: by the rule or an alarm, whose change is completed, or by somebody else's."""
    change = pointer.change
    release, _, revision = rollout.rpartition("-")
    if change is None or change.after != release or pointer.revision != int(revision) + 1:
        return Look("ended", rollout, "Another change of what serves ended the trial.", pointer)
    if not by_itself(change):
        return Look("ended", rollout, f"{change.by} ended the trial: {change.reason}", pointer)
    record_change(models, pointer)
    return Look("promoted" if change.kind == "promoted" else "withdrawn", rollout, change.reason, pointer)
