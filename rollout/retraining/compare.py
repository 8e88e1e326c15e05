"""What records with labels are beside the rows of the current data version: new, equal, or of no use to ETL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.task import Classification, Regression
from andamio.dataset import version as dataset
from andamio.dataset.columns import ColumnFile
from andamio.dataset.digests import DigestArray, digest_of
from andamio.dataset.documents import CurrentDataset, DatasetManifest
from andamio.dataset.records import record_digests
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from rollout.retraining.records import LabelledRecords, rows_kept
from rollout.retraining.rule import Labelled


@dataclass(frozen=True, slots=True)
class Compared:
    """The records that ETL takes, and what was counted."""

    records: LabelledRecords
    counted: Labelled


@dataclass(slots=True)
class _Version:
    """What the rows of the data version say of the records.

    `equal` and `agreeing` count rows by record digest, without and with the label. `there` are rows that were made of
    one of the predictions: record digest, the same with the label. `present` are captured rows; `ids` are of raw rows.
    """

    equal: Counter[int] = field(default_factory=Counter)
    agreeing: Counter[int] = field(default_factory=Counter)
    there: dict[int, tuple[int, int]] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    ids: set[str] = field(default_factory=set)


def compare(
    lake: Objects, contract: Contract, records: LabelledRecords, earlier: Sequence[str], left_out: Mapping[str, int]
) -> Compared:
    """Say of each record what ETL would do with it; `earlier` are other predictions of these records.

    A raw row of the same `[problem] id` takes a record's place, and what ETL left out of the captured records that it
    read it leaves out again: neither is new. Both still say whether their labels contradict those of equal rows.
    """
    digests = record_digests(records.columns, list(contract.inputs))
    labelled = digests ^ _labels(records.labels)
    own = _identities(records.ids)
    current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
    kept, read = _kept_and_read(lake, current)
    captured = np.union1d(np.union1d(own, _identities(earlier)), kept)
    found = _Version() if current is None else _compared(lake, contract, current.version, records, own, captured)
    lost = set(read.tolist()) - found.present
    is_new = np.zeros(len(own), dtype=bool)
    contradicts, equals, taken = is_new.copy(), is_new.copy(), ~is_new
    why = Counter(left_out)
    ids = _ids(contract, records)
    # A row says nothing about the prediction that it was made of.
    for row, (name, record, said) in enumerate(zip(own.tolist(), digests.tolist(), labelled.tolist(), strict=True)):
        own_record, own_said = found.there.get(name, (None, None))
        reason = "raw row" if ids[row] in found.ids else "etl" if name in lost else None
        if reason is not None:
            taken[row] = False
            why[reason] += 1
        is_new[row] = taken[row] and name not in found.there and record not in found.equal
        equals[row] = found.equal[record] > (own_record == record)
        contradicts[row] = equals[row] and found.agreeing[said] == (own_said == said)
    counted = _counted(contract, records, is_new, int(taken.sum()), int(equals.sum()), int(contradicts.sum()), why)
    return Compared(records.take(np.flatnonzero(taken).tolist()), counted)


def _counted(
    contract: Contract,
    records: LabelledRecords,
    is_new: NDArray[np.bool_],
    taken: int,
    equal: int,
    contradicting: int,
    left_out: Mapping[str, int],
) -> Labelled:
    classes: dict[str, int] = {}
    match contract.task:
        case Classification():
            keys = {label.values[0]: key for key, label in contract.problem.labels.items()}
            new = Counter(keys[records.labels[row]] for row in np.flatnonzero(is_new).tolist())
            classes = {key: new[key] for key in contract.classes}
        case Regression():
            contradicting = 0  # equal records may well be measured differently
    return Labelled(
        records=taken,
        new=int(is_new.sum()),
        classes=classes,
        equal=equal,
        contradicting=contradicting,
        left_out={why: count for why, count in left_out.items() if count},
    )


def _identities(predictions: Sequence[str]) -> DigestArray:
    """What ETL calls the rows of captured records."""
    return np.fromiter((digest_of(f"{layout.CAPTURED}{one}") for one in predictions), np.uint64, len(predictions))


def _ids(contract: Contract, records: LabelledRecords) -> list[str | None]:
    """The id by which a raw row would take the place of each record; None without."""
    name = contract.problem.id
    if name is None:
        return [None] * len(records.ids)
    told = records.told_ids if name not in contract.inputs else records.columns[name].tolist()
    return [canonical(one) for one in told]


def _kept_and_read(lake: Objects, current: CurrentDataset | None) -> tuple[DigestArray, DigestArray]:
    """The captured records of the file, and those the data version was made of, where it is still the file ETL read.

    The latter are none where ETL left out all of them: the version is then the one that was there before.
    """
    manifest = current and documents.find(lake, layout.dataset(current.version, dataset.MANIFEST), DatasetManifest)
    files = manifest.files if manifest else []
    read = {file.etag for file in files if file.key == layout.CAPTURED_RECORDS and file.refused is None}
    predictions, etag = (current and rows_kept(lake)) or ([], "")
    kept = _identities(predictions)
    return kept, kept if etag in read else kept[:0]


def _compared(
    lake: Objects,
    contract: Contract,
    version: str,
    records: LabelledRecords,
    own: DigestArray,
    captured: DigestArray,
) -> _Version:
    names, found, id_column = list(contract.inputs), _Version(), contract.problem.id
    wanted = {one for one in _ids(contract, records) if one is not None}
    digests = record_digests(records.columns, names)
    for columns in _sides(lake, version):
        identities = columns.digests(dataset.ROW)
        is_captured = np.isin(identities, captured)
        found.present.update(identities[is_captured].tolist())
        if wanted and id_column is not None and id_column in columns:
            texts = columns[id_column][~is_captured]
            found.ids.update(wanted.intersection(texts.tolist()))
        if not all(name in columns for name in (*names, contract.problem.target)):
            continue
        rows = record_digests(columns, names)
        with_label = rows ^ _labels(columns[contract.problem.target])
        is_own, is_equal = np.isin(identities, own), np.isin(rows, digests)
        pairs = zip(rows[is_own].tolist(), with_label[is_own].tolist(), strict=True)
        found.there.update(zip(identities[is_own].tolist(), pairs, strict=True))
        found.equal.update(rows[is_equal].tolist())
        found.agreeing.update(with_label[is_equal].tolist())
    return found


def _sides(lake: Objects, version: str) -> Iterator[ColumnFile]:
    sides: tuple[dataset.Side, ...] = ("train", "holdout")
    for side in sides:
        with dataset.open_columns(lake, version, side) as columns:
            yield columns


def _labels(texts: Sequence[str] | NDArray[Any]) -> DigestArray:
    if isinstance(texts, np.ndarray) and texts.dtype.kind == "f":
        texts = [repr(one) for one in texts.tolist()]
    known = {text: digest_of(text) for text in set(texts)}
    return np.fromiter((known[text] for text in texts), np.uint64, len(texts))
