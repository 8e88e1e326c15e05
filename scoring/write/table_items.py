"""The items of a shard's predictions in the table, made from its lookup file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring.batch import BatchPlan, prediction_id
from scoring.lookup import Lookup


def items(lookup: Path, plan: BatchPlan) -> Iterator[list[dict[str, Any]]]:
    """Items in the order of the file, some at a time; an item without record id lacks that attribute."""
    told = plan.told
    with lookup.open("rb") as file:
        for block in Lookup.of(file).blocks():
            block_items = []
            ids = block.ids or [""] * len(block.lines)
            rows = zip(block.lines.tolist(), block.indices.tolist(), block.numbers.tolist(), ids, strict=True)
            for line, index, numbers, record_id in rows:
                item = {
                    "prediction_id": prediction_id(plan.batch, line),
                    **told.fields(index, numbers),
                    "model": plan.problem,
                    "model_version": plan.release,
                    "created": plan.created,
                    "batch": plan.batch,
                    "line": line,
                    "expires_at": plan.expires,
                }
                block_items.append(item | {"record_id": record_id} if record_id else item)
            yield block_items
