"""Parquet, some rows of a row group at a time: read by ranges, so that memory does not grow with the file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from andamio.contract.canonical import composed
from andamio.errors import DataError
from andamio.records.cells import Cells
from andamio.tabular.arrow import absent_column, held_type, moments, numbers, values
from andamio.tabular.columns import Kind, Kinds, check_doubled
from andamio.tabular.limits import ROWS
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows

_BATCH = 24 * 2**20
"""Bytes of the rows, unpacked, that are handled at a time."""
_WHOLE = 8 * 2**20
"""Bytes up to which a row group is fetched in one piece, and that are then fetched at a time."""
_LITTLE = 64 * 2**10
_BUFFERS = 24 * 2**20
"""Bytes that are read ahead, of all columns together."""

_READ: dict[Kind, Callable[[pa.Array], Cells]] = {
    "number": numbers,
    "moment": moments,
    "text": values,
    "written": values,
}


def check_schema(schema: pa.Schema, wanted: Collection[str]) -> None:
    """Raise `RefusedFile` when a wanted column is there twice, or has more than one value a row."""
    check_doubled(column_names(schema), wanted)
    for name, field in zip(column_names(schema), schema, strict=True):
        if name in wanted and pa.types.is_nested(field.type):
            raise RefusedFile(f"has a column '{name}' of {field.type}: expected one value a row", fault="nested-column")


def column_names(schema: pa.Schema) -> list[str]:
    """The names of a file's columns, in the form that a contract has of them."""
    return [composed(name) for name in schema.names]


class ParquetReader:
    """Reads row groups of one Parquet file; raises `DataError` when it is none.

    `kinds` are the columns that are wanted, `exact` those that are wanted as they are besides. With `every`, rows are
    carried with all columns of the file, else with those. `hold` is told how many bytes to fetch at a time, and where
    the last row group ends.
    """

    def __init__(
        self,
        source: BinaryIO | pa.NativeFile,
        kinds: Kinds,
        *,
        exact: Collection[str] = (),
        every: bool = True,
        hold: Callable[[int, int], None] | None = None,
    ) -> None:
        self._source, self._kinds, self._exact, self._hold = source, kinds, tuple(exact), hold
        try:
            self._footer = pq.read_metadata(source)
            ahead = min(max(_BUFFERS // max(self._footer.num_columns, 1), _LITTLE), 4 * 2**20)
            self._file = self._opened(ahead)
        except (ConnectionError, TimeoutError):
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"this Parquet file cannot be read ({type(error).__name__}): write it again") from error
        found: pa.Schema = self._file.schema_arrow
        self.whole_schema = found
        """Of all columns of the file; `schema` is that of those that are carried."""
        self._columns = None if every else [name for name in found.names if composed(name) in {*kinds, *exact}]
        fields = [field for field in found if self._columns is None or field.name in self._columns]
        self.schema = pa.schema([field.with_type(held_type(field.type)) for field in fields], metadata=found.metadata)
        self._places = {name: place for place, name in reversed(list(enumerate(column_names(self.schema))))}

    @property
    def groups(self) -> int:
        """How many row groups the file has."""
        return int(self._footer.num_row_groups)

    def _opened(self, ahead: int) -> pq.ParquetFile:
        return pq.ParquetFile(self._source, metadata=self._footer, pre_buffer=False, buffer_size=ahead)

    def read(self, groups: Sequence[int], line: int) -> Generator[Rows, None, int]:
        """The rows of row groups, of which the first is number `line` (from 1); returns how many there are at last."""
        first = line
        if self._columns == []:
            return 0
        if self._hold is not None:
            self._hold(*self._window(groups))
        try:
            batches = self._file.iter_batches(
                self._rows_at_once(groups), row_groups=groups, columns=self._columns, use_threads=False
            )
            for batch in batches:
                if batch.num_rows:
                    yield self._rows(batch.cast(self.schema), line)
                line += batch.num_rows
        except (ConnectionError, TimeoutError):  # an error of storage, not of the file
            raise
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"this Parquet file cannot be read from row {line} on ({type(error).__name__}): write it again"
            ) from error
        return line - first

    def _window(self, groups: Sequence[int]) -> tuple[int, int]:
        """How much to fetch at a time (0 where row groups are large), and where the last one ends."""
        largest = end = 0
        for info in map(self._footer.row_group, groups):
            columns = [info.column(place) for place in range(info.num_columns)]
            begin = min(_first_byte(column) for column in columns)
            last = max(_first_byte(column) + column.total_compressed_size for column in columns)
            largest, end = max(largest, last - begin), max(end, last)
        return (_WHOLE if largest <= _WHOLE else 0), end

    def _rows_at_once(self, groups: Sequence[int]) -> int:
        """How many rows are small enough together: by what the widest row group holds, and by its first rows.

        The size that a file states counts a text once that stands in many rows.
        """
        infos = [self._footer.row_group(group) for group in groups]
        widest = max((info.total_byte_size / info.num_rows for info in infos if info.num_rows), default=1.0)
        if any(not _of_one_width(column.type) for column in self.schema):
            first = next(
                self._opened(_LITTLE).iter_batches(64, row_groups=groups, columns=self._columns, use_threads=False),
                None,
            )
            if first is not None and first.num_rows:
                widest = max(widest, first.nbytes / first.num_rows)
        return int(min(max(_BATCH / max(widest, 1.0), 16), ROWS))

    def _rows(self, batch: pa.RecordBatch, line: int) -> Rows:
        columns: dict[str, Cells] = {}
        for name, kind in self._kinds.items():
            column = self._column(batch, name)
            if column is None:
                columns[name] = absent_column(batch.num_rows)
            else:
                columns[name] = _READ[kind](column)
        exact = {name: column for name in self._exact if (column := self._column(batch, name)) is not None}
        lines = np.arange(line, line + batch.num_rows, dtype=np.int64)
        return Rows(lines, columns, False, exact, batch, partial(_original, batch))

    def _column(self, batch: pa.RecordBatch, name: str) -> pa.Array | None:
        place = self._places.get(name)
        return None if place is None else batch.column(place)


def _first_byte(column: Any) -> int:
    dictionary = column.dictionary_page_offset
    return int(column.data_page_offset if dictionary is None else min(dictionary, column.data_page_offset))


def _of_one_width(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def _original(batch: pa.RecordBatch, row: int) -> dict[str, object]:
    return {name: _shown(column[row]) for name, column in zip(batch.schema.names, batch.columns, strict=True)}


def _shown(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):  # nanoseconds and far years, which Python's own moments do not hold
        return scalar.cast(pa.string()).as_py()
