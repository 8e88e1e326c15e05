"""Rollback: the champion is withdrawn, and the release before it, or one that is named, serves again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andamio.errors import ReleaseError, UsageError
from andamio.release.pointer import Change, Pointer, PointerEntry, Withdrawn, read_pointer
from andamio.release.release import Release
from andamio.storage.ports import Objects
from rollout.promote import entry, intact, refuse_withdrawn, swap

OUTCOME = "Not rolled back"


@dataclass(frozen=True, slots=True)
class Rollback:
    """A rollback: the release that was withdrawn, and the one that serves now; `again`: an earlier call made it."""

    withdrawn: str
    serves: str
    again: bool = False


def roll_back(
    objects: Objects,
    problem: str,
    now: datetime,
    *,
    by: str,
    reason: str,
    version: str | None = None,
    force: bool = False,
) -> Rollback | None:
    """Withdraw the champion and let another release serve, in one write; None when that one serves already.

    Without a `version` it is the release that served before the champion; right after such a rollback the same call is
    taken for the same one, which may have been cut off. A withdrawn release stays, and is not
    promoted again, by the gate or by hand, unless somebody forces it. Raises `UsageError` where there is nothing to go
    back to, where the release was withdrawn itself, or when somebody else changed what serves meanwhile;
    `ReleaseError` when the release is not intact.
    """
    pointer, etag = read_pointer(objects, problem)
    champion = pointer.champion
    if champion is None:
        raise UsageError(f"{OUTCOME}: no model of '{problem}' serves yet.")
    made = pointer.change
    if version is None and pointer.previous is None and made is not None and made.kind == "rolled_back":
        return Rollback(withdrawn=str(made.before), serves=champion.release, again=True)
    target = version or _before(pointer, champion)
    if target == champion.release:
        return None
    release = intact(objects, problem, target, OUTCOME)
    refuse_withdrawn(pointer, release, OUTCOME, force=force)
    served = entry(release, now)
    change = Change(
        kind="rolled_back",
        at=served.since,
        by=by,
        reason=reason,
        before=champion.release,
        after=target,
        run=served.run,
    )
    withdrawn = Withdrawn(
        release=champion.release,
        run=champion.run,
        identity=_identity(objects, champion),
        at=served.since,
        reason=reason,
    )
    swap(objects, pointer, etag, pointer.rolled_back(served, release.identity(), withdrawn, change), OUTCOME)
    return Rollback(withdrawn=champion.release, serves=target)


def _before(pointer: Pointer, champion: PointerEntry) -> str:
    if pointer.previous is None:
        raise UsageError(
            f"{OUTCOME}: no release served before {champion.release}. Name the one that is to serve: andamio models "
            "lists them."
        )
    return pointer.previous.release


def _identity(objects: Objects, champion: PointerEntry) -> str:
    """All that a client can tell of the champion's model; "" where it cannot be read, which is a reason to go back."""
    try:
        return Release.open(objects, champion.release).identity()
    except ReleaseError:
        return ""
