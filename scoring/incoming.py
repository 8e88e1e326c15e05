"""Which file an execution is about, and under which id it is a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from andamio.errors import ObjectNotFound
from andamio.storage import layout
from andamio.storage.noise import is_noise
from andamio.storage.ports import ObjectInfo, Objects
from scoring.batch import ID, asked_id, version_id
from scoring.errors import RefusedFile
from scoring.state import read_state


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """One version of one file, and its batch; `over` is what state it is worked on in once more.

    An event does not know that the file failed before; a person who asks for the file does, and one who asks for
    the batch knows whether it still runs.
    """

    batch: str
    info: ObjectInfo
    over: tuple[str, ...] = ()


def incoming_file(objects: Objects, asked: Mapping[str, Any]) -> IncomingFile | None:
    """What an execution was started with: an event of S3, a key, or the id of a batch to go on with.

    None for what is no file to score: one that a tool left beside data (`andamio.storage.noise`), a folder that a
    console made, or one that is gone. Raises `RefusedFile` for an id or a key that there is no file of.
    """
    if "batch" in asked:
        return _resumed(objects, str(asked["batch"]))
    by_hand = "key" in asked
    if not by_hand and "detail" not in asked:
        raise RefusedFile('Expected an event of S3, {"key": KEY} or {"batch": ID, "resume": true}')
    said = asked if by_hand else asked["detail"]["object"]
    key, version = str(said["key"]), said.get("version") if by_hand else said.get("version-id")
    if not key.startswith(layout.INCOMING):
        raise RefusedFile(f"{key} is not under {layout.INCOMING}: files are scored when they are dropped there")
    try:
        # An emulator's event has no version; the latest one is then the one that the event is about, or a newer one.
        info = objects.head(key, version=version or None)
    except ObjectNotFound:
        if by_hand:
            raise RefusedFile(f"{key} is not in the bucket: drop the file, or look at its name") from None
        return None
    # A person who asks for the file, or for a form to upload it with, is told that it is empty.
    if is_noise(info) and not by_hand and asked_id(key) is None:
        return None
    return IncomingFile(batch_of(objects, info), info, ("failed",) if by_hand else ())


def batch_of(objects: Objects, info: ObjectInfo) -> str:
    """The id of a version's batch: the one that its key was given out with, for the first version under that key."""
    asked = asked_id(info.key)
    if asked is not None:
        held = read_state(objects, asked)
        if held is None or (held.key, held.version) == (info.key, info.version):
            return asked
    return version_id(info.key, info.version or info.etag, info.modified)


def _resumed(objects: Objects, batch: str) -> IncomingFile:
    if not ID.fullmatch(batch):
        raise RefusedFile(f"'{batch[:80]}' is not the id of a batch, such as 20261121T084011-0123456789ab")
    state = read_state(objects, batch)
    if state is None:
        raise RefusedFile(f"There is no batch {batch} to go on with, or its file was never uploaded")
    try:
        info = objects.head(state.key, version=state.version or None)
    except ObjectNotFound:
        raise RefusedFile(f"The file of batch {batch}, {state.key}, is gone: drop it again") from None
    return IncomingFile(batch, info, ("failed", "running"))
