"""The end of a challenger that does not become champion: withdrawn, by a rule or by hand."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from andamio.errors import ReleaseError, UsageError
from andamio.release.pointer import Change, Pointer, PointerEntry, Withdrawn
from andamio.release.release import Release
from andamio.storage.ports import Objects

RULE = "the rule of the trial"
"""Who promotes or withdraws a challenger, in the history."""
ALARM = "the alarm"
"""Who withdraws it between two looks."""


def by_itself(change: Change) -> bool:
    """Whether the rule or an alarm ended a trial with this change, and nobody by hand."""
    return change.by == RULE or change.by.startswith(f"{ALARM} ")


def withdrawal(
    objects: Objects,
    pointer: Pointer,
    now: datetime,
    *,
    by: str,
    reason: str,
    mark: bool = True,
    decision: str | None = None,
    numbers: Mapping[str, float] | None = None,
) -> Pointer:
    """The pointer without its challenger; marked, the challenger is not promoted again unless somebody forces it.

    Raises `UsageError` where there is no challenger.
    """
    challenger = pointer.challenger
    if challenger is None:
        raise UsageError(f"No release of '{pointer.problem}' is a challenger: there is nothing to withdraw.")
    at = now.isoformat(timespec="seconds")
    change = Change(
        kind="withdrawn",
        at=at,
        by=by,
        reason=reason,
        before=None if pointer.champion is None else pointer.champion.release,
        after=challenger.release,
        run=challenger.run,
        decision=decision,
        numbers=dict(numbers or {}),
    )
    if not mark:
        return pointer.withdrew(change)
    identity = identity_of(objects, challenger)
    return pointer.withdrew(change, Withdrawn(challenger.release, challenger.run, identity, at, reason))


def identity_of(objects: Objects, entry: PointerEntry) -> str:
    """All that a client can tell of a release's model; "" where it cannot be read, which is a reason to withdraw it."""
    try:
        return Release.open(objects, entry.release).identity()
    except ReleaseError:
        return ""
