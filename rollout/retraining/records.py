"""`captured/records.parquet`: the records that were predicted and then labelled, as ETL reads them.

A record counts once, by the id that the caller gave it or else by its prediction's; the newest label and the newest
prediction count. The file grows by If-Match, so that of two that write at once none loses the other's records.

Equal records are on one side of the split: each has the id of the one that came first as `BESIDE`, and keeps it until
its own values change to those of another one. No record that is captured later moves it; a raw row of its id or values
that comes later does.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from andamio.captures.columns import array_of
from andamio.contract import Contract
from andamio.dataset.digests import DigestTexts
from andamio.dataset.records import record_digests
from andamio.dataset.version import BESIDE, PREPARED_BY, RECORD, ROW, VALUES
from andamio.errors import DataError, ObjectNotFound, PreconditionFailed
from andamio.storage import layout
from andamio.storage.ports import Objects

MOST_RECORDS = 200_000
"""Of more records the oldest are left out."""
_MAX_ATTEMPTS = 20
_TYPES = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "category": pa.string(),
    "date": pa.date32(),
}


@dataclass(frozen=True, slots=True)
class LabelledRecords:
    """Records with their labels, `[records]` each: prediction ids, what names the record, times in UTC, class keys.

    `own_ids` are ids that the caller gave, None where none; `columns` by feature, as captures have them.
    """

    ids: Sequence[str]
    own_ids: Sequence[str | None]
    times: NDArray[np.datetime64]
    labels: Sequence[str]
    columns: Mapping[str, NDArray[Any]]

    @property
    def names(self) -> list[str]:
        """What each record counts once by."""
        pairs = zip(self.own_ids, self.ids, strict=True)
        return [f"prediction {one}" if own is None else f"record {own}" for own, one in pairs]

    @property
    def told_ids(self) -> list[str]:
        """The id of each as the data have it: the caller's, or else its prediction's."""
        return [one if own is None else own for own, one in zip(self.own_ids, self.ids, strict=True)]

    def take(self, rows: Sequence[int]) -> LabelledRecords:
        """Some of them."""
        index = np.asarray(rows, dtype=np.int64)
        return LabelledRecords(
            [self.ids[row] for row in rows],
            [self.own_ids[row] for row in rows],
            self.times[index],
            [self.labels[row] for row in rows],
            {name: column[index] for name, column in self.columns.items()},
        )


def keep(lake: Objects, contract: Contract, found: LabelledRecords) -> None:
    """Add records to the file, or put them in the place of what it has of the same ones; nothing new, nothing written.

    Where the contract has other columns now, or another prepare.py, the file begins anew.
    """
    added = _table(contract, found)
    for _ in range(_MAX_ATTEMPTS):
        held, etag = _held(lake)
        before = added.slice(0, 0) if held is None else _with_sides(contract, held)
        if not before.schema.equals(added.schema, check_metadata=True):
            before = added.slice(0, 0)
        names = set(added.column(RECORD).to_pylist())
        stays = pa.array([name not in names for name in before.column(RECORD).to_pylist()], pa.bool_())
        after = pa.concat_tables([before.filter(stays), _beside(added, before)]).combine_chunks()
        after = after.slice(max(0, after.num_rows - MOST_RECORDS))
        if held is not None and _ordered(after).equals(_ordered(held), check_metadata=True):
            return
        if _write(lake, after, etag):
            return
    raise DataError(_CHANGING)


def rows_kept(lake: Objects) -> tuple[list[str], str] | None:
    """The predictions that the file has records of, and its ETag; None where there is no file."""
    try:
        stored = lake.get(layout.CAPTURED_RECORDS)
    except ObjectNotFound:
        return None
    return pq.read_table(io.BytesIO(stored.body), columns=[ROW]).column(ROW).to_pylist(), stored.etag


def forget(lake: Objects, private: Collection[str]) -> None:
    """Leave no record in the file where it has one of these columns; its earlier versions go when the bucket says."""
    for _ in range(_MAX_ATTEMPTS):
        held, etag = _held(lake)
        if held is None or not held.num_rows or not set(private) & set(held.column_names):
            return
        if _write(lake, held.slice(0, 0), etag):
            return
    raise DataError(_CHANGING)


_CHANGING = f"{layout.CAPTURED_RECORDS} kept changing: start the execution of the watch again"


def _beside(added: pa.Table, before: pa.Table) -> pa.Table:
    """The records that are added, with the ids that their sides follow from."""
    by_values, by_record = _of_each(before, VALUES), _of_each(before, RECORD)
    known = dict(zip(before.column(RECORD).to_pylist(), before.column(VALUES).to_pylist(), strict=True))
    found = []
    columns = (added.column(name).to_pylist() for name in (RECORD, VALUES, BESIDE))
    for record, values, own in zip(*columns, strict=True):
        last = by_record.get(record, own)
        found.append(last if known.get(record) == values else by_values.get(values, last))
        by_values.setdefault(values, found[-1])
    return added.set_column(added.column_names.index(BESIDE), BESIDE, pa.array(found, pa.string()))


def _with_sides(contract: Contract, held: pa.Table) -> pa.Table:
    """A file of an earlier version, which has neither `VALUES` nor `BESIDE`, with both; any other as it is."""
    names = list(contract.inputs)
    if {VALUES, BESIDE} & set(held.column_names) or not {RECORD, *names} <= set(held.column_names):
        return held
    values = list(
        DigestTexts(record_digests({name: array_of(held.column(name).combine_chunks()) for name in names}, names))
    )
    told = [name.split(" ", 1)[1] for name in held.column(RECORD).to_pylist()]
    place = held.column_names.index(RECORD) + 1
    table = held.add_column(place, VALUES, pa.array(values, pa.string()))
    table = table.add_column(place + 1, BESIDE, pa.array(told, pa.string()))
    return _beside(table, table.slice(0, 0))


def _of_each(table: pa.Table, name: str) -> dict[str, str]:
    return dict(zip(table.column(name).to_pylist(), table.column(BESIDE).to_pylist(), strict=True))


def _ordered(table: pa.Table) -> pa.Table:
    return table.sort_by(RECORD).combine_chunks()


def _held(lake: Objects) -> tuple[pa.Table | None, str | None]:
    try:
        stored = lake.get(layout.CAPTURED_RECORDS)
    except ObjectNotFound:
        return None, None
    return pq.read_table(io.BytesIO(stored.body)), stored.etag


def _write(lake: Objects, table: pa.Table, etag: str | None) -> bool:
    body = io.BytesIO()
    pq.write_table(table, body, compression="zstd")
    if etag is None:
        return lake.put_new(layout.CAPTURED_RECORDS, body.getvalue())
    try:
        lake.put(layout.CAPTURED_RECORDS, body.getvalue(), if_match=etag)
    except PreconditionFailed:
        return False
    return True


def _table(contract: Contract, found: LabelledRecords) -> pa.Table:
    """The records in the columns that raw data have."""
    problem = contract.problem
    values = DigestTexts(record_digests(found.columns, list(contract.inputs)))
    columns: dict[str, pa.Array] = {
        ROW: pa.array(found.ids, pa.string()),
        RECORD: pa.array(found.names, pa.string()),
        VALUES: pa.array(list(values), pa.string()),
        BESIDE: pa.array(found.told_ids, pa.string()),
    }
    for name, feature in contract.inputs.items():
        columns[name] = _column(found.columns[name], _TYPES[feature.type])
    if problem.id is not None and problem.id not in columns:
        columns[problem.id] = pa.array(found.told_ids, pa.string())
    if problem.time is not None and problem.time not in columns:
        columns[problem.time] = pa.array(found.times.astype("datetime64[ms]"), pa.timestamp("ms"))
    columns[problem.target] = pa.array(found.labels, pa.string())
    return pa.table(columns, metadata=None if contract.prepare is None else {PREPARED_BY: contract.prepare})


def _column(column: NDArray[Any], kind: pa.DataType) -> pa.Array:
    if column.dtype.kind == "f":
        return pa.array(column, pa.float64(), from_pandas=True).cast(kind)
    if column.dtype.kind == "M":
        return pa.array(column.astype("datetime64[D]"), kind)
    return pa.array([text or None for text in column], kind)
