"""The remaining work of a planned batch, from the objects in storage."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.tabular.refused import RefusedFile
from scoring.batch import BatchPlan, Cut, Shard
from scoring.context import ScoringContext
from scoring.events import ChunkEvent, ShardEvent, Verify, Work, WorkItems
from scoring.split.chunks import missing_surveys, read_surveys, survey_chunk
from scoring.split.cut import CannotCut, cut, lines_of

MAX_CHUNKS_AT_ONCE = 4
"""Chunks that are not worth a map."""
MAX_STORED_ROWS = 100_000
"""Rows of a batch that `[batch] store = "auto"` puts into the table."""


def remaining_work(context: ScoringContext, plan: BatchPlan, attempt: int, *, surveyed: bool = False) -> Work:
    """The next step of a batch.

    `surveyed` says that its chunks were, as far as they can be. Raises `RefusedFile`.
    """
    batch_cut = read_cut(context.batch, plan.batch)
    if batch_cut is None:
        if plan.input.format == "parquet":
            batch_cut = _cut_parquet(context, plan)
        else:
            missing = [] if surveyed else missing_surveys(context.batch, plan)
            if len(plan.chunks) > MAX_CHUNKS_AT_ONCE and missing:
                chunks = [ChunkEvent(batch=plan.batch, chunk=chunk) for chunk in missing]
                return _work_items(context.batch, plan.batch, attempt, "chunks", chunks)
            for chunk in missing:
                survey_chunk(context, plan, chunk)
            batch_cut = _cut_text(context.batch, plan)
        batch_cut = _write_cut(context.batch, plan, batch_cut)
    remaining = missing_shards(context.batch, plan.batch, batch_cut)
    if not remaining:
        return Verify(batch=plan.batch)
    shards = [ShardEvent(batch=plan.batch, shard=shard) for shard in remaining]
    return _work_items(context.batch, plan.batch, attempt, "shards", shards)


def read_cut(objects: Objects, batch: str) -> Cut | None:
    """How a batch was cut, None before it was."""
    return documents.find(objects, layout.batch(batch, "shards.json"), Cut)


def missing_shards(objects: Objects, batch: str, cut: Cut) -> list[int]:
    """The shards without a result, or without the part that it tells of."""
    results, parts = (
        {_number_in(info.key) for info in objects.list(prefix)}
        for prefix in (layout.batch(batch, "shards/"), f"{layout.SCORED}{batch}/")
    )
    return [shard.number for shard in cut.shards if shard.number not in results & parts]


def _number_in(key: str) -> int:
    return int("".join(filter(str.isdigit, key.rsplit("/", 1)[-1])) or -1)


def _cut_text(objects: Objects, plan: BatchPlan) -> Cut:
    surveys = read_surveys(objects, plan)
    try:
        shards = cut(surveys, plan.head.line)
    except CannotCut as error:
        raise RefusedFile(str(error), fault=error.fault) from None
    # A file without rows is a batch all the same: one shard, of nothing.
    empty = Shard(0, plan.head.body, plan.head.body, plan.head.line)
    return Cut(shards or (empty,), _is_stored(plan, lines_of(surveys)))


def _cut_parquet(context: ScoringContext, plan: BatchPlan) -> Cut:
    from scoring.read.parquet_foot import read_foot  # pyarrow, only where there is a Parquet file

    contract = context.open(plan.release).contract.sent
    foot = read_foot(context.batch, plan.source, plan.source_version, plan.source_size, contract)
    return Cut(foot.cut(context.bytes_of_a_shard(plan)), _is_stored(plan, foot.rows))


def _is_stored(plan: BatchPlan, rows: int) -> bool:
    return plan.store == "always" or (plan.store == "auto" and rows <= MAX_STORED_ROWS)


def _write_cut(objects: Objects, plan: BatchPlan, batch_cut: Cut) -> Cut:
    """Write a cut, or read the cut that another execution wrote first."""
    key = layout.batch(plan.batch, "shards.json")
    if documents.write_once(objects, key, batch_cut):
        return batch_cut
    return documents.read(objects, key, Cut)


def _work_items(
    objects: Objects,
    batch: str,
    attempt: int,
    kind: Literal["chunks", "shards"],
    items: Sequence[ChunkEvent] | Sequence[ShardEvent],
) -> WorkItems:
    """Write what a map is to work through."""
    key = layout.batch(batch, f"todo/{attempt:05d}-{kind}.json")
    body = json.dumps([item.model_dump() for item in items]).encode()
    objects.put(key, body, content_type=documents.JSON)
    return WorkItems(status="survey" if kind == "chunks" else "score", batch=batch, items=key)
