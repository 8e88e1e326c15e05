"""Labels that came, and the predictions that they are about.

A label names a prediction, or a record: then it is about the newest prediction of the record before the label came.
The file of a batch may carry labels too (`truth` of its captures), which count as said when the batch was made. Of
several labels of one prediction the latest counts.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from andamio.contract.canonical import canonical
from andamio.errors import ObjectNotFound
from andamio.feedback import Feedback, read
from andamio.storage import layout
from andamio.storage.ports import Objects, PredictionStore

if TYPE_CHECKING:
    from andamio.captures.columns import CapturedRows

MOST_LOOKED_UP = 1000
"""Labels without a prediction that are looked up one by one; of more, a sample stands for all."""
_READERS = 16
_AT_ONCE = 512
_NONE = -1
_MOST_OF_A_RECORD = 100


class Elsewhere(Protocol):
    """Where a prediction may be that is not among the rows of a window."""

    def has(self, prediction_id: str) -> bool:
        """Whether there was such a prediction."""

    def has_of_record(self, record_id: str, before: datetime) -> bool:
        """Whether there was a prediction of a record before a moment."""


@dataclass(frozen=True, slots=True)
class StoredPredictions:
    """The predictions table, and the batches whose predictions are too many for it."""

    table: PredictionStore
    batches: Objects

    def has(self, prediction_id: str) -> bool:
        """Whether the table has it, or its batch was planned."""
        if self.table.find(prediction_id) is not None:
            return True
        batch, _, line = prediction_id.rpartition("-")
        if not batch or not line:
            return False
        try:
            self.batches.head(layout.batch(batch, "plan.json"))
        except ObjectNotFound:
            return False
        return True

    def has_of_record(self, record_id: str, before: datetime) -> bool:
        """Whether the table has one that was made before."""
        found = self.table.of_record(record_id, limit=_MOST_OF_A_RECORD)
        return any(datetime.fromisoformat(item["created"]) <= before for item in found)


@dataclass(frozen=True, slots=True)
class Joined:
    """The labels of the rows of a window.

    `rows` ascending indices of the rows that have one, `labels` class indices, `received` datetime64[ms] in UTC, when
    each was said: each `[labelled]`. `unknown` labels are of no class of this release. `elsewhere` labels are about
    predictions that are not among the rows; `orphans` of them are old and their prediction is found nowhere: a number
    that is estimated from `looked_up` of them where they are many.
    """

    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    received: NDArray[np.datetime64]
    unknown: int = 0
    elsewhere: int = 0
    orphans: int = 0
    looked_up: int = 0


def read_feedback(lake: Objects, start: datetime, end: datetime) -> list[Feedback]:
    """The labels that came from `start` to before `end`, in the order in which they came.

    Raises `DocumentError` for an object that cannot be read. A label takes about 300 bytes of memory.
    """
    keys = _keys(lake, start, end)
    found: list[Feedback] = []
    with ThreadPoolExecutor(_READERS) as readers:
        for some in batched(keys, _AT_ONCE, strict=False):  # the bodies of so many objects are held at once, at most
            for key, body in zip(some, readers.map(lambda key: lake.get(key).body, some), strict=True):
                found.extend(one for one in read(key, body) if start <= one.received < end)
    found.sort(key=lambda one: one.received)  # stable: of one request the later entry stays the later
    return found


def _keys(lake: Objects, start: datetime, end: datetime) -> Iterator[str]:
    """The objects of the hours of a time, day by day: emulators do not agree where a listing after a key begins."""
    first, last = layout.feedback(start), layout.feedback(end)
    day = start.astimezone(UTC).date()
    while day <= end.astimezone(UTC).date():
        for info in lake.list(f"{layout.FEEDBACK}dt={day.isoformat()}/"):
            if info.key > first and (info.key < last or info.key.startswith(last)):
                yield info.key
        day += timedelta(days=1)


def join(
    captured: CapturedRows,
    feedback: Sequence[Feedback],
    classes: Sequence[str],
    *,
    now: datetime,
    orphan_hours: float,
    elsewhere: Elsewhere | None = None,
) -> Joined:
    """The labels of captured rows under a release's `classes`; `feedback` in the order in which it came.

    A record's newest prediction is looked for among the rows: where a record was predicted again after the window, its
    label counts for the one in the window. Without `elsewhere` nothing is an orphan.
    """
    index = {key: number for number, key in enumerate(classes)}
    answers = _Answers(captured)
    by_prediction: dict[str, Feedback] = {}
    by_record: dict[str, list[Feedback]] = {}
    for one in feedback:
        if one.prediction_id is not None:
            by_prediction[one.prediction_id] = one
        elif one.record_id is not None:
            by_record.setdefault(one.record_id, []).append(one)
    away: list[Feedback] = []
    rows_of = _rows_of(captured.record_ids, by_record)
    times = captured.times.astype("datetime64[ms]").astype(np.int64)
    for record, said in by_record.items():
        rows = sorted(rows_of.get(record, []), key=lambda row: int(times[row]))
        made = [int(times[row]) for row in rows]
        for one in said:
            place = bisect_right(made, _milliseconds(one.received)) - 1
            if place < 0:
                away.append(one)
            else:
                answers.say(rows[place], one, index)
    for row, prediction in enumerate(captured.ids):
        if (latest := by_prediction.pop(prediction, None)) is not None:
            answers.say(row, latest, index)
    away.extend(by_prediction.values())
    orphans, looked_up = _orphans(away, now - timedelta(hours=orphan_hours), elsewhere)
    unknown = sum(one.label not in index for one in feedback)
    return answers.labelled(unknown, len(away), orphans, looked_up)


class _Answers:
    """The latest label of each row, and when it was said; a batch's own labels come first."""

    def __init__(self, captured: CapturedRows) -> None:
        self._labels = captured.truth.astype(np.int64, copy=True)
        said = captured.times.astype("datetime64[ms]").astype(np.int64)
        self._received = np.where(self._labels >= 0, said, np.iinfo(np.int64).min)

    def say(self, row: int, one: Feedback, index: dict[str, int]) -> None:
        """One label of a row, which counts unless a later one was said."""
        moment = _milliseconds(one.received)
        if moment >= self._received[row]:
            self._labels[row], self._received[row] = index.get(one.label, _NONE), moment

    def labelled(self, unknown: int, elsewhere: int, orphans: int, looked_up: int) -> Joined:
        """What was said of all rows."""
        rows = np.flatnonzero(self._labels >= 0).astype(np.int64)
        received = self._received[rows].astype("datetime64[ms]")
        return Joined(rows, self._labels[rows], received, unknown, elsewhere, orphans, looked_up)


def _rows_of(record_ids: Iterable[str | None], asked: dict[str, list[Feedback]]) -> dict[str, list[int]]:
    """The rows of the records that were asked for, by their canonical text."""
    found: dict[str, list[int]] = {}
    if asked:
        for row, record in enumerate(record_ids):
            if record is not None and (text := canonical(record)) in asked:
                found.setdefault(text, []).append(row)
    return found


def _orphans(away: Sequence[Feedback], before: datetime, elsewhere: Elsewhere | None) -> tuple[int, int]:
    """How many labels that came before a moment have no prediction anywhere, and how many were looked up."""
    old = [one for one in away if one.received < before]
    if elsewhere is None or not old:
        return 0, 0
    sample = sorted(old, key=_drawn)[:MOST_LOOKED_UP] if len(old) > MOST_LOOKED_UP else old
    missing = sum(not _is_there(one, elsewhere) for one in sample)
    return round(missing * len(old) / len(sample)), len(sample)


def _drawn(one: Feedback) -> bytes:
    """A number that draws the same labels each time, whatever their ids look like."""
    return hashlib.sha256((one.prediction_id or one.record_id or "").encode(errors="replace")).digest()


def _is_there(one: Feedback, elsewhere: Elsewhere) -> bool:
    if one.prediction_id is not None:
        return elsewhere.has(one.prediction_id)
    return elsewhere.has_of_record(one.record_id or "", one.received)


def _milliseconds(moment: datetime) -> int:
    return int(np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ms").astype(np.int64))
