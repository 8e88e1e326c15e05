"""`andamio approve`: the answer that a promotion waits for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from andamio.adapters.aws import Account
from andamio.cli.console import done, note
from andamio.cli.home import account as account_of
from andamio.cli.models.serving import reason_of, who
from andamio.errors import AndamioError, AwsError, UsageError
from andamio.release.approval import Answer, answer, open_approvals
from andamio.release.history import record_approval
from andamio.storage.ports import Objects


def respond(deployed: dict[str, Any], release: str | None, *, approved: bool, reason: str) -> None:
    """Approve or decline a release, or the only one that waits; raises `UsageError` where none or several do.

    The answer holds once it is written. Then whoever waits is told, and last comes the record for the history. The
    training that uses the answer writes the same record, and the same command again completes both. Raises `AwsError`
    where whoever waits could not be told, and says what holds.
    """
    account = account_of(deployed)
    models = account.objects(deployed["buckets"]["models"])
    now = datetime.now(UTC)
    version = release or _only(models, deployed["problem"], now)
    said = Answer(approved=approved, by=who(), at=now.isoformat(timespec="seconds"), reason=reason_of(reason))
    approval = answer(models, version, said, now)
    what = "approved" if approved else "declined"
    is_heard, untold = _tell(account, approval.tokens, approved=approved)
    try:
        record_approval(models, approval)
    except AndamioError as error:
        is_waited_for = is_heard or untold is not None
        writes = "The training that waits" if is_waited_for else "The next training of the same data"
        note(
            f"Release {version} is {what}: that holds. Its record for andamio history could not be written ({error}). "
            f"{writes} writes it, or somebody who may by the same command."
        )
    if untold is not None and not is_heard:
        raise AwsError(
            f"Release {version} is {what}: that holds. But the training that waits could not be told ({untold}). It "
            f"sees the answer when its time is over, after {approval.expires}. Sooner: somebody who may gives the same "
            "command."
        ) from untold
    if approved and is_heard:
        done(f"Release {version} is approved: it serves in a moment, unless another was promoted since. andamio status")
    elif approved:
        note(
            f"Release {version} is approved, and no training waits for it any more. The approval is kept: andamio "
            "train promotes it, unless another was promoted since."
        )
    else:
        done(f"Release {version} is declined, and what serves stays as it is. andamio history")


def _tell(account: Account, tokens: Sequence[str], *, approved: bool) -> tuple[bool, AndamioError | None]:
    """Whether one of those who wait heard the answer, and why one could not be told: two executions may wait."""
    is_heard, untold = False, None
    for token in tokens:
        try:
            is_heard = account.end_task(token, {"approved": approved}) or is_heard
        except AndamioError as error:
            untold = error
    return is_heard, untold


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
