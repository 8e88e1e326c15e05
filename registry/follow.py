"""MLflow's aliases and tags after a promotion, a trial or a rollback: they say what the pointer says."""

from __future__ import annotations

from andamio.release.pointer import Pointer, read_pointer
from andamio.storage.ports import Objects
from registry.documents import AliasResult
from registry.record import Tracker, Trackers

CHAMPION, CHALLENGER = "champion", "challenger"
WITHDRAWN = "withdrawn"


def follow(models: Objects, problem: str, trackers: Trackers) -> AliasResult:
    """Give the aliases to the model versions of the champion and of the challenger; harmless when they have them.

    Model versions of withdrawn releases are tagged so, and so is one whose trial is over and that does not serve.
    Without a challenger its alias stays at the model that was tried or rejected last. `mlflow_version` is None where
    nothing serves, or MLflow has no model version of that release: then no version has the alias. `repaired` says
    whether an alias was elsewhere.
    """
    pointer, _ = read_pointer(models, problem)
    tracker = trackers(problem)
    was = tracker.version_with(CHAMPION), tracker.version_with(CHALLENGER)
    version = align(models, pointer, tracker)
    now = tracker.version_with(CHAMPION), tracker.version_with(CHALLENGER)
    champion = pointer.champion
    return AliasResult(
        release=None if champion is None else champion.release, mlflow_version=version, repaired=was != now
    )


def align(models: Objects, pointer: Pointer, tracker: Tracker) -> str | None:
    """Let MLflow say what the pointer says, and return the champion's model version.

    The pointer is read again afterwards: whoever is the last to write, writes what holds.
    """
    while True:
        version = _point(pointer, tracker)
        now, _ = read_pointer(models, pointer.problem)
        if now.revision == pointer.revision:
            return version
        pointer = now


def _point(pointer: Pointer, tracker: Tracker) -> str | None:
    challenger = None if pointer.challenger is None else tracker.version_of(pointer.challenger.release)
    version = None if pointer.champion is None else tracker.version_of(pointer.champion.release)
    tried = tracker.version_with(CHALLENGER)
    if tried is not None and tried not in (version, challenger) and tracker.outcome_of(tried) == CHALLENGER:
        tracker.tag_outcome(tried, WITHDRAWN)  # somebody ended its trial by hand
    for withdrawal in pointer.withdrawn:
        withdrawn = tracker.version_of(withdrawal.release)
        if withdrawn is not None:
            tracker.tag_outcome(withdrawn, WITHDRAWN)
            tracker.unpoint(CHALLENGER, withdrawn)
    if version is not None:
        tracker.point(CHAMPION, version)
        tracker.unpoint(CHALLENGER, version)
        tracker.tag_outcome(version, "promoted")
    elif (other := tracker.version_with(CHAMPION)) is not None:
        tracker.unpoint(CHAMPION, other)  # it names a model that does not serve
    if challenger is not None and challenger != version:
        tracker.point(CHALLENGER, challenger)
        tracker.tag_outcome(challenger, CHALLENGER)
    return version
