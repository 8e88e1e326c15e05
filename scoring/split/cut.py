"""Where a text file is cut: between rows, so that every shard is whole rows and knows its first line.

Surveys of its chunks are put together from the first one on: how one ends says which hypothesis of the
next one is true.
"""

from __future__ import annotations

from collections.abc import Sequence

from andamio.tabular.csv.quotes import INSIDE, OUTSIDE
from andamio.tabular.limits import LONGEST_ROW
from andamio.tabular.refused import FileFault
from scoring.batch import Shard
from scoring.split.survey import RowStart, Survey

MAX_SHARDS = 10_000


class CannotCut(Exception):
    """A text file cannot be cut; the message completes a sentence about the file."""

    fault: FileFault


class OpenQuote(CannotCut):
    """A quote that is never closed; `line` is the one that it was opened on."""

    fault = "open-quote"

    def __init__(self, line: int) -> None:
        super().__init__(
            f"ends inside a quote that is opened on line {line:,}: close the quote, or upload the file again if it "
            "was cut off"
        )


class LongRow(CannotCut):
    """A row of more than `LONGEST_ROW`; `line` is one that it reaches, or the one after it."""

    fault = "long-row"

    def __init__(self, line: int) -> None:
        super().__init__(
            f"has a row of more than {LONGEST_ROW // 2**20} MiB around line {line:,}: look for a quote before "
            "it that is opened and not closed, and for line ends that are missing"
        )


def shard_bytes(size: int, shard_size: int) -> int:
    """How many bytes make a shard of a file: as wanted, but for more than 10,000 shards."""
    return max(shard_size, -(-size // MAX_SHARDS), 1)


def cut(surveys: Sequence[Survey], line: int) -> tuple[Shard, ...]:
    """Put surveys of chunks that follow each other together: shards from the first one's start to the last one's end.

    `line` is that of the first row. Raises `CannotCut`.
    """
    row_starts = [(surveys[0].start, line)] if surveys else []
    state, pending_target, quote_line = OUTSIDE, None, 0

    def add(row_start: RowStart, before: int, target: int) -> None:
        offset, lines = row_start[0], row_start[1] + before
        if offset - target > LONGEST_ROW:
            raise LongRow(lines)
        if offset > row_starts[-1][0]:
            row_starts.append((offset, lines))

    for at, chunk in enumerate(surveys):
        if chunk.long:
            raise LongRow(line + chunk.lines)
        if at and chunk.start != surveys[at - 1].end:
            raise ValueError(f"chunk {at} was surveyed from byte {chunk.start}, expected {surveys[at - 1].end}")
        if pending_target is not None and chunk.first is not None and state == INSIDE:
            add(chunk.first, line, pending_target)
            pending_target = None
        for target, *hypotheses in chunk.row_starts:
            row_start = hypotheses[state]
            if row_start is not None:
                add(row_start, line, target)
            elif pending_target is None:
                pending_target = target
        if chunk.inside[state] and chunk.quote_lines[state] >= 0:
            quote_line = line + chunk.quote_lines[state]
        state = INSIDE if chunk.inside[state] else OUTSIDE
        line += chunk.lines
    if state == INSIDE:
        raise OpenQuote(quote_line)
    end = surveys[-1].end if surveys else 0
    if pending_target is not None and end - pending_target > LONGEST_ROW:
        raise LongRow(line)
    starts = [row_start for row_start in row_starts if row_start[0] < end]
    ends = [*(offset for offset, _ in starts[1:]), end]
    return tuple(
        Shard(number, offset, stop, begins)
        for number, ((offset, begins), stop) in enumerate(zip(starts, ends, strict=False))
    )


def lines_of(surveys: Sequence[Survey]) -> int:
    """How many lines end in chunks that were surveyed."""
    return sum(chunk.lines for chunk in surveys)
