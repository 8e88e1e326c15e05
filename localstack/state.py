"""The check of the emulator's state on disk before a start: ministack silently drops files that it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

from andamio.errors import CommandError
from localstack.home import Home

SIDECAR = ".meta.json"
"""The suffix of the file that S3 keeps beside each object, with its versions and delete markers."""


def check(home: Home) -> None:
    """Raise `CommandError` that names the first file of a home's state that cannot be read, with what to do."""
    if not home.state.is_dir():
        return
    for file in sorted(home.state.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except ValueError:
            raise _unreadable(home, file) from None
    for folder, _, names in (home.state / "s3").walk():
        for name in names:
            if name.endswith(SIDECAR) and not _is_whole(folder / name):
                raise _unreadable(home, folder / name)


def _is_whole(file: Path) -> bool:
    """Whether a JSON object was written to its end: there may be many thousands, too many to parse each."""
    with file.open("rb") as content:
        size = content.seek(0, 2)
        content.seek(max(0, size - 16))
        return content.read().rstrip().endswith(b"}")


def _unreadable(home: Home, file: Path) -> CommandError:
    return CommandError(
        f"The local cloud does not start: {file} is cut off or damaged ({file.stat().st_size} bytes), and without it "
        "what was deployed would be forgotten in part. Nothing was changed. Put back a copy of "
        f"{home.state} if you have one; otherwise `make down PURGE=1` forgets the local cloud, and `make demo` builds "
        "it again."
    )
