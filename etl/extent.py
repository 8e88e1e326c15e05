"""What an ETL function can take: told by the files' sizes before they are read, so that nobody waits for a failure."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.contract import Contract
from andamio.dataset.columns import contract_columns
from andamio.errors import ObjectNotFound
from andamio.storage.ports import Objects
from andamio.tabular.extent import rows_about
from etl.collect import Source

MOST_CELLS = 390_000_000
"""Rows times columns of the contract: numbers and short texts are read in a third of a function's 15 minutes, and
published in half of them (benchmarks/etl.py). Other cells cost more, and a function's CPU is another."""
MOST_ROWS = 12_000_000
"""What a function has memory for where a column, such as an id, has another text in each row. Else it takes under
two thirds of its 3,008 MB (benchmarks/etl.py)."""
MOST_BYTES = 4 * 10**9
"""Of one file as it lies there: it is copied to the function's disk, where the rows of all files need room, too."""
LOOKED_INTO_FROM = 20_000_000
"""Bytes of all files together from which on it is asked how many rows they have."""


def too_large(lake: Objects, contract: Contract, sources: Sequence[Source]) -> str:
    """Why these files are more than a function can take, and what to do; "" where they are not."""
    largest = max(sources, key=lambda source: source.size, default=None)
    if largest is not None and largest.size > MOST_BYTES:
        return (
            f"{largest.key} has {largest.size / 1e9:.1f} GB, and ETL takes files of up to {MOST_BYTES / 1e9:.0f} GB: "
            "write it as several files, or as Parquet."
        )
    if sum(source.size for source in sources) < LOOKED_INTO_FROM:
        return ""
    rows = sum(_rows(lake, source) for source in sources)
    columns = len(contract_columns(contract))
    most = min(MOST_ROWS, MOST_CELLS // columns)
    if rows <= most:
        return ""
    return (
        f"The raw files have about {rows:,} rows, and ETL takes up to {most:,} of {columns} columns: remove files "
        "(andamio ingest --remove NAME), or replace them by a random sample of their rows. More rows than that "
        "seldom make a better model."
    )


def _rows(lake: Objects, source: Source) -> int:
    def piece(start: int, length: int) -> bytes:
        return lake.get_range(source.key, start, length, version=source.version or None)

    try:
        return rows_about(source.key, source.size, piece)
    except ObjectNotFound:  # it was deleted since it was listed: the reader finds out
        return 0
