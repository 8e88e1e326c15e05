"""Promotion by hand: let an intact release serve, whatever the one that serves now is."""

from __future__ import annotations

from datetime import datetime

from andamio.errors import PreconditionFailed, ReleaseError, UsageError
from andamio.release.history import change_pointer, record_change
from andamio.release.pointer import Change, Pointer, PointerEntry, read_pointer
from andamio.release.release import Release
from andamio.storage.ports import Objects
from rollout.challenge import withdrawal


def promote(
    objects: Objects, problem: str, version: str, now: datetime, *, by: str, reason: str, force: bool = False
) -> bool:
    """Make an intact release champion; returns False when it was champion already, and nothing challenged it.

    A challenger is one no longer: it is the release that is promoted, or another one takes its place. Where the
    champion is promoted, its challenger is withdrawn.

    Raises `ReleaseError` when the release is not intact, `UsageError` when it is another problem's, when it was
    withdrawn and nobody forces it, or when somebody else promoted meanwhile.
    """
    pointer, etag = read_pointer(objects, problem)
    record_change(objects, pointer)  # an earlier call may have been cut off before its record
    release = intact(objects, problem, version, "Not promoted")
    if pointer.champion is not None and pointer.champion.release == version:
        if pointer.challenger is None:
            return False
        swap(objects, pointer, etag, withdrawal(objects, pointer, now, by=by, reason=reason), "Not promoted")
        return True
    refuse_withdrawn(pointer, release, "Not promoted", force=force)
    served = entry(release, now)
    change = Change(
        kind="promoted",
        at=served.since,
        by=by,
        reason=reason,
        before=None if pointer.champion is None else pointer.champion.release,
        after=version,
        run=served.run,
    )
    swap(objects, pointer, etag, pointer.promoted(served, change, release.identity()), "Not promoted")
    return True


def intact(objects: Objects, problem: str, version: str, outcome: str) -> Release:
    """A release that can serve; raises `ReleaseError`, or `UsageError` when it is another problem's."""
    try:
        release = Release.open(objects, version)
        release.verify()
        release.model()
    except ReleaseError as error:
        raise ReleaseError(
            f"{outcome}: {error}. andamio models lists the releases.", file=error.file, fault=error.fault
        ) from None
    if release.info["problem"] != problem:
        raise UsageError(f"{outcome}: release {version} is of problem '{release.info['problem']}', not '{problem}'.")
    return release


def entry(release: Release, now: datetime) -> PointerEntry:
    """A release as the pointer names it."""
    return PointerEntry(release=release.version, since=now.isoformat(timespec="seconds"), run=release.info["run"])


def refuse_withdrawn(pointer: Pointer, release: Release, outcome: str, *, force: bool) -> None:
    """Raise `UsageError` for a release that was withdrawn, or whose model was, unless it is forced."""
    withdrawal = pointer.withdrawal_of(release=release.version, run=release.info["run"], identity=release.identity())
    if withdrawal is None or force:
        return
    same = "" if withdrawal.release == release.version else f", whose model was served as release {withdrawal.release},"
    raise UsageError(
        f"{outcome}: release {release.version}{same} was withdrawn at {withdrawal.at} ({withdrawal.reason}). To let it "
        "serve nevertheless, add --force."
    )


def swap(objects: Objects, before: Pointer, etag: str | None, after: Pointer, outcome: str) -> None:
    """Change the pointer, with its record; raises `UsageError` when somebody else did so meanwhile."""
    try:
        change_pointer(objects, before, etag, after)
    except PreconditionFailed:
        # A write that was retried after its answer got lost fails too: look whether it was ours.
        found, _ = read_pointer(objects, before.problem)
        if found != after:
            raise UsageError(
                f"{outcome}: another release was promoted at the same moment. Look at andamio history, and ask again."
            ) from None
        record_change(objects, found)
