"""The check that a batch is complete, by the objects in storage."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from andamio.errors import DataError
from andamio.storage import documents, layout
from andamio.storage.ports import ObjectInfo, Objects
from scoring import events, known, state
from scoring.batch import BatchPlan, Cut, Shard, ShardResult, file_name
from scoring.context import ScoringContext
from scoring.failures import failure
from scoring.plan import read_plan
from scoring.remaining import read_cut
from scoring.split.chunks import THREADS

_MAX_FAULTS_NAMED = 5
_REASONS_SHOWN = 3
_LONGEST_REASON = 200
"""Characters of one reason: a cause of Step Functions holds 32,768."""
_REASONS_SAMPLE = 2**18
"""Bytes of the rejects in which the most frequent reasons are counted."""


@dataclass(frozen=True, slots=True)
class Complete:
    """A batch of which everything is there: the results of its shards, in order."""

    plan: BatchPlan
    cut: Cut
    results: tuple[ShardResult, ...]

    @property
    def scored(self) -> int:
        """Rows with a prediction."""
        return sum(result.scored for result in self.results)

    @property
    def rejected(self) -> int:
        """Rows without one."""
        return sum(result.rejected for result in self.results)


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A batch of which something is missing or not what was written: why, by the number of the shard."""

    cut: Cut
    faults: Mapping[int, str]

    @property
    def message(self) -> str:
        """A message about missing shards."""
        shard_texts = [
            f"shard {number} (from line {self.cut.shards[number].line:,}): {fault}"
            for number, fault in list(self.faults.items())[:_MAX_FAULTS_NAMED]
        ]
        more = f"; and {len(self.faults) - _MAX_FAULTS_NAMED} more" if len(self.faults) > _MAX_FAULTS_NAMED else ""
        return f"{len(self.faults)} of {len(self.cut.shards)} shards are not scored. {'; '.join(shard_texts)}{more}."


def verify_step(
    context: ScoringContext, batch: str, now: datetime
) -> events.CompleteBatch | events.IncompleteBatch | events.Refusal:
    """Look at what is there; a batch of which every row was rejected is refused, a file without rows is not."""
    found = check_batch(context.batch, batch)
    if isinstance(found, Complete):
        if found.rejected and not found.scored:
            return _refuse(context, found, now)
        return events.CompleteBatch(batch=batch)
    message = (
        f"{found.message} Scored shards are kept. To score the missing ones: andamio batch --resume {batch}. A file "
        "that is uploaded again is scored again."
    )
    return events.IncompleteBatch(batch=batch, message=message, missing=list(found.faults)[:100])


def _refuse(context: ScoringContext, complete: Complete, now: datetime) -> events.Refusal:
    """Write down that every row was rejected, and that the same bytes need not be scored again."""
    plan = complete.plan
    message = _all_rejected_message(context, complete)
    state.reject(context.batch, plan.batch, now, message, complete.rejected)
    known.remember(context.batch, plan)
    return events.Refusal(batch=plan.batch, message=message)


def _all_rejected_message(context: ScoringContext, complete: Complete) -> str:
    """The message about a file of which every row was rejected, with the most frequent reasons."""
    plan, rows = complete.plan, complete.rejected
    first = next(result.number for result in complete.results if result.rejected)
    head = context.batch.get_range(layout.rejected_part(plan.batch, first), 0, _REASONS_SAMPLE)
    # The last line may be cut.
    errors = (error for line in head.split(b"\n")[:-1] for error in json.loads(line)["errors"])
    reasons = Counter(map(_reason, errors)).most_common(_REASONS_SHOWN)
    listed = f" ({'; '.join(reason for reason, _ in reasons)})" if reasons else ""
    which = "its only row is" if rows == 1 else f"all of its {rows:,} rows are"
    return (
        f"{file_name(plan.input.key)} holds no row that can be scored: {which} rejected{listed}. The rows with their "
        f"reasons: s3://{context.bucket}/{layout.REJECTED}{plan.batch}/. Correct the file and upload it again."
    )


def _reason(error: Mapping[str, str]) -> str:
    """One error of a row on a line, cut."""
    text = f"{error['field']}: {error['reason']}" if error["field"] else error["reason"]
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"


def check_batch(objects: Objects, batch: str) -> Complete | Incomplete:
    """Read every shard's result, and hold parts, rejects and lines against them; raises `DataError` before a cut."""
    plan, cut = read_plan(objects, batch), read_cut(objects, batch)
    if plan is None or cut is None:
        raise DataError(f"batch {batch} is not cut yet: the steps before have to run first")
    _check_cut(plan, cut)
    results = _results(objects, batch, cut.shards)
    scored = _infos_by_key(objects, f"{layout.SCORED}{batch}/")
    rejected = _infos_by_key(objects, f"{layout.REJECTED}{batch}/")
    lookups = _infos_by_key(objects, layout.batch(batch, "lookup/"))
    faults: dict[int, str] = {}
    for shard, result in zip(cut.shards, results, strict=True):
        if result is None:
            faults[shard.number] = failure(objects, batch, "shard", shard.number)
            continue
        part = scored.get(layout.scored_part(batch, shard.number, plan.ending))
        rejects = rejected.get(layout.rejected_part(batch, shard.number))
        lookup = lookups.get(layout.lookup(batch, shard.number))
        fault = _fault(shard, result, part, rejects, lookup)
        if fault:
            faults[shard.number] = fault
    for number, fault in _gaps(cut.shards, results).items():
        faults.setdefault(number, fault)
    if faults:
        return Incomplete(cut, dict(sorted(faults.items())))
    return Complete(plan, cut, tuple(result for result in results if result is not None))


def _check_cut(plan: BatchPlan, cut: Cut) -> None:
    """Raise `DataError` unless the shards cover the file without gap and overlap."""
    edges = [(shard.start, shard.end) for shard in cut.shards]
    covers_file = plan.input.format == "parquet" or (edges[0][0] == plan.head.body and edges[-1][1] == plan.source_size)
    is_contiguous = all(before[1] == following[0] for before, following in pairwise(edges))
    if not (covers_file and is_contiguous):
        raise DataError(f"the shards of batch {plan.batch} do not cover its file: upload the file again")


def _fault(
    shard: Shard, result: ShardResult, part: ObjectInfo | None, rejects: ObjectInfo | None, lookup: ObjectInfo | None
) -> str:
    """What is wrong with the result and files of a shard, "" when nothing is."""
    if result.number != shard.number or result.rows != result.scored + result.rejected:
        return (
            f"its result says {result.rows:,} rows, {result.scored:,} scored and {result.rejected:,} rejected of "
            f"shard {result.number}"
        )
    if result.rows > result.lines:
        return f"its result says {result.rows:,} rows on {result.lines:,} lines"
    if part is None:
        return "its scored part is missing"
    if (part.size, part.etag) != (result.bytes, result.etag):
        return "its scored part is not what was written"
    if result.rejected and (rejects is None or not rejects.size):
        return f"its {result.rejected:,} rejected rows are missing"
    if lookup is None:
        return "its lookup file is missing"
    return ""


def _gaps(shards: Sequence[Shard], results: Sequence[ShardResult | None]) -> dict[int, str]:
    """The shards whose lines do not reach those of the next one."""
    found = {}
    for (shard, result), (following, _) in pairwise(zip(shards, results, strict=True)):
        if result is not None and shard.line + result.lines != following.line:
            last_line = shard.line + result.lines - 1
            found[shard.number] = (
                f"it was read to line {last_line:,}, and the next one begins on line {following.line:,}"
            )
    return found


def _results(objects: Objects, batch: str, shards: Sequence[Shard]) -> list[ShardResult | None]:
    def read(shard: Shard) -> ShardResult | None:
        return documents.find(objects, layout.shard_result(batch, shard.number), ShardResult)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(read, shards))


def _infos_by_key(objects: Objects, prefix: str) -> dict[str, ObjectInfo]:
    return {info.key: info for info in objects.list(prefix)}
