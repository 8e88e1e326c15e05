"""Parquet, some rows of a row group at a time: read by ranges, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.records.cells import Cells
from andamio.storage.ports import Objects
from andamio.tabular.arrow import absent_column, held_type, moments, numbers, values
from scoring.batch import BatchPlan, Shard
from scoring.read.ids import canonical_ids, ids_of
from scoring.read.ranges import Ranges
from scoring.read.rows import ROWS, Rows

_BATCH = 24 * 2**20
"""Bytes of the rows, unpacked, that are handled at a time."""
_WHOLE = 8 * 2**20
"""Bytes up to which a row group is fetched in one piece, and that are then fetched at a time."""
_LITTLE = 64 * 2**10
_BUFFERS = 24 * 2**20
"""Bytes that are read ahead, of all columns together."""


class ParquetReader:
    """Reads shards of one Parquet file; raises `DataError` when it is none."""

    def __init__(self, objects: Objects, plan: BatchPlan, contract: Contract) -> None:
        self._plan, self._contract = plan, contract
        self._source = Ranges(objects, plan.source, plan.source_version, plan.source_size)
        try:
            self._footer = pq.read_metadata(self._source)
            ahead = min(max(_BUFFERS // max(self._footer.num_columns, 1), _LITTLE), 4 * 2**20)
            self._file = self._opened(ahead)
        except (ConnectionError, TimeoutError):
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"this Parquet file cannot be read ({type(error).__name__}): write it again") from error
        found: pa.Schema = self._file.schema_arrow
        self.schema = pa.schema([field.with_type(held_type(field.type)) for field in found], metadata=found.metadata)
        names = self.schema.names
        self._places = {name: place for place, name in reversed(list(enumerate(names)))}

    def _opened(self, ahead: int) -> pq.ParquetFile:
        return pq.ParquetFile(self._source, metadata=self._footer, pre_buffer=False, buffer_size=ahead)

    def read(self, shard: Shard) -> Generator[Rows, None, int]:
        """The rows of a shard's row groups; the return value of the iterator is how many there are."""
        line = shard.line
        groups = range(shard.start, shard.end)
        self._source.hold(*self._window(groups))
        try:
            for batch in self._file.iter_batches(self._rows_at_once(groups), row_groups=groups, use_threads=False):
                if batch.num_rows:
                    yield self._rows(batch.cast(self.schema), line)
                line += batch.num_rows
        except (ConnectionError, TimeoutError):  # of storage, not of the file
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"this Parquet file cannot be read from row {line} on ({type(error).__name__}): write it again"
            ) from error
        return line - shard.line

    def _window(self, groups: range) -> tuple[int, int]:
        """How much to fetch at a time (0 where row groups are large), and where the last one ends."""
        largest = end = 0
        for info in map(self._footer.row_group, groups):
            columns = [info.column(place) for place in range(info.num_columns)]
            begin = min(_first_byte(column) for column in columns)
            last = max(_first_byte(column) + column.total_compressed_size for column in columns)
            largest, end = max(largest, last - begin), max(end, last)
        return (_WHOLE if largest <= _WHOLE else 0), end

    def _rows_at_once(self, groups: range) -> int:
        """How many rows are small enough together: by what the widest row group holds, and by its first rows.

        The size that a file states counts a text once that stands in many rows.
        """
        infos = [self._footer.row_group(group) for group in groups]
        widest = max((info.total_byte_size / info.num_rows for info in infos if info.num_rows), default=1.0)
        if any(not _of_one_width(column.type) for column in self.schema):
            first = next(self._opened(_LITTLE).iter_batches(64, row_groups=groups, use_threads=False), None)
            if first is not None and first.num_rows:
                widest = max(widest, first.nbytes / first.num_rows)
        return int(min(max(_BATCH / max(widest, 1.0), 16), ROWS))

    def _rows(self, batch: pa.RecordBatch, line: int) -> Rows:
        contract = self._contract
        columns: dict[str, Cells] = {}
        for name, feature in contract.inputs.items():
            column = self._column(batch, name)
            if feature.type in ("integer", "number"):
                if column is not None:
                    columns[name] = numbers(column)
            elif feature.type == "date":
                if column is not None:
                    columns[name] = moments(column)
            else:
                columns[name] = absent_column(batch.num_rows) if column is None else values(column)
        time = None if contract.problem.time is None else self._column(batch, contract.problem.time)
        if contract.problem.time is not None and time is not None:
            columns[contract.problem.time] = moments(time)
        record = None if self._plan.record_column is None else self._column(batch, self._plan.record_column)
        lines = np.arange(line, line + batch.num_rows, dtype=np.int64)
        return Rows(lines, columns, False, None if record is None else _ids(record), batch, partial(_original, batch))

    def _column(self, batch: pa.RecordBatch, name: str) -> pa.Array | None:
        place = self._places.get(name)
        return None if place is None else batch.column(place)


def _first_byte(column: Any) -> int:
    dictionary = column.dictionary_page_offset
    return int(column.data_page_offset if dictionary is None else min(dictionary, column.data_page_offset))


def _of_one_width(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def _ids(column: pa.Array) -> pa.StringArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return canonical_ids(pc.cast(column, pa.string()))
    if pa.types.is_integer(kind):
        return pc.fill_null(pc.cast(column, pa.string()), "")
    return ids_of(values(column), len(column))


def _original(batch: pa.RecordBatch, row: int) -> object:
    return {name: _shown(column[row]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def _shown(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # nanoseconds and far years, which Python's own moments do not hold
        return scalar.cast(pa.string()).as_py()
