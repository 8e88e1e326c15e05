"""The last step: one file, what it was made of, and that it is done."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from andamio.errors import DataError, ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects
from scoring import state
from scoring.batch import file_name, result_key
from scoring.context import ScoringContext
from scoring.verify import Complete, check_batch
from scoring.write.merge import merge

Json = dict[str, Any]


def publish_step(context: ScoringContext, batch: str, now: datetime) -> Json:
    """Merge a complete batch and write its manifest, from when on it is done.

    {"status": "done", "batch", "rows", "scored", "rejected", "release", "message", "manifest"}. Raises
    `DataError` when it is not complete.
    """
    key = layout.batch_manifest(batch)
    try:
        manifest = json.loads(context.batch.get(key).body)
    except ObjectNotFound:
        complete = check_batch(context.batch, batch)
        if not isinstance(complete, Complete):
            raise DataError(f"batch {batch} is not complete: {complete.message}") from None
        merged_key = merge(context.batch, complete)
        _write_result_key(context.batch, complete)
        manifest = _manifest(context, complete, merged_key, now)
        if not context.batch.put_new(key, json.dumps(manifest, indent=1).encode(), content_type="application/json"):
            manifest = json.loads(context.batch.get(key).body)
    state.finish(context.batch, batch, now)
    return {
        "status": "done",
        "batch": batch,
        "rows": manifest["rows"],
        "scored": manifest["scored"],
        "rejected": manifest["rejected"],
        "release": manifest["release"]["version"],
        "message": _message(manifest),
        "manifest": key,
    }


def _manifest(context: ScoringContext, complete: Complete, merged_key: str | None, now: datetime) -> Json:
    plan = complete.plan
    batch = plan.batch
    return {
        "batch": batch,
        "problem": plan.problem,
        "input": {
            "bucket": context.bucket,
            "key": plan.key,
            "version": plan.version,
            "etag": plan.etag,
            "size": plan.size,
            "format": plan.format,
            "compression": plan.compression,
            "rows": complete.scored + complete.rejected,
        },
        "release": {"name": plan.problem, "version": plan.release},
        "rows": complete.scored + complete.rejected,
        "scored": complete.scored,
        "rejected": complete.rejected,
        "stored": complete.cut.stored,
        "columns": dict(plan.names_out),
        "files": {
            "scored": [layout.scored_part(batch, result.number, plan.ending) for result in complete.results],
            "merged": merged_key,
            "rejected": [layout.rejected_part(batch, result.number) for result in complete.results if result.rejected],
        },
        "shards": [
            {"line": shard.line, **_without_lines(asdict(result))}
            for shard, result in zip(complete.cut.shards, complete.results, strict=True)
        ],
        "created": plan.created,
        "finished": now.isoformat(timespec="seconds"),
        "seconds": round((now - datetime.fromisoformat(plan.created)).total_seconds(), 3),
    }


def _without_lines(result: Json) -> Json:
    return {name: value for name, value in result.items() if name not in ("lines", "format_number")}


def _write_result_key(objects: Objects, complete: Complete) -> None:
    """Let the next file of the same bytes find this batch, unless it finds another that is done."""
    plan = complete.plan
    key = result_key(plan.etag, plan.size, plan.format, plan.compression, plan.release)
    body = json.dumps({"batch": plan.batch}).encode()
    if objects.put_new(key, body, content_type="application/json"):
        return
    other = json.loads(objects.get(key).body)["batch"]
    try:
        objects.head(layout.batch_manifest(other))
    except ObjectNotFound:
        objects.put(key, body, content_type="application/json")


def _message(manifest: Json) -> str:
    file = file_name(manifest["input"]["key"])
    where = manifest["files"]["merged"] or f"{layout.SCORED}{manifest['batch']}/"
    rejects = f" The rejected ones, with their reasons: {layout.REJECTED}{manifest['batch']}/." * bool(
        manifest["rejected"]
    )
    return (
        f"{file}: {manifest['scored']:,} of {manifest['rows']:,} rows scored, {manifest['rejected']:,} rejected, by "
        f"release {manifest['release']['version']}. Results: s3://{manifest['input']['bucket']}/{where}.{rejects}"
    )
