"""The records with labels that a training would have, and what was counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.captures.columns import CapturedRows, features_of
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.task import Classification, Regression
from andamio.errors import ReleaseError
from andamio.feedback import Feedback
from andamio.release.release import Release
from andamio.storage.ports import Objects
from monitoring.captures import Wanted, read_window
from monitoring.feedback import join
from monitoring.received import read_feedback
from monitoring.window import Window
from rollout.retraining.compare import Compared, compare
from rollout.retraining.records import LabelledRecords


def gather(lake: Objects, models: Objects, contract: Contract, window: Window, release: str) -> Compared:
    """The records of the window and of those before it (`[monitor] windows`), of any release, whose label came.

    `contract` is the deployed one, `release` the champion of the window. Hours are read as they were compacted.
    """
    settings = contract.monitor
    hours = (settings.windows - 1) * settings.window_hours + settings.label_delay_hours
    start = window.start - timedelta(hours=hours)
    said = read_feedback(lake, start, window.end)
    wanted = Wanted(
        {one.prediction_id for one in said if one.prediction_id is not None},
        {one.record_id for one in said if one.record_id is not None},
    )
    left_out: Counter[str] = Counter()
    parts: list[tuple[CapturedRows, NDArray[np.int64], list[str]]] = []
    found = _Found()
    made = {release: 0}
    while (version := next((one for one in made if one not in found.read), None)) is not None:
        found.read.add(version)
        try:
            own = Release.open(models, version).contract().hiding(contract.private)
        except ReleaseError:
            left_out["release"] += made[version]
            continue
        read = read_window(lake, own, version, start, window.whole, wanted=wanted)
        made |= {other: count for other, count in read.other_versions.items() if other not in made}
        joined = join(read.captured, said, own.task)
        found.note(read.captured, joined.rows)
        why = _of_no_use(contract, own)
        if why is not None:
            left_out[why] += len(joined.rows)
            continue
        texts = [_text(contract, own, label) for label in joined.labels.tolist()]
        known = [row for row, text in enumerate(texts) if text is not None]
        left_out["contract"] += len(texts) - len(known)
        parts.append((read.captured, joined.rows[known], [text for text in texts if text is not None]))
    left_out["not kept"] += found.absent(said)
    every = _joined(contract, parts)
    return compare(lake, contract, _newest(every), every.ids, left_out)


def _text(contract: Contract, own: Contract, label: float) -> str | None:
    """A label of a release as raw data have it; None where the contract has no such class now."""
    match own.task:
        case Classification():
            known = contract.problem.labels.get(own.classes[int(label)])
            return None if known is None else known.values[0]
        case Regression():
            return repr(float(label))


class _Found:
    """Which releases were read, and which labels have a record."""

    def __init__(self) -> None:
        self.read: set[str] = set()
        self._predictions: set[str] = set()
        self._records: set[str] = set()

    def note(self, captured: CapturedRows, rows: NDArray[np.int64]) -> None:
        for row in rows.tolist():
            self._predictions.add(captured.ids[row])
            own = captured.record_ids[row]
            if own is not None:
                self._records.add(canonical(own))

    def absent(self, said: Sequence[Feedback]) -> int:
        """How many predictions and records have a label and no record that was read."""
        predictions = {one.prediction_id for one in said if one.prediction_id is not None}
        records = {one.record_id for one in said if one.record_id is not None}
        return len(predictions - self._predictions) + len(records - self._records)


def _of_no_use(contract: Contract, own: Contract) -> str | None:
    """Why no record of a release can be trained on now; None where they can."""
    if any(feature.private for feature in contract.inputs.values()):
        return "private"
    group = contract.problem.group
    if group is not None and group not in contract.inputs:
        return "incomplete"
    if contract.task.name != own.task.name or contract.prepare != own.prepare:
        return "contract"
    types = {name: feature.type for name, feature in contract.inputs.items()}
    captured = {name: own.inputs[name].type for name in features_of(own)}
    return None if captured == types else "contract"


def _joined(contract: Contract, parts: Sequence[tuple[CapturedRows, NDArray[np.int64], list[str]]]) -> LabelledRecords:
    def column(name: str) -> NDArray[Any]:
        found = [captured.columns[name][rows] for captured, rows, _ in parts]
        return np.concatenate(found) if found else np.zeros(0)

    times = [captured.times[rows] for captured, rows, _ in parts]
    return LabelledRecords(
        ids=[captured.ids[row] for captured, rows, _ in parts for row in rows.tolist()],
        own_ids=[_canonical(captured.record_ids[row]) for captured, rows, _ in parts for row in rows.tolist()],
        times=np.concatenate(times) if times else np.zeros(0, dtype="datetime64[ms]"),
        labels=[text for _, _, texts in parts for text in texts],
        columns={name: column(name) for name in contract.inputs},
    )


def _canonical(record: str | None) -> str | None:
    return canonical(record) or None


def _newest(records: LabelledRecords) -> LabelledRecords:
    """The newest prediction of each record, in the order of time."""
    order = np.lexsort((np.array(records.ids, dtype=str), records.times)).tolist()
    names = records.names
    newest = {names[row]: row for row in order}
    kept = set(newest.values())
    return records.take([row for row in order if row in kept])
