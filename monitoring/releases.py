"""What the releases are whose predictions a window has beside those of its champion."""

from __future__ import annotations

from collections.abc import Mapping

from andamio.release.pointer import Pointer
from monitoring.report import OtherRelease, Role


def others(pointer: Pointer, made: Mapping[str, int], compared: str) -> list[OtherRelease]:
    """The releases other than the `compared` one that `made` predictions, those with most first, and a shadow."""
    found = dict(made)
    if pointer.strategy == "shadow" and pointer.challenger is not None and pointer.challenger.release != compared:
        found.setdefault(pointer.challenger.release, 0)
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [OtherRelease(release=release, role=_role(pointer, release), rows=rows) for release, rows in ordered]


def _role(pointer: Pointer, release: str) -> Role:
    served, challenger, previous = (
        None if entry is None else entry.release for entry in (pointer.champion, pointer.challenger, pointer.previous)
    )
    if release == served:
        return "champion"
    if release == challenger:
        return "shadow" if pointer.strategy == "shadow" else "challenger"
    if release in {one.release for one in pointer.withdrawn}:
        return "withdrawn"
    return "earlier-champion" if release == previous else "earlier"
