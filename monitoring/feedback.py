"""Labels that came, and the predictions that they are about.

A label names a prediction, or a record: then it is about the newest prediction of the record before the label came.
The file of a batch may carry labels too (`truth` of its captures), which count as said when the batch was made. Of
several labels of one prediction the latest counts.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from andamio.captures.truth import NO_TRUTH, Truth, known
from andamio.contract.canonical import canonical
from andamio.contract.task import Classification, Regression, Task
from andamio.errors import ObjectNotFound
from andamio.feedback import Feedback
from andamio.storage import layout
from andamio.storage.ports import Objects, PredictionStore

if TYPE_CHECKING:
    from andamio.captures.columns import CapturedRows

MOST_LOOKED_UP = 1000
"""Labels without a prediction that are looked up one by one; of more, a sample stands for all."""
_MOST_OF_A_RECORD = 100


class Elsewhere(Protocol):
    """Where a prediction may be that is not among the rows of a window."""

    def made(self, prediction_id: str) -> datetime | None:
        """When a prediction was made; None where there is none."""

    def made_of_record(self, record_id: str, before: datetime) -> datetime | None:
        """When the newest prediction of a record before a moment was made; None where there is none."""


@dataclass(frozen=True, slots=True)
class StoredPredictions:
    """The predictions table, and the batches whose predictions are too many for it."""

    table: PredictionStore
    batches: Objects

    def made(self, prediction_id: str) -> datetime | None:
        """As the table has it, or when its batch was planned."""
        item = self.table.find(prediction_id)
        if item is not None:
            return datetime.fromisoformat(item["created"])
        planned = _planned(prediction_id)
        if planned is None:
            return None
        try:
            self.batches.head(layout.batch(prediction_id.rpartition("-")[0], "plan.json"))
        except ObjectNotFound:
            return None
        return planned

    def made_of_record(self, record_id: str, before: datetime) -> datetime | None:
        """As the table has it."""
        found = self.table.of_record(record_id, limit=_MOST_OF_A_RECORD)
        made = [datetime.fromisoformat(item["created"]) for item in found]
        return max((one for one in made if one <= before), default=None)


def _planned(prediction_id: str) -> datetime | None:
    """When the batch of a prediction was planned, as its id says; None for an id of no batch."""
    batch, _, line = prediction_id.rpartition("-")
    try:
        planned = datetime.strptime(batch.partition("-")[0], "%Y%m%dT%H%M%S")
    except ValueError:
        return None
    return planned.replace(tzinfo=UTC) if line.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Lookup:
    """What labels without a prediction among the rows are looked up for, and which: those of `since` to `before`.

    A label that came `useless` or longer after its prediction is used by no window. Predictions that are older than
    `kept` are found nowhere, and so are predictions of records where `records` is false: a batch is not in the table.
    """

    elsewhere: Elsewhere
    since: datetime
    before: datetime
    useless: timedelta
    kept: timedelta
    records: bool = True

    def made(self, one: Feedback) -> datetime | None:
        """When the prediction of a label was made."""
        if one.prediction_id is not None:
            return self.elsewhere.made(one.prediction_id)
        return self.elsewhere.made_of_record(one.record_id or "", one.received)

    def may_be_gone(self, one: Feedback) -> bool:
        """Whether there may have been a prediction that is found nowhere now."""
        if self.useless >= self.kept:
            return True
        if one.prediction_id is None:
            return not self.records
        planned = _planned(one.prediction_id)
        return planned is not None and planned < self.before - self.kept


@dataclass(frozen=True, slots=True)
class Joined:
    """The labels of the rows of a window.

    `rows` ascending indices of the rows that have one, `labels` class indices or numbers, `received` datetime64[ms] in
    UTC, when each was said: each `[labelled]`. `unknown` labels are of no class of this release, or no numbers.
    `elsewhere` labels are about predictions that are not among the rows. Of them `orphans` have a prediction that is
    found nowhere, and `late` ones came when no window looks at theirs any more: numbers that are estimated from
    `looked_up` where they are many.
    """

    rows: NDArray[np.int64]
    labels: Truth
    received: NDArray[np.datetime64]
    unknown: int = 0
    elsewhere: int = 0
    orphans: int = 0
    late: int = 0
    looked_up: int = 0


def join(
    captured: CapturedRows,
    feedback: Sequence[Feedback],
    task: Task,
    lookup: Lookup | None = None,
) -> Joined:
    """The labels of captured rows of a release's `task`; `feedback` in the order in which it came.

    A record's newest prediction is looked for among the rows: where a record was predicted again after the window, its
    label counts for the one in the window. Without a `lookup` nothing is an orphan.
    """
    meaning = _meaning(task)
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
                answers.say(rows[place], one, meaning(one.label))
    for row, prediction in enumerate(captured.ids):
        if (latest := by_prediction.pop(prediction, None)) is not None:
            answers.say(row, latest, meaning(latest.label))
    away.extend(by_prediction.values())
    orphans, late, looked_up = (0, 0, 0) if lookup is None else _looked_up(away, lookup)
    told, labels, received = answers.labelled()
    unknown = int((~known(np.array([meaning(one.label) for one in feedback], dtype=labels.dtype))).sum())
    return Joined(told, labels, received, unknown, len(away), orphans, late, looked_up)


def _meaning(task: Task) -> Callable[[str | float], float]:
    """What a label means to a release: the index of a class or a number, and what stands for none."""
    match task:
        case Classification():
            index: dict[object, int] = {key: number for number, key in enumerate(task.outputs)}
            return lambda label: index.get(label, NO_TRUTH)
        case Regression():
            return lambda label: label if isinstance(label, float) else math.nan


class _Answers:
    """The latest label of each row, and when it was said; a batch's own labels come first."""

    def __init__(self, captured: CapturedRows) -> None:
        self._labels = captured.truth.copy()
        said = captured.times.astype("datetime64[ms]").astype(np.int64)
        self._received = np.where(known(self._labels), said, np.iinfo(np.int64).min)

    def say(self, row: int, one: Feedback, label: float) -> None:
        """One label of a row, which counts unless a later one was said."""
        moment = _milliseconds(one.received)
        if moment >= self._received[row]:
            self._labels[row], self._received[row] = label, moment

    def labelled(self) -> tuple[NDArray[np.int64], Truth, NDArray[np.datetime64]]:
        """The rows that have a label, their labels, and when each was said."""
        rows = np.flatnonzero(known(self._labels)).astype(np.int64)
        return rows, self._labels[rows], self._received[rows].astype("datetime64[ms]")


def _rows_of(record_ids: Iterable[str | None], asked: dict[str, list[Feedback]]) -> dict[str, list[int]]:
    """The rows of the records that were asked for, by their canonical text."""
    found: dict[str, list[int]] = {}
    if asked:
        for row, record in enumerate(record_ids):
            if record is not None and (text := canonical(record)) in asked:
                found.setdefault(text, []).append(row)
    return found


def _looked_up(away: Sequence[Feedback], lookup: Lookup) -> tuple[int, int, int]:
    """How many labels have no prediction anywhere, how many came too late, and how many were looked up."""
    asked = [one for one in away if lookup.since <= one.received < lookup.before]
    sample = sorted(asked, key=_drawn)[:MOST_LOOKED_UP] if len(asked) > MOST_LOOKED_UP else asked
    orphans = late = 0
    for one in sample:
        made = lookup.made(one)
        orphans += made is None and not lookup.may_be_gone(one)
        late += made is not None and one.received - made >= lookup.useless
    whole = len(asked) / max(1, len(sample))
    return round(orphans * whole), round(late * whole), len(sample)


def _drawn(one: Feedback) -> bytes:
    """A number that draws the same labels each time, whatever their ids look like."""
    return hashlib.sha256((one.prediction_id or one.record_id or "").encode(errors="replace")).digest()


def _milliseconds(moment: datetime) -> int:
    return int(np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ms").astype(np.int64))
