"""What a Parquet file holds, read from its footer."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.contract import Contract
from andamio.storage.ports import Objects
from andamio.tabular.parquet.reader import check_schema, column_names
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import PARQUET, check_parquet
from scoring.batch import Shard
from scoring.read.columns import check_columns, wanted
from scoring.split.cut import shard_bytes

_LARGEST = 128 * 2**20
"""Bytes of a footer: a larger one has more row groups and columns than this memory."""
_MOST_ROWS = 1_000_000
"""Rows of a shard, where row groups allow it: coded columns take next to no bytes, but every row has to be scored."""


@dataclass(frozen=True, slots=True)
class Foot:
    """Columns in the file's order, and rows and bytes (unpacked) of each row group."""

    columns: tuple[str, ...]
    groups: tuple[tuple[int, int], ...]

    @property
    def rows(self) -> int:
        """Of all row groups."""
        return sum(rows for rows, _ in self.groups)

    def cut(self, wanted_bytes: int) -> tuple[Shard, ...]:
        """Shards of row groups that follow each other, and are together as large as wanted (or one, and larger)."""
        step = shard_bytes(sum(size for _, size in self.groups), wanted_bytes)
        most = shard_bytes(self.rows, _MOST_ROWS)
        shards: list[Shard] = []
        start, line, held, row = 0, 1, 0, 1
        for number, (rows, size) in enumerate(self.groups):
            if number > start and (held + size > step or row - line + rows > most):
                shards.append(Shard(len(shards), start, number, line))
                start, line, held = number, row, 0
            held += size
            row += rows
        return (*shards, Shard(len(shards), start, len(self.groups), line))


def read_foot(objects: Objects, key: str, version: str, size: int, contract: Contract) -> Foot:
    """Read and check a file's footer; raises `RefusedFile` when no row of the file could be scored."""
    asked = version or None
    head = objects.get_range(key, 0, 8, version=asked)
    tail = objects.get_range(key, max(size - 8, 0), 8, version=asked)
    length = check_parquet(head, tail, size)
    if length > _LARGEST:
        raise RefusedFile(
            f"has a footer of {length // 2**20} MiB: write it with fewer row groups or columns", fault="too-large"
        )
    footer = objects.get_range(key, size - 8 - length, length + 8, version=asked)
    try:
        found = pq.read_metadata(pa.BufferReader(PARQUET + footer))
        schema = found.schema.to_arrow_schema()
        groups = tuple(
            (group.num_rows, group.total_byte_size)
            for group in (found.row_group(number) for number in range(found.num_row_groups))
        )
    except Exception as error:  # the library raises errors of many types for a damaged footer
        raise RefusedFile(
            f"is not a Parquet file that can be read ({type(error).__name__}): write it again", fault="damaged"
        ) from error
    check_columns(column_names(schema), contract, where="schema has")
    check_schema(schema, wanted(contract))
    return Foot(tuple(column_names(schema)), groups)
