"""What an ETL function can take: told before files are read where that is clear, so that nobody waits for a failure.

The rows of Parquet are known by its footer, those of text are estimated by its beginning, and counted while it is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from andamio.contract import Contract
from andamio.dataset.columns import contract_columns
from andamio.errors import ObjectNotFound
from andamio.storage.ports import Objects
from andamio.tabular.extent import rows_about
from andamio.tabular.signature import format_of
from etl.collect import Source

MOST_CELLS = 390_000_000
"""Rows times columns of the contract: numbers and short texts are read in a third of a function's 15 minutes, and
published in half of them (benchmarks/etl.py). Other cells cost more, and a function's CPU is another."""
MOST_ROWS = 12_000_000
"""What a function has memory for where a column, such as an id, has another short text in each row. Else it takes under
two thirds of its 3,008 MB (benchmarks/etl.py)."""
MOST_TEXT = 2_200_000_000
"""Bytes of memory that the largest column of text may take, of which a function holds one at a time: some 9 million
rows of 64 characters that differ in each row. Counted while files are read, since their beginning does not tell how
many texts recur."""
MOST_BYTES = 4 * 10**9
"""Of one file as it lies there: it is copied to the function's disk, where the rows of all files need room, too."""
LOOKED_INTO_FROM = 20_000_000
"""Bytes of all files of text together from which on their rows are estimated."""
MARGIN = 1.25
"""How many times too large an estimate may be: rows at the beginning of a file can be shorter than others."""


class TooMuch(Exception):
    """The files turned out to hold more than a function can take: a message for people."""


def too_large(lake: Objects, contract: Contract, sources: Sequence[Source]) -> str:
    """Why these files are more than a function can take, and what to do; "" where they are not."""
    largest = max(sources, key=lambda source: source.size, default=None)
    if largest is not None and largest.size > MOST_BYTES:
        return (
            f"{largest.key} has {largest.size / 1e9:.1f} GB, and ETL takes files of up to {MOST_BYTES / 1e9:.0f} GB: "
            "write it as several files, or as Parquet."
        )
    rows = sum(_rows(lake, source) for source in sources if _is_parquet(source))
    texts = [source for source in sources if not _is_parquet(source)]
    estimated = 0
    if sum(source.size for source in texts) >= LOOKED_INTO_FROM:
        estimated = sum(_rows(lake, source) for source in texts)
    if rows + estimated / MARGIN <= most_rows(contract):
        return ""
    return too_many(contract, f"about {rows + estimated:,}" if estimated else f"{rows:,}")


def most_rows(contract: Contract) -> int:
    """How many rows of a contract a function can take."""
    return min(MOST_ROWS, MOST_CELLS // len(contract_columns(contract)))


def too_many(contract: Contract, rows: str) -> str:
    """What to tell a person about so many `rows`, in words, and what to do."""
    return (
        f"The raw files have {rows} rows, and ETL takes up to {most_rows(contract):,} of "
        f"{len(contract_columns(contract))} columns: remove files (andamio ingest --remove NAME), or replace them by a "
        "random sample of their rows. More rows than that seldom make a better model."
    )


def too_long(column: str, rows: int) -> str:
    """What to tell a person about a column whose texts are more than a function can take, after so many rows."""
    return (
        f"After {rows:,} rows the texts of '{column}' are more than ETL has memory for: they are long, and most differ "
        "from row to row. Leave the column out of problem.toml if it is no feature, make its texts shorter, or replace "
        "the files by a random sample of their rows (andamio ingest --remove NAME removes a file)."
    )


def _is_parquet(source: Source) -> bool:
    known = format_of(source.key)
    return known is not None and known[0] == "parquet"


def _rows(lake: Objects, source: Source) -> int:
    def piece(start: int, length: int) -> bytes:
        return lake.get_range(source.key, start, length, version=source.version or None)

    try:
        return rows_about(source.key, source.size, piece)
    except ObjectNotFound:  # it was deleted since it was listed: the reader finds out
        return 0
