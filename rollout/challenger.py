"""A challenger by hand: let an intact release be tried beside the champion, whatever the gate said of it."""

from __future__ import annotations

from datetime import datetime

from andamio.errors import ContractError, ReleaseError, UsageError
from andamio.release.history import record_change
from andamio.release.pointer import Change, Pointer, PointerEntry, Strategy, read_pointer
from andamio.release.release import Release
from andamio.storage.ports import Objects
from rollout.promote import entry, intact, refuse_withdrawn, swap

OUTCOME = "Not tried"


def challenge(
    objects: Objects,
    problem: str,
    version: str,
    now: datetime,
    *,
    by: str,
    reason: str,
    strategy: Strategy,
    force: bool = False,
) -> Pointer:
    """Make an intact release the challenger, and return the pointer, whose `rollout` is the trial.

    In a canary it answers the `share` that its own contract says. The trial of one that is the challenger already goes
    on: a call that was cut off is completed by the same one.

    Raises `ReleaseError` when the release is not intact, `UsageError` when it is another problem's or the champion,
    when no champion can answer beside it, when it was withdrawn and nobody forces it, or when somebody else changed
    what serves meanwhile.
    """
    pointer, etag = read_pointer(objects, problem)
    record_change(objects, pointer)  # an earlier call may have been cut off before its record
    release = intact(objects, problem, version, OUTCOME)
    if pointer.champion is not None and pointer.champion.release == version:
        raise UsageError(f"{OUTCOME}: release {version} is champion already. andamio models lists the others.")
    if pointer.challenger is not None and (pointer.challenger.release, pointer.strategy) == (version, strategy):
        return pointer
    refuse_withdrawn(pointer, release, OUTCOME, force=force)
    champion = _champion(objects, pointer.champion, release)
    tried = entry(release, now)
    change = Change(
        kind="challenged", at=tried.since, by=by, reason=reason, before=champion, after=version, run=tried.run
    )
    after = pointer.challenged(tried, strategy, release.contract().release.share, change)
    swap(objects, pointer, etag, after, OUTCOME)
    return after


def _champion(objects: Objects, champion: PointerEntry | None, release: Release) -> str:
    """The champion that answers beside a release; raises `UsageError` where none can."""
    alone = f"Without --strategy it serves at once: andamio promote {release.version}"
    if champion is None:
        raise UsageError(f"{OUTCOME}: no model serves that release {release.version} could be tried against. {alone}")
    contract = release.contract()
    try:
        served = Release.open(objects, champion.release)
        served.verify()
        before = served.contract()
    except (ContractError, ReleaseError) as error:
        raise UsageError(f"{OUTCOME}: the champion {champion.release} cannot answer ({error}). {alone}") from None
    if before.prepares and before.prepare != contract.prepare:
        raise UsageError(
            f"{OUTCOME}: the champion {champion.release} prepares records with another prepare.py than release "
            f"{release.version}, and an environment of the API has one. {alone}"
        )
    if (before.task.name, before.task.outputs) != (contract.task.name, contract.task.outputs):
        raise UsageError(
            f"{OUTCOME}: the champion {champion.release} {before.task.answers}, release {release.version} "
            f"{contract.task.answers}: their answers cannot be compared. {alone}"
        )
    return champion.release
