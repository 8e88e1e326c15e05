"""The reader and the writer of a shard, by its format."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import IO

import pyarrow as pa

from andamio.contract import Contract
from andamio.records.names import slip_finder
from andamio.storage.ports import Objects
from andamio.tabular.columns import column_kinds, scored_columns
from andamio.tabular.csv.reader import CsvReader
from andamio.tabular.json.reader import JsonReader
from andamio.tabular.parquet.reader import ParquetReader
from andamio.tabular.rows import Rows
from scoring.batch import BatchPlan, Shard
from scoring.read.ranges import Ranges
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
    """Open a shard, with the target column where the file has one; raises `DataError` when it is not as planned."""
    kinds = column_kinds(contract, [*scored_columns(contract), *_target(plan, contract)])
    exact = () if plan.record_column is None else (plan.record_column,)
    if plan.input.format == "parquet":
        ranges = Ranges(batch, plan.source, plan.source_version, plan.source_size)
        parquet = ParquetReader(ranges, kinds, exact=exact, hold=ranges.hold)
        yield ShardReader(parquet.read(range(shard.start, shard.end), shard.line), parquet.schema)
        return
    reader: JsonReader | CsvReader
    if plan.input.format == "jsonl":
        slip = slip_finder(contract, training=False)
        reader = JsonReader(plan.head, kinds, exact=exact, reserved=plan.names_out.values(), slip=slip)
    else:
        reader = CsvReader(plan.head, kinds, contract.data.missing, exact=exact)
    length = shard.end - shard.start
    with batch.stream(plan.source, version=plan.source_version or None, start=shard.start, length=length) as source:
        yield ShardReader(reader.read(source, shard.line))


def _target(plan: BatchPlan, contract: Contract) -> tuple[str, ...]:
    """The target column, unless the file has none, or two, of which neither is read."""
    target = contract.problem.target
    return (target,) if plan.input.format == "jsonl" or plan.head.columns.count(target) == 1 else ()


def open_part(file: IO[bytes], plan: BatchPlan, schema: pa.Schema | None) -> Part:
    """Begin a scored part; a Parquet file's has its schema."""
    if schema is not None:
        return ParquetPart(file, plan, schema)
    return JsonPart(file, plan) if plan.input.format == "jsonl" else CsvPart(file, plan)
