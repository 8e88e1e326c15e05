"""Which file an execution is about, and under which id it is a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from andamio.errors import ObjectNotFound
from andamio.storage import layout
from andamio.storage.noise import is_noise
from andamio.storage.ports import ObjectInfo, Objects
from andamio.tabular.refused import RefusedFile
from scoring.batch import ID, id_in_key, version_id
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


def incoming_file(objects: Objects, event: Mapping[str, Any]) -> IncomingFile | None:
    """The file of an execution, from an event of S3, a key, or the id of a batch to resume.

    None for what is no file to score: one that a tool left beside data (`andamio.storage.noise`), a folder that a
    console made, or one that is gone. Raises `RefusedFile` for an id or a key that there is no file of.
    """
    if "batch" in event:
        return _resumed_file(objects, str(event["batch"]))
    by_hand = "key" in event
    if not by_hand and "detail" not in event:
        raise RefusedFile(
            'Expected an event of S3, {"key": KEY} or {"batch": ID, "resume": true}', fault="unknown-input"
        )
    object_info = event if by_hand else event["detail"]["object"]
    key, version = str(object_info["key"]), object_info.get("version") if by_hand else object_info.get("version-id")
    if not key.startswith(layout.INCOMING):
        raise RefusedFile(
            f"{key} is not under {layout.INCOMING}: files are scored when they are dropped there", fault="unknown-input"
        )
    try:
        # An emulator's event has no version; the latest one is then the one that the event is about, or a newer one.
        info = objects.head(key, version=version or None)
    except ObjectNotFound:
        if by_hand:
            raise RefusedFile(
                f"{key} is not in the bucket: upload the file, or check the key", fault="unknown-input"
            ) from None
        return None
    # A person who asks for the file, or for a form to upload it with, is told that it is empty.
    if is_noise(info) and not by_hand and id_in_key(key) is None:
        return None
    return IncomingFile(batch_of(objects, info), info, ("failed",) if by_hand else ())


def batch_of(objects: Objects, info: ObjectInfo) -> str:
    """The id of a version's batch: the one that its key was given out with, for the first version under that key."""
    batch = id_in_key(info.key)
    if batch is not None:
        state = read_state(objects, batch)
        if state is None or (state.key, state.version) == (info.key, info.version):
            return batch
    return version_id(info.key, info.version or info.etag, info.modified)


def _resumed_file(objects: Objects, batch: str) -> IncomingFile:
    if not ID.fullmatch(batch):
        raise RefusedFile(
            f"'{batch[:80]}' is not the id of a batch, such as 20261121T084011-0123456789ab", fault="unknown-input"
        )
    state = read_state(objects, batch)
    if state is None:
        raise RefusedFile(f"There is no batch {batch}, or its file was never uploaded", fault="unknown-input")
    try:
        info = objects.head(state.key, version=state.version or None)
    except ObjectNotFound:
        raise RefusedFile(
            f"The file of batch {batch}, {state.key}, was deleted: upload it again", fault="unknown-input"
        ) from None
    return IncomingFile(batch, info, ("failed", "running"))
