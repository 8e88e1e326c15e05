"""Captured predictions as columns of Arrow: one row a prediction, one column `f.NAME` for each feature.

prediction_id, record_id   texts; null where the caller gave no id
time                       when it was made, UTC
source                     the route of the API, or `batch:ID`
model_version, variant     the release, and whether it was the champion or the challenger then
label, probabilities       index of the class, float32 `[classes]`; of a regression instead: value, float32
audit                      whether the reply asked for the true label
truth                      index of the true class, or the true number (float64); null where the file had none
f.NAME                     float64 (NaN = missing), text ("" = missing) or date; private features have no column
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.captures.truth import Truth, known, no_truth
from andamio.contract import Contract
from andamio.contract.task import Classification, Regression, Task
from andamio.names import CHAMPION
from andamio.records.table import Table

FEATURE = "f."
COMPRESSION = "zstd"


@dataclass(slots=True)
class CapturedRows:
    """Captured predictions, `rows` of them.

    `times` datetime64[ms] `[rows]` in UTC, `labels` and `truth` class indices int64 `[rows]` (truth -1 = none),
    `probabilities` float32 `[rows, classes]`, `audit` bool `[rows]`; `columns` by feature `[rows]` as
    `andamio.records.table.Table` has them. Of a regression the values `[rows, 1]` stand where probabilities do, all
    `labels` are 0, and `truth` is float64 (NaN = none).
    """

    ids: list[str]
    record_ids: list[str | None]
    times: NDArray[np.datetime64]
    sources: list[str]
    model_versions: list[str]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    audit: NDArray[np.bool_]
    truth: Truth
    columns: dict[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """How many predictions."""
        return len(self.ids)


def features_of(contract: Contract) -> tuple[str, ...]:
    """The features that are kept: the inputs that are not private."""
    return tuple(name for name, feature in contract.inputs.items() if not feature.private)


def schema(contract: Contract) -> pa.Schema:
    """The columns under a contract."""
    kinds = {"category": pa.string(), "date": pa.date32()}
    return pa.schema(
        [
            pa.field("prediction_id", pa.string()),
            pa.field("record_id", pa.string()),
            pa.field("time", pa.timestamp("ms", "UTC")),
            pa.field("source", pa.string()),
            pa.field("model_version", pa.string()),
            pa.field("variant", pa.string()),
            *_answer_fields(contract.task),
            pa.field("audit", pa.bool_()),
            pa.field("truth", _truth_type(contract.task)),
            *(
                pa.field(f"{FEATURE}{name}", kinds.get(contract.inputs[name].type, pa.float64()))
                for name in features_of(contract)
            ),
        ]
    )


def to_arrow(
    contract: Contract,
    table: Table,
    *,
    ids: Sequence[str] | pa.Array,
    record_ids: Sequence[str | None] | pa.Array,
    times: NDArray[np.datetime64],
    sources: Sequence[str] | str,
    version: str,
    labels: NDArray[np.integer[Any]],
    probabilities: NDArray[np.float32],
    audit: Sequence[bool] | NDArray[np.bool_],
    truth: Truth | None = None,
    variants: Sequence[str] | None = None,
) -> pa.RecordBatch:
    """Rows as one batch; `table` holds their records `[rows]`, as the contract types them. One source may be of all.

    Without `variants` the champion made them.
    """
    rows = len(ids)
    true = no_truth(contract.task, rows) if truth is None else truth
    found = schema(contract)
    arrays = [
        _texts(ids),
        _texts(record_ids),
        pa.array(times.astype("datetime64[ms]"), pa.timestamp("ms")).cast(pa.timestamp("ms", "UTC")),
        pa.repeat(sources, rows) if isinstance(sources, str) else _texts(sources),
        pa.repeat(version, rows),
        pa.repeat(CHAMPION, rows) if variants is None else _texts(variants),
        *_answers(contract.task, labels, probabilities),
        pa.array(np.asarray(audit, dtype=bool)),
        pa.array(true, mask=~known(true)).cast(found.field("truth").type),
        *(_feature(table, name, found.field(f"{FEATURE}{name}").type) for name in features_of(contract)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=found)


def from_arrow(contract: Contract, batches: Sequence[pa.RecordBatch]) -> CapturedRows:
    """Rows as arrays; none of them are none of each column, and of a feature that was private then all are missing."""
    found = schema(contract)
    table = pa.Table.from_batches([_plain(batch, found) for batch in batches], found).combine_chunks()
    labels, probabilities = _read_answers(contract.task, table)
    columns: dict[str, NDArray[Any]] = {}
    for name in features_of(contract):
        columns[name] = array_of(table.column(f"{FEATURE}{name}").combine_chunks())
    return CapturedRows(
        ids=table.column("prediction_id").to_pylist(),
        record_ids=table.column("record_id").to_pylist(),
        times=table.column("time").cast(pa.timestamp("ms")).to_numpy(),
        sources=table.column("source").to_pylist(),
        model_versions=table.column("model_version").to_pylist(),
        labels=labels,
        probabilities=probabilities,
        audit=table.column("audit").to_numpy().astype(bool),
        truth=_read_truth(contract.task, table.column("truth")),
        columns=columns,
    )


def _truth_type(task: Task) -> pa.DataType:
    return pa.int16() if isinstance(task, Classification) else pa.float64()


def _answer_fields(task: Task) -> list[pa.Field]:
    match task:
        case Classification():
            probabilities = pa.list_(pa.float32(), len(task.outputs))
            return [pa.field("label", pa.int16()), pa.field("probabilities", probabilities)]
        case Regression():
            return [pa.field("value", pa.float32())]


def _answers(task: Task, labels: NDArray[np.integer[Any]], probabilities: NDArray[np.float32]) -> list[pa.Array]:
    flat = pa.array(np.ascontiguousarray(probabilities, dtype=np.float32).reshape(-1))
    match task:
        case Classification():
            return [pa.array(labels.astype(np.int16)), pa.FixedSizeListArray.from_arrays(flat, len(task.outputs))]
        case Regression():
            return [flat]


def _read_answers(task: Task, table: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    match task:
        case Classification():
            flat = table.column("probabilities").combine_chunks().flatten().to_numpy(zero_copy_only=False)
            labels = table.column("label").to_numpy().astype(np.int64)
            return labels, flat.reshape(-1, len(task.outputs)).astype(np.float32)
        case Regression():
            values = table.column("value").to_numpy().astype(np.float32)
            return np.zeros(len(values), dtype=np.int64), values.reshape(-1, 1)


def _read_truth(task: Task, column: pa.ChunkedArray) -> Truth:
    none = no_truth(task, 1)
    filled = column.fill_null(none.item()).to_numpy()
    return np.asarray(filled, dtype=none.dtype)


def _texts(texts: Sequence[str | None] | pa.Array) -> pa.Array:
    return texts.cast(pa.string()) if isinstance(texts, pa.Array) else pa.array(texts, pa.string())


def _feature(table: Table, name: str, kind: pa.DataType) -> pa.Array:
    if name in table.coded:
        coded = table.coded[name]
        texts = pa.array([*map(str, coded.values), ""], pa.string())
        codes = np.where(coded.codes < 0, len(texts) - 1, coded.codes)
        return texts.take(pa.array(codes))
    column = table.columns[name]
    return pa.array(column, kind) if column.dtype != object else pa.array(column.tolist(), kind)


def array_of(column: pa.Array) -> NDArray[Any]:
    """A feature `[rows]` as `andamio.records.table.Table` has it: texts ("" = missing), dates or float64."""
    if pa.types.is_string(column.type):
        # Each distinct text once: a column of a million texts is a million pointers.
        coded = column.dictionary_encode()
        texts = np.array([*coded.dictionary.to_pylist(), ""], dtype=object)
        return np.asarray(texts[coded.indices.fill_null(len(texts) - 1).to_numpy(zero_copy_only=False)])
    if pa.types.is_date32(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype="datetime64[D]")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _plain(batch: pa.RecordBatch, found: pa.Schema) -> pa.RecordBatch:
    """A batch in the contract's own types and order."""
    absent = [field for field in found if field.name not in batch.schema.names]
    for field in absent:
        batch = batch.append_column(field, pa.nulls(batch.num_rows, field.type))
    return batch.select(found.names).cast(found)
