"""What a shard is read and written with, by its format."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow as pa

from andamio.contract import Contract
from andamio.storage.ports import Objects
from scoring.batch import BatchPlan, Shard
from scoring.read.csv_rows import CsvReader
from scoring.read.json_rows import JsonReader
from scoring.read.parquet_rows import ParquetReader
from scoring.read.rows import Rows
from scoring.write.parquet import ParquetPart
from scoring.write.text import CsvPart, JsonPart, Part


class ShardReader:
    """The rows of a shard; `height` is how many lines it has, once they are read."""

    def __init__(self, rows: Generator[Rows, None, int], schema: pa.Schema | None = None) -> None:
        self._rows = rows
        self.schema = schema
        self.height = 0

    def rows(self) -> Iterator[Rows]:
        """The rows, some at a time."""
        self.height = yield from self._rows


@contextmanager
def read_rows(batch: Objects, plan: BatchPlan, shard: Shard, contract: Contract) -> Iterator[ShardReader]:
    """Open a shard; raises `DataError` where it is not what its plan says."""
    if plan.format == "parquet":
        parquet = ParquetReader(batch, plan, contract)
        yield ShardReader(parquet.read(shard), parquet.schema)
        return
    reader = JsonReader(plan, contract) if plan.format == "jsonl" else CsvReader(plan, contract)
    length = shard.end - shard.start
    with batch.stream(plan.source, version=plan.source_version or None, start=shard.start, length=length) as source:
        yield ShardReader(reader.read(source, shard.line))


def open_part(file: IO[bytes], plan: BatchPlan, schema: pa.Schema | None) -> Part:
    """Begin a scored part; a Parquet file's has its schema."""
    if schema is not None:
        return ParquetPart(file, plan, schema)
    return JsonPart(file, plan) if plan.format == "jsonl" else CsvPart(file, plan)
