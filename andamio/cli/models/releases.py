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

ARCHIVED, WITHDRAWN = "archived", "withdrawn"
"""The stages of a release that serves nothing: it was replaced, or rolled back."""


@dataclass(frozen=True, slots=True)
class ReleaseSummary:
    """One release: its stage now, its holdout metric with interval, its data version, when it was sealed.

    `refused` says why it must not be served, where it is not what was sealed.
    """

    version: str
    stage: str
    metric: str
    value: str
    dataset: str
    model: str
    sealed: datetime
    refused: str = ""


def list_releases(objects: Objects, problem: str) -> list[ReleaseSummary]:
    """All releases of a problem, newest first; one with a wrong digest has the stage "refused".

    Of those that the pointer names every file is checked, of the others what is shown of them.
    """
    pointer, _ = read_pointer(objects, problem)
    summaries = []
    for item in objects.list(layout.RELEASES):
        version, _, file = item.key.removeprefix(layout.RELEASES).partition("/")
        if file == MANIFEST:
            summaries.append(_summary(objects, pointer, version, item.modified))
    return sorted(summaries, key=lambda release: release.sealed, reverse=True)


def _summary(objects: Objects, pointer: Pointer, version: str, sealed: datetime) -> ReleaseSummary:
    now = stage(pointer, version)
    try:
        release = Release.open(objects, version)
        if now not in (ARCHIVED, WITHDRAWN):
            release.verify()
        evaluation = release.json("evaluation.json")
    except ReleaseError as error:
        return ReleaseSummary(version, now, "", "", "", "", sealed, refused=str(error))
    info = release.info
    return ReleaseSummary(version, now, *figure(evaluation), info["dataset"], str(info.get("family", "")), sealed)


def stage(pointer: Pointer, version: str) -> str:
    """The stage of a release: champion, challenger, previous, withdrawn or archived."""
    for name in ("champion", "challenger", "previous"):
        served = getattr(pointer, name)
        if served is not None and served.release == version:
            return name
    return WITHDRAWN if pointer.withdrawal_of(release=version) else ARCHIVED


def figure(evaluation: dict[str, Any]) -> tuple[str, str]:
    """The contract's metric on the holdout, and its value with interval."""
    metric = str(evaluation["metric"])
    value = evaluation["metrics"][metric]
    if value["value"] is None or value["low"] is None:
        return metric, "undefined on this holdout"
    return metric, f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
