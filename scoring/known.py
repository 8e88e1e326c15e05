"""The earlier batch of the same bytes and release, if there is one: a file is scored once."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from scoring import state
from scoring.batch import BatchPlan, result_key
from scoring.documents import InputFile, KnownBatch


@dataclass(frozen=True, slots=True)
class EarlierBatch:
    """A batch whose outcome is there; `refused` is its state where every row was rejected, None when it is done."""

    batch: str
    refused: state.State | None


def remember(objects: Objects, plan: BatchPlan) -> None:
    """Map the bytes of a file to its batch, unless they are mapped to another one whose outcome is still there."""
    key = result_key(plan.input, plan.release)
    entry = KnownBatch(plan.batch)
    if documents.write_once(objects, key, entry):
        return
    if _kept(objects, documents.read(objects, key, KnownBatch).batch) is None:
        objects.put(key, entry.to_json(), content_type=documents.JSON)


def earlier_batch(objects: Objects, file: InputFile, release: str) -> EarlierBatch | None:
    """The batch of the same bytes, read the same way by the same release, whose outcome is still there."""
    found = documents.find(objects, result_key(file, release), KnownBatch)
    return None if found is None else _kept(objects, found.batch)


def _kept(objects: Objects, batch: str) -> EarlierBatch | None:
    """A batch that is done, or has every row rejected and its rejects in the bucket; None for any other."""
    if state.is_done(objects, batch):
        return EarlierBatch(batch, None)
    held = state.read_state(objects, batch)
    if held is None or held.status != "failed" or held.rejected is None:
        return None
    has_rejects = any(True for _ in objects.list(f"{layout.REJECTED}{batch}/"))
    return EarlierBatch(batch, held) if has_rejects else None
