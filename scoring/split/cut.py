"""Where a text file is cut: between rows, so that every shard is whole rows and knows its first line.

Surveys of its chunks are put together from the first one on: how one ends says which hypothesis of the
next one is true.
"""

from __future__ import annotations

from collections.abc import Sequence

from andamio.tabular.limits import LONGEST_ROW
from andamio.tabular.quotes import INSIDE, OUTSIDE
from scoring.batch import Shard
from scoring.split.survey import Place, Survey

MOST_SHARDS = 10_000


class CannotCut(Exception):
    """Why a text cannot be cut, said of the file."""


class OpenQuote(CannotCut):
    """A quote that is never closed; `line` is the one that it was opened on."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"ends inside a quote that is opened on line {line:,}: close the quote, or upload the file again if it "
            "was cut off"
        )


class LongRow(CannotCut):
    """A row of more than `LONGEST_ROW`; `line` is one that it reaches, or the one after it."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"has a row of more than {LONGEST_ROW // 2**20} MiB around line {line:,}: look for a quote before "
            "it that is opened and not closed, and for line ends that are missing"
        )


def shard_bytes(size: int, wanted: int) -> int:
    """How many bytes make a shard of a file: as wanted, but for more than 10,000 shards."""
    return max(wanted, -(-size // MOST_SHARDS), 1)


def cut(surveys: Sequence[Survey], line: int) -> tuple[Shard, ...]:
    """Put surveys of chunks that follow each other together: shards from the first one's start to the last one's end.

    `line` is that of the first row. Raises `CannotCut`.
    """
    places = [(surveys[0].start, line)] if surveys else []
    state, pending, opened = OUTSIDE, None, 0

    def add(found: Place, before: int, asked: int) -> None:
        offset, lines = found[0], found[1] + before
        if offset - asked > LONGEST_ROW:
            raise LongRow(lines)
        if offset > places[-1][0]:
            places.append((offset, lines))

    for at, chunk in enumerate(surveys):
        if chunk.long:
            raise LongRow(line + chunk.lines)
        if at and chunk.start != surveys[at - 1].end:
            raise ValueError(f"chunk {at} was surveyed from byte {chunk.start}, expected {surveys[at - 1].end}")
        if pending is not None and chunk.first is not None and state == INSIDE:
            add(chunk.first, line, pending)
            pending = None
        for asked, *found in chunk.marks:
            place = found[state]
            if place is not None:
                add(place, line, asked)
            elif pending is None:
                pending = asked
        if chunk.inside[state] and chunk.opened[state] >= 0:
            opened = line + chunk.opened[state]
        state = INSIDE if chunk.inside[state] else OUTSIDE
        line += chunk.lines
    if state == INSIDE:
        raise OpenQuote(opened)
    end = surveys[-1].end if surveys else 0
    if pending is not None and end - pending > LONGEST_ROW:
        raise LongRow(line)
    starts = [place for place in places if place[0] < end]
    ends = [*(offset for offset, _ in starts[1:]), end]
    return tuple(
        Shard(number, offset, stop, begins)
        for number, ((offset, begins), stop) in enumerate(zip(starts, ends, strict=False))
    )


def lines_of(surveys: Sequence[Survey]) -> int:
    """How many lines end in chunks that were surveyed."""
    return sum(chunk.lines for chunk in surveys)
