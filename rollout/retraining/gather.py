"""The records with labels that a training would have, and what was counted of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.captures.columns import CapturedRows, features_of
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.task import Classification, Regression
from andamio.dataset import version as dataset
from andamio.dataset.digests import DigestArray, digest_of
from andamio.dataset.documents import CurrentDataset
from andamio.dataset.records import record_digests
from andamio.errors import ReleaseError
from andamio.feedback import Feedback
from andamio.release.release import Release
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring.captures import Wanted, read_window
from monitoring.feedback import join
from monitoring.received import read_feedback
from monitoring.window import Window
from rollout.retraining.records import LabelledRecords
from rollout.retraining.rule import Labelled


@dataclass(frozen=True, slots=True)
class Gathered:
    """The records that may be trained on, and what was counted."""

    records: LabelledRecords
    counted: Labelled


def gather(lake: Objects, models: Objects, contract: Contract, window: Window, release: str) -> Gathered:
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
    records = _newest(_joined(contract, parts))
    return Gathered(records, _counted(lake, contract, records, left_out))


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
    return None if record is None else canonical(record)


def _newest(records: LabelledRecords) -> LabelledRecords:
    """The newest prediction of each record, in the order of time."""
    order = np.lexsort((np.array(records.ids, dtype=str), records.times)).tolist()
    names = records.names
    newest = {names[row]: row for row in order}
    kept = set(newest.values())
    return records.take([row for row in order if row in kept])


def _counted(lake: Objects, contract: Contract, records: LabelledRecords, left_out: Mapping[str, int]) -> Labelled:
    """What the records are beside the rows of the current data version."""
    names = list(contract.inputs)
    own = np.fromiter((digest_of(f"{layout.CAPTURED}{one}") for one in records.ids), np.uint64, len(records.ids))
    digests = record_digests(records.columns, names)
    labelled = digests ^ _labels(records.labels)
    equal, agreeing = Counter[int](), Counter[int]()
    there: dict[int, tuple[int, int]] = {}
    for rows, identities, truth in _rows(lake, names, contract.problem.target):
        with_label = rows ^ truth
        is_own, is_equal = np.isin(identities, own), np.isin(rows, digests)
        pairs = zip(rows[is_own].tolist(), with_label[is_own].tolist(), strict=True)
        there.update(zip(identities[is_own].tolist(), pairs, strict=True))
        equal.update(rows[is_equal].tolist())
        agreeing.update(with_label[is_equal].tolist())
    is_new = np.zeros(len(own), dtype=bool)
    contradicts, equals = is_new.copy(), is_new.copy()
    # A row says nothing about the prediction that it was made of.
    for row, (name, record, said) in enumerate(zip(own.tolist(), digests.tolist(), labelled.tolist(), strict=True)):
        own_record, own_said = there.get(name, (None, None))
        is_new[row] = name not in there and record not in equal
        equals[row] = equal[record] > (own_record == record)
        contradicts[row] = equals[row] and agreeing[said] == (own_said == said)
    classes: dict[str, int] = {}
    contradicting = 0
    match contract.task:
        case Classification():
            keys = {label.values[0]: key for key, label in contract.problem.labels.items()}
            new = Counter(keys[records.labels[row]] for row in np.flatnonzero(is_new).tolist())
            classes = {key: new[key] for key in contract.classes}
            contradicting = int(contradicts.sum())
        case Regression():
            pass  # equal records may well be measured differently
    return Labelled(
        records=len(records.ids),
        new=int(is_new.sum()),
        classes=classes,
        equal=int(equals.sum()),
        contradicting=contradicting,
        left_out={why: count for why, count in left_out.items() if count},
    )


def _rows(lake: Objects, names: Sequence[str], target: str) -> Iterator[tuple[DigestArray, DigestArray, DigestArray]]:
    """Digests of the records, identities and labels of the current data version, side by side of the split."""
    current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
    sides: tuple[dataset.Side, ...] = ("train", "holdout")
    for side in sides if current is not None else ():
        assert current is not None
        with dataset.open_columns(lake, current.version, side) as columns:
            if all(name in columns for name in (*names, target)):
                yield record_digests(columns, names), columns.digests(dataset.ROW), _labels(columns[target])


def _labels(texts: Sequence[str] | NDArray[Any]) -> DigestArray:
    if isinstance(texts, np.ndarray) and texts.dtype.kind == "f":
        texts = [repr(one) for one in texts.tolist()]
    known = {text: digest_of(text) for text in set(texts)}
    return np.fromiter((known[text] for text in texts), np.uint64, len(texts))
