"""MLflow's alias after a promotion by hand: it names what the pointer names."""

from __future__ import annotations

from andamio.release.pointer import read_pointer
from andamio.storage.ports import Objects
from registry.documents import AliasResult
from registry.record import Trackers
from registry.register import CHALLENGER, CHAMPION


def follow(models: Objects, problem: str, trackers: Trackers) -> AliasResult:
    """Give the alias "champion" to the model version of the release that serves; harmless when it has it.

    `mlflow_version` is None where nothing serves, or MLflow has no model version of that release.
    """
    champion = read_pointer(models, problem)[0].champion
    if champion is None:
        return AliasResult(release=None, mlflow_version=None)
    tracker = trackers(problem)
    version = tracker.version_of(champion.release)
    if version is not None:
        tracker.point(CHAMPION, version)
        tracker.unpoint(CHALLENGER, version)
    return AliasResult(release=champion.release, mlflow_version=version)
