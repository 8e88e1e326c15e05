"""Rollback: the challenger is withdrawn; without one the champion, and a release before it serves again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andamio.errors import UsageError
from andamio.release.history import record_change
from andamio.release.pointer import Change, Pointer, PointerEntry, Withdrawn, read_pointer
from andamio.storage.ports import Objects
from rollout.challenge import by_itself, identity_of, withdrawal
from rollout.promote import entry, intact, refuse_withdrawn, swap

OUTCOME = "Not rolled back"


@dataclass(frozen=True, slots=True)
class Rollback:
    """A rollback: the release that was withdrawn, and the one that serves now; `again`: an earlier call made it.

    `challenger`: it was the challenger that was withdrawn, and the champion goes on serving.
    """

    withdrawn: str
    serves: str
    again: bool = False
    challenger: bool = False


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

    While there is a challenger, that is what is withdrawn, unless the `version` of another release is given: the
    champion then goes back to it, and the challenger is one no longer.
    Without a `version` it is the release that served before the champion; right after such a rollback, and after a
    challenger was withdrawn by hand, the same call is taken for the same one, which may have been cut off. A release
    that is withdrawn here stays, and is not promoted again, by the gate or by hand, unless somebody forces it. Raises
    `UsageError` where there is nothing to go back to, where the release was withdrawn itself, or when somebody else
    changed what serves meanwhile; `ReleaseError` when the release is not intact.
    """
    pointer, etag = read_pointer(objects, problem)
    record_change(objects, pointer)  # an earlier call may have been cut off before its record
    champion = pointer.champion
    if champion is None:
        raise UsageError(f"{OUTCOME}: no model of '{problem}' serves yet.")
    made = pointer.change
    if version is None and pointer.previous is None and made is not None and made.kind == "rolled_back":
        return Rollback(withdrawn=str(made.before), serves=champion.release, again=True)
    challenger = pointer.challenger
    if challenger is not None and version in (None, champion.release):
        swap(objects, pointer, etag, withdrawal(objects, pointer, now, by=by, reason=reason), OUTCOME)
        return Rollback(withdrawn=challenger.release, serves=champion.release, challenger=True)
    if challenger is not None and version == challenger.release:
        raise UsageError(
            f"{OUTCOME}: release {version} is the challenger. To withdraw it: andamio rollback. To let it serve: "
            f"andamio promote {version}"
        )
    if version is None and made is not None and made.kind == "withdrawn" and not by_itself(made):
        return Rollback(withdrawn=made.after, serves=champion.release, again=True, challenger=True)
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
        identity=identity_of(objects, champion),
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
