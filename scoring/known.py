"""The earlier batch of the same bytes and release, if there is one: a file is scored once."""

from __future__ import annotations

from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from scoring import state
from scoring.batch import BatchPlan, result_key
from scoring.documents import InputFile, KnownBatch


def remember(objects: Objects, plan: BatchPlan) -> None:
    """Map the bytes of a file to its batch, unless they are mapped to another one whose outcome is still there."""
    key = result_key(plan.input, plan.release)
    entry = KnownBatch(plan.batch)
    if documents.write_once(objects, key, entry):
        return
    if not _is_kept(objects, documents.read(objects, key, KnownBatch).batch):
        objects.put(key, entry.to_json(), content_type=documents.JSON)


def earlier_batch(objects: Objects, file: InputFile, release: str) -> str | None:
    """The batch of the same bytes, read the same way by the same release, whose outcome is still there."""
    found = documents.find(objects, result_key(file, release), KnownBatch)
    return found.batch if found is not None and _is_kept(objects, found.batch) else None


def _is_kept(objects: Objects, batch: str) -> bool:
    """Whether a batch is done, or has every row rejected and its rejects in the bucket."""
    if state.is_done(objects, batch):
        return True
    held = state.read_state(objects, batch)
    if held is None or held.status != "failed" or held.rejected is None:
        return False
    return any(True for _ in objects.list(f"{layout.REJECTED}{batch}/"))
