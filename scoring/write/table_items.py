"""The items of a shard's predictions in the table, made from its lookup file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scoring.batch import BatchPlan, prediction_id
from scoring.lookup import Lookup


def items(lookup: Path, plan: BatchPlan) -> Iterator[list[dict[str, Any]]]:
    """Some items at a time, in the order of the file; one without record id says nothing of it."""
    with lookup.open("rb") as file:
        for some in Lookup.of(file).blocks():
            made = []
            ids = some.ids or [""] * len(some.lines)
            rows = zip(some.lines.tolist(), some.labels.tolist(), some.probabilities.tolist(), ids, strict=True)
            for line, index, probabilities, record_id in rows:
                label = plan.classes[index]
                item = {
                    "prediction_id": prediction_id(plan.batch, line),
                    "label": label,
                    "label_text": plan.texts[label],
                    "probabilities": dict(zip(plan.classes, probabilities, strict=True)),
                    "model": plan.problem,
                    "model_version": plan.release,
                    "created": plan.created,
                    "batch": plan.batch,
                    "line": line,
                    "expires_at": plan.expires,
                }
                made.append(item | {"record_id": record_id} if record_id else item)
            yield made
