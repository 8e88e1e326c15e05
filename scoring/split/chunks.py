"""Surveying chunks of a text file, side by side or one after another."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from andamio.errors import ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.ports import Objects, Readable
from andamio.tabular.limits import LONGEST_ROW
from andamio.tabular.refused import RefusedFile
from scoring.batch import BatchPlan
from scoring.context import ScoringContext
from scoring.failures import failure
from scoring.split.cut import shard_bytes
from scoring.split.survey import Survey, chunk_starts, survey

THREADS = 16
"""Small objects that are read at a time."""

_BLOCK = 2**20


def survey_chunk(context: ScoringContext, plan: BatchPlan, chunk: int) -> None:
    """Survey one chunk and write the survey, unless it exists."""
    key = layout.survey(plan.batch, chunk)
    start, end = plan.chunks[chunk]
    step = shard_bytes(plan.source_size - plan.head.body, context.bytes_of_a_shard(plan))
    targets = chunk_starts(start, end, plan.head.body, step)
    delimiter = plan.head.delimiter if plan.input.format == "csv" else None
    # The last line of the chunk may go on beyond its end: the connection is closed where that line ends.
    length = min(end + LONGEST_ROW + 2 * _BLOCK, plan.source_size) - start
    with context.batch.stream(plan.source, version=plan.source_version or None, start=start, length=length) as source:
        found = survey(_blocks(source), start, end, targets, delimiter, first=chunk == 0)
    documents.write_once(context.batch, key, found)


def missing_surveys(objects: Objects, plan: BatchPlan) -> list[int]:
    """The chunks that are still to be surveyed."""
    there = {info.key for info in objects.list(layout.batch(plan.batch, "survey/"))}
    return [chunk for chunk in range(len(plan.chunks)) if layout.survey(plan.batch, chunk) not in there]


def read_surveys(objects: Objects, plan: BatchPlan) -> list[Survey]:
    """The surveys of all chunks, in order; raises `RefusedFile` when one is missing."""

    def read(chunk: int) -> Survey:
        try:
            return documents.read(objects, layout.survey(plan.batch, chunk), Survey)
        except ObjectNotFound:
            start, end = plan.chunks[chunk]
            why = failure(objects, plan.batch, "chunk", chunk)
            raise RefusedFile(
                f"could not be looked at from byte {start:,} to {end:,} ({why}). "
                f"Try again: andamio batch --resume {plan.batch}",
                fault="not-surveyed",
            ) from None

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(read, range(len(plan.chunks))))


def _blocks(source: Readable) -> Iterator[bytes]:
    while block := source.read(_BLOCK):
        yield block
