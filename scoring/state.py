"""The claim on a batch and its result: `state.json`, one small object that is only swapped."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from pydantic import with_config

from andamio.errors import DataError, ObjectNotFound, PreconditionFailed
from andamio.storage import documents, layout
from andamio.storage.documents import STRICT
from andamio.storage.ports import Objects

STALE = timedelta(hours=2)
"""How long a claim holds against events: an execution that was killed cannot give its own back."""
MAX_MISSING_LISTED = 100

_MAX_ATTEMPTS = 50


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class State:
    """Where a batch stands: times in ISO 8601, `missing` the numbers of the shards that are not there.

    `key` and `version` are the file's; `same_as` is the batch whose results are this one's. `rejected` is the number of
    rows of a file that failed because every row was rejected, None for any other.
    """

    status: Literal["running", "failed", "done"]
    since: str
    execution: str
    attempt: int
    created: str
    key: str
    version: str
    reason: str | None = None
    missing: tuple[int, ...] = ()
    same_as: str | None = None
    rejected: int | None = None
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The state as it is stored."""
        return json.dumps(asdict(self), indent=1).encode()


def read_state(objects: Objects, batch: str) -> State | None:
    """The state of a batch; None before an execution has claimed it."""
    found = _read(objects, batch)
    return None if found is None else found[0]


def claim(
    objects: Objects, batch: str, key: str, version: str, execution: str, now: datetime, *, over: Collection[str]
) -> tuple[State, bool]:
    """Claim a batch for an execution: its state, and whether the execution is to work on it.

    An execution that has the batch already keeps it. One that comes to a batch of another gets it when that is in one
    of the states `over`, or the claim is stale. Nobody gets a batch that is done, or that of another file.
    """
    moment = now.isoformat(timespec="seconds")
    new = State("running", moment, execution, 1, moment, key, version)
    for _ in range(_MAX_ATTEMPTS):
        if documents.write_once(objects, _key(batch), new):
            return new, True
        found = _read(objects, batch)
        if found is None:
            continue
        state, etag = found
        if (state.key, state.version) != (key, version):
            return state, False
        if state.status == "running" and state.execution == execution:
            return state, True
        stale = state.status == "running" and now - datetime.fromisoformat(state.since) >= STALE
        if state.status == "done" or not (state.status in over or stale):
            return state, False
        claimed = replace(
            state,
            status="running",
            since=moment,
            execution=execution,
            attempt=state.attempt + 1,
            reason=None,
            missing=(),
            same_as=None,
            rejected=None,
        )
        if _swap(objects, batch, claimed, etag):
            return claimed, True
    raise DataError(f"{_key(batch)} kept changing: start the execution again")


def finish(objects: Objects, batch: str, now: datetime, *, same_as: str | None = None) -> None:
    """Set the state of a batch to done."""
    since = now.isoformat(timespec="seconds")

    def done(state: State) -> State | None:
        if state.status == "done":
            return None
        return replace(state, status="done", since=since, reason=None, missing=(), same_as=same_as)

    _change(objects, batch, done)


def fail(
    objects: Objects, batch: str, now: datetime, reason: str, *, missing: Sequence[int] = (), execution: str | None
) -> None:
    """Write down that a batch failed, unless it is done, or another execution took it over."""
    since = now.isoformat(timespec="seconds")

    def failed(state: State) -> State | None:
        if state.status == "done" or (execution is not None and state.execution != execution):
            return None
        return replace(state, status="failed", since=since, reason=reason, missing=tuple(missing[:MAX_MISSING_LISTED]))

    _change(objects, batch, failed)


def reject(
    objects: Objects, batch: str, now: datetime, reason: str, rejected: int, *, same_as: str | None = None
) -> None:
    """Write down that a batch failed because every row of its file, `rejected` of them, was rejected."""
    since = now.isoformat(timespec="seconds")

    def all_rejected(state: State) -> State | None:
        if state.status == "done":
            return None
        return replace(
            state, status="failed", since=since, reason=reason, missing=(), rejected=rejected, same_as=same_as
        )

    _change(objects, batch, all_rejected)


def is_done(objects: Objects, batch: str) -> bool:
    """Whether a batch has its manifest."""
    try:
        objects.head(layout.batch_manifest(batch))
    except ObjectNotFound:
        return False
    return True


def _change(objects: Objects, batch: str, change: Callable[[State], State | None]) -> None:
    for _ in range(_MAX_ATTEMPTS):
        found = _read(objects, batch)
        if found is None:
            return
        changed = change(found[0])
        if changed is None or _swap(objects, batch, changed, found[1]):
            return
    raise DataError(f"{_key(batch)} kept changing: start the execution again")


def _read(objects: Objects, batch: str) -> tuple[State, str] | None:
    try:
        stored = objects.get(_key(batch))
    except ObjectNotFound:
        return None
    return documents.parse(stored.body, State, _key(batch)), stored.etag


def _swap(objects: Objects, batch: str, state: State, etag: str) -> bool:
    try:
        documents.swap(objects, _key(batch), state, etag)
    except PreconditionFailed:
        return False
    return True


def _key(batch: str) -> str:
    return layout.batch(batch, "state.json")
