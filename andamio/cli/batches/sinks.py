"""Files that Arrow batches are written to: CSV, Parquet, or SQLite with one table `predictions`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any, Protocol

from andamio.errors import UsageError

TABLE = "predictions"
_INTEGER_LIMIT = 2**63
"""SQLite's integers have 64 bits with a sign."""


class Sink(Protocol):
    """A file that is being written."""

    def write(self, batch: Any) -> None:
        """Add the rows of a batch."""

    def close(self) -> None:
        """Complete the file."""


def open_sink(form: str, file: Path, schema: Any, key: str) -> Sink:
    """A new file of a format ("csv", "parquet", "sqlite") for batches of one schema, `key` is a column of unique "
    "values."""
    if form == "sqlite":
        return SqliteSink(file, schema, key)
    return CsvSink(file, schema) if form == "csv" else ParquetSink(file, schema)


class ParquetSink:
    """Parquet with unchanged types."""

    def __init__(self, file: Path, schema: Any) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(file, schema)

    def write(self, batch: Any) -> None:
        """Add the rows of a batch."""
        self._writer.write_batch(batch)

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()


class CsvSink:
    """CSV with a header; lists and objects are JSON."""

    def __init__(self, file: Path, schema: Any) -> None:
        import pyarrow as pa
        from pyarrow import csv

        self._schema = pa.schema([(field.name, _csv_type(field.type)) for field in schema])
        self._writer = csv.CSVWriter(file, self._schema)

    def write(self, batch: Any) -> None:
        """Add the rows of a batch."""
        import pyarrow as pa

        columns = [
            _csv_column(kind, column, name)
            for name, kind, column in zip(self._schema.names, self._schema.types, batch.columns, strict=True)
        ]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        """Complete the file."""
        self._writer.close()


class SqliteSink:
    """SQLite: the table `predictions` by its key; lists and objects are JSON."""

    def __init__(self, file: Path, schema: Any, key: str) -> None:
        columns = [
            f"{_quote(name)} {_affinity(field.type)}{' PRIMARY KEY' * (field.name == key)}"
            for name, field in zip(sqlite_names(schema.names), schema, strict=True)
        ]
        self._connection = sqlite3.connect(file)
        # A new file: after a failure it is written again.
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA synchronous = OFF")
        try:
            self._connection.execute(f"CREATE TABLE {TABLE} ({', '.join(columns)})")
        except sqlite3.OperationalError as error:
            self._connection.close()
            raise UsageError(
                f"SQLite cannot hold these {len(columns)} columns ({error}). Use --format parquet."
            ) from None
        self._insert = f"INSERT INTO {TABLE} VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - no text of anybody's

    def write(self, batch: Any) -> None:
        """Add the rows of a batch."""
        columns = [map(_value, column.to_pylist()) for column in batch.columns]
        self._connection.executemany(self._insert, zip(*columns, strict=True))

    def close(self) -> None:
        """Complete the file."""
        self._connection.commit()
        self._connection.close()


def _csv_type(kind: Any) -> Any:
    """The type of a column in CSV."""
    import pyarrow as pa

    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return pa.string()
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _csv_column(kind: Any, column: Any, name: str) -> Any:
    """A column as CSV holds it."""
    import pyarrow as pa

    if pa.types.is_nested(column.type):
        return pa.array(map(_value, column.to_pylist()), kind)
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        raise UsageError(
            f"CSV cannot hold the column '{name}', of type {column.type}: not all values are text. Use --format "
            "parquet or sqlite."
        ) from None


def _affinity(kind: Any) -> str:
    import pyarrow as pa

    if (pa.types.is_integer(kind) and kind != pa.uint64()) or pa.types.is_boolean(kind):
        return "INTEGER"
    if pa.types.is_floating(kind):
        return "REAL"
    return "BLOB" if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) else "TEXT"


def _value(value: Any) -> Any:
    """A value for SQLite and CSV: other types than number, text and bytes become text."""
    if value is None or isinstance(value, float | str | bytes):
        return value
    if isinstance(value, int):
        return value if -_INTEGER_LIMIT <= value < _INTEGER_LIMIT else str(value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def sqlite_names(names: Sequence[str]) -> list[str]:
    """Column names that are unique in SQLite, which ignores case: the first of a name keeps it, others get a number.

    No name that any column has is given to another one.
    """
    own = {name.lower() for name in names}
    used: set[str] = set()
    unique = []
    for name in names:
        free = name if name and name.lower() not in used else _free(name or "column", own | used)
        used.add(free.lower())
        unique.append(free)
    return unique


def _free(name: str, taken: Collection[str]) -> str:
    candidates = chain([name], (f"{name}_{number}" for number in count(2)))
    return next(candidate for candidate in candidates if candidate.lower() not in taken)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
