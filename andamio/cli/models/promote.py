"""`andamio promote VERSION`: let an intact release serve, whatever the one that serves now is."""

from __future__ import annotations

from datetime import datetime

from andamio.errors import PreconditionFailed, ReleaseError, UsageError
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from andamio.release.release import Release
from andamio.storage.ports import Objects


def promote(objects: Objects, problem: str, version: str, now: datetime) -> bool:
    """Make an intact release champion; returns False when it was champion already.

    Raises `ReleaseError` when the release is not intact, `UsageError` when it is another problem's, or when
    somebody else promoted meanwhile.
    """
    pointer, etag = read_pointer(objects, problem)
    try:
        release = Release.open(objects, version)
        release.verify()
        release.model()
    except ReleaseError as error:
        raise ReleaseError(
            f"Not promoted: {error}. andamio models lists the releases.", file=error.file, fault=error.fault
        ) from None
    if release.info["problem"] != problem:
        raise UsageError(f"Not promoted: release {version} is of problem '{release.info['problem']}', not '{problem}'.")
    if pointer.champion is not None and pointer.champion.release == version:
        return False
    served = PointerEntry(release=version, since=now.isoformat(timespec="seconds"), run=release.info["run"])
    try:
        swap_pointer(objects, pointer.promoted(served), etag)
    except PreconditionFailed:
        raise UsageError(
            "Not promoted: another release was promoted at the same moment. Look at andamio models, and ask again."
        ) from None
    return True
