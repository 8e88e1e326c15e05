"""The list of the releases of a problem."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from andamio.errors import ReleaseError
from andamio.release.pointer import Pointer, read_pointer
from andamio.release.release import MANIFEST, Release
from andamio.storage import layout
from andamio.storage.ports import Objects


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """One release: its stage now, its holdout metric with interval, its data version, when it was sealed."""

    version: str
    stage: str
    metric: str
    value: str
    dataset: str
    model: str
    sealed: datetime


def list_releases(objects: Objects, problem: str) -> list[ReleaseSummary]:
    """All releases of a problem, newest first; one with a wrong digest has the stage "refused"."""
    pointer, _ = read_pointer(objects, problem)
    summaries = []
    for item in objects.list(layout.RELEASES):
        version, _, file = item.key.removeprefix(layout.RELEASES).partition("/")
        if file == MANIFEST:
            summaries.append(_summary(objects, pointer, version, item.modified))
    return sorted(summaries, key=lambda release: release.sealed, reverse=True)


def _summary(objects: Objects, pointer: Pointer, version: str, sealed: datetime) -> ReleaseSummary:
    try:
        release = Release.open(objects, version)
        evaluation = release.json("evaluation.json")
    except ReleaseError:
        return ReleaseSummary(version, "refused", "", "digest does not match", "", "", sealed)
    info = release.info
    return ReleaseSummary(
        version, stage(pointer, version), *figure(evaluation), info["dataset"], str(info.get("family", "")), sealed
    )


def stage(pointer: Pointer, version: str) -> str:
    """The stage of a release: champion, challenger, previous or archived."""
    for name in ("champion", "challenger", "previous"):
        served = getattr(pointer, name)
        if served is not None and served.release == version:
            return name
    return "archived"


def figure(evaluation: dict[str, Any]) -> tuple[str, str]:
    """The contract's metric on the holdout, and its value with interval."""
    metric = str(evaluation["metric"])
    value = evaluation["metrics"][metric]
    if value["value"] is None or value["low"] is None:
        return metric, "undefined on this holdout"
    return metric, f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
