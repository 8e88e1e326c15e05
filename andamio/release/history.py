"""The history of what served and what was refused: one record a change of what serves, a rejection or an approval.

A change of the pointer is part of the pointer that it led to, so it exists from the very moment that it holds. Its
record under `decisions/` is written after that, and again before the next change: whatever is killed in between, no
revision is missing from the history. So it is with the answer of a person: it holds once it is in `approvals/`, and
whoever gives or uses it writes the same record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

from andamio.release.approval import Approval
from andamio.release.pointer import Change, Pointer, read_pointer, swap_pointer
from andamio.storage import documents, layout
from andamio.storage.documents import Document
from andamio.storage.ports import Objects

Kind = Literal["promoted", "rejected", "rolled_back", "challenged", "withdrawn", "approved"]


class HistoryRecord(Document):
    """`decisions/ID.json`: what happened to which release, when (ISO 8601, UTC), by whom or what, and why.

    `release` serves since a promotion or a rollback, was refused by a rejection, became the challenger ("challenged"),
    was one until it was withdrawn, or may serve since a person approved it; `before` served before.
    `revision` is that of the pointer, None where it did not move; `decision` names the gate's decision.
    """

    kind: Kind
    at: str
    by: str
    reason: str
    problem: str
    release: str
    before: str | None
    run: str
    revision: int | None
    decision: str | None
    numbers: dict[str, float]

    @property
    def id(self) -> str:
        """What the record is stored under; two records are never the same."""
        if self.revision is None:
            # The gate, a person who approves or declines, a time that was over: each has its own words.
            words = hashlib.sha256(f"{self.by}\n{self.reason}".encode()).hexdigest()[:8]
            return f"{self.kind}-{self.run}-{self.decision}-{words}"
        # A pointer that was deleted to start over begins again at revision 1.
        return f"{self.kind}-{self.revision:06d}-{hashlib.sha256(self.to_json()).hexdigest()[:8]}"


def change_pointer(objects: Objects, before: Pointer, etag: str | None, after: Pointer) -> None:
    """Swap the pointer, and record the change; raises `PreconditionFailed` when the pointer has changed meanwhile."""
    record_change(objects, before)
    swap_pointer(objects, after, etag)
    record_change(objects, after)


def record_change(objects: Objects, pointer: Pointer) -> None:
    """Write the record of the change that led to a pointer; harmless when it is there."""
    record = _of(pointer, pointer.change)
    if record is not None:
        _write(objects, record)


def record_rejection(objects: Objects, record: HistoryRecord) -> None:
    """Write the record of a rejection; the first one of a run's decision stays."""
    _write(objects, record)


def record_approval(objects: Objects, approval: Approval) -> HistoryRecord:
    """Write what became of an approval that has an answer, and return it: approved, declined, or lapsed.

    Harmless when it is there: the same answer makes the same record, whoever writes it.
    """
    answer = approval.answer
    if answer is None:
        raise ValueError("an approval without an answer has no record")
    declined = not answer.approved and not approval.lapsed
    record = HistoryRecord(
        kind="approved" if answer.approved else "rejected",
        at=answer.at,
        by=answer.by,
        reason=f"Declined by {answer.by}: {answer.reason}" if declined else answer.reason,
        problem=approval.problem,
        release=approval.release,
        before=approval.champion,
        run=approval.run,
        revision=None,
        decision=approval.decision,
        numbers=approval.numbers,
    )
    _write(objects, record)
    return record


def read_history(objects: Objects, problem: str) -> list[HistoryRecord]:
    """Every record of a problem, the oldest first, that of the pointer as it is now included."""
    pointer, _ = read_pointer(objects, problem)
    records = {record.id: record for record in _stored(objects) if record.problem == problem}
    newest = _of(pointer, pointer.change)
    if newest is not None:
        records[newest.id] = newest
    return _in_order(list(records.values()))


def _in_order(records: list[HistoryRecord]) -> list[HistoryRecord]:
    """By time; but revisions of one pointer in their order, for clocks of those who write differ.

    So an approval is not later than the change that it led to: a person's clock may be ahead of the functions' one.
    A pointer that was deleted to start over begins again at revision 1.
    """
    by_time = sorted(records, key=lambda record: (record.at, record.revision or 0, record.id))
    starts = [record.at for record in by_time if record.revision == 1]
    pointers: dict[int, list[HistoryRecord]] = {}
    for record in by_time:
        if record.revision is not None:
            pointers.setdefault(max(1, sum(start <= record.at for start in starts)), []).append(record)
    times = {record.id: record.at for record in by_time}
    for chain in pointers.values():
        latest = ""
        for record in sorted(chain, key=lambda record: record.revision or 0):
            latest = times[record.id] = max(latest, record.at)
    changed: dict[tuple[str, str | None], str] = {}
    for chain in pointers.values():
        for record in chain:
            about = (record.run, record.decision)
            changed[about] = min(times[record.id], changed.get(about, times[record.id]))
    for record in by_time:
        if record.kind == "approved":
            times[record.id] = min(record.at, changed.get((record.run, record.decision), record.at))
    return sorted(by_time, key=lambda record: (times[record.id], record.revision or 0, record.id))


def _stored(objects: Objects) -> Iterator[HistoryRecord]:
    for item in objects.list(layout.DECISIONS):
        yield documents.parse(objects.get(item.key).body, HistoryRecord, item.key)


def _of(pointer: Pointer, change: Change | None) -> HistoryRecord | None:
    if change is None:
        return None
    fields = asdict(change)
    fields["release"] = fields.pop("after")
    return HistoryRecord(problem=pointer.problem, revision=pointer.revision, **fields)


def _write(objects: Objects, record: HistoryRecord) -> None:
    objects.put_new(layout.history(record.id), record.to_json(), content_type=documents.JSON)
