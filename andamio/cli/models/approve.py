"""`andamio approve`: the answer that a promotion waits for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from andamio.cli.console import done, note
from andamio.cli.home import account as account_of
from andamio.cli.models.serving import reason_of, who
from andamio.errors import UsageError
from andamio.release.approval import Answer, answer, find_approval, open_approvals
from andamio.release.history import record_approval
from andamio.storage.ports import Objects


def respond(deployed: dict[str, Any], release: str | None, *, approved: bool, reason: str) -> None:
    """Approve or decline a release, or the only one that waits; raises `UsageError` where none or several do.

    The answer holds once it is written. Then whoever waits is told, and last comes the record for the history: the same
    command again completes both.
    """
    account = account_of(deployed)
    models = account.objects(deployed["buckets"]["models"])
    now = datetime.now(UTC)
    version = release or _only(models, deployed["problem"], now)
    asked = find_approval(models, version)
    if asked is not None and asked.is_over(now):
        record_approval(models, asked, now)
    said = Answer(approved=approved, by=who(), at=now.isoformat(timespec="seconds"), reason=reason_of(reason))
    approval = answer(models, version, said, now)
    # Each of them, for two executions may wait.
    heard = [account.end_task(token, {"approved": approved}) for token in approval.tokens]
    is_heard = any(heard)
    record_approval(models, approval, now)
    if approved and is_heard:
        done(f"Release {version} is approved: it serves in a moment, unless another was promoted since. andamio status")
    elif approved:
        note(
            f"Release {version} is approved, and no training waits for it any more. The approval is kept: andamio "
            "train promotes it, unless another was promoted since."
        )
    else:
        done(f"Release {version} is declined, and what serves stays as it is. andamio history")


def show_open(deployed: dict[str, Any]) -> None:
    """Print what waits for an answer, with the gate's reason."""
    waiting = open_approvals(account_of(deployed).objects(deployed["buckets"]["models"]), deployed["problem"], _now())
    for approval in waiting:
        note(f"Release {approval.release} waits for approval until {approval.expires}: {approval.reason}")
        note(f"  andamio approve {approval.release}, or andamio approve {approval.release} --decline")


def _only(models: Objects, problem: str, now: datetime) -> str:
    waiting = open_approvals(models, problem, now)
    if not waiting:
        raise UsageError('Nothing waits for approval. With approve = "manual" in [release], what the gate allows does.')
    if len(waiting) > 1:
        lines = "\n".join(f"  {one.release}  until {one.expires}: {one.reason}" for one in waiting)
        raise UsageError(f"{len(waiting)} releases wait for approval: name one.\n{lines}")
    return waiting[0].release


def _now() -> datetime:
    return datetime.now(UTC)
