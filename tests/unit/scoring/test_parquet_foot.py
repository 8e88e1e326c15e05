from __future__ import annotations

from scoring.batch import Shard
from scoring.read.parquet_foot import Foot

MIB = 2**20


def test_row_groups_are_cut_by_bytes() -> None:
    foot = Foot(("a",), ((10, 20 * MIB), (10, 10 * MIB), (10, 10 * MIB), (10, 50 * MIB)))
    assert foot.cut(32 * MIB) == (Shard(0, 0, 2, 1), Shard(1, 2, 3, 21), Shard(2, 3, 4, 31))


def test_rows_that_take_few_bytes_are_cut_by_their_number() -> None:
    """A column of codes is a byte a row or less: five million rows would be one worker's."""
    foot = Foot(("a",), ((400_000, 100_000),) * 5)
    assert foot.cut(32 * MIB) == (Shard(0, 0, 2, 1), Shard(1, 2, 4, 800_001), Shard(2, 4, 5, 1_600_001))


def test_a_row_group_is_never_cut() -> None:
    foot = Foot(("a",), ((5_000_000, 100), (10, 100)))
    assert foot.cut(32 * MIB) == (Shard(0, 0, 1, 1), Shard(1, 1, 2, 5_000_001))
