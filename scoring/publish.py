"""The last step: one result file, and the manifest, which makes the batch done."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from andamio.errors import DataError
from andamio.storage import documents, layout
from scoring import known, state
from scoring.batch import file_name
from scoring.context import ScoringContext
from scoring.documents import Manifest, OutputFiles, ScoredFile, ScoringModel, ShardSummary
from scoring.events import BatchSummary
from scoring.verify import Complete, check_batch
from scoring.write.merge import merge


def publish_step(context: ScoringContext, batch: str, now: datetime) -> BatchSummary:
    """Merge a complete batch and write its manifest, from when on it is done; raises `DataError` if it is not."""
    key = layout.batch_manifest(batch)
    manifest = documents.once(context.batch, key, Manifest, lambda: _merged(context, batch, now))
    state.finish(context.batch, batch, now)
    return BatchSummary(
        batch=batch,
        rows=manifest.rows,
        scored=manifest.scored,
        rejected=manifest.rejected,
        release=manifest.release.version,
        message=_message(manifest),
        manifest=key,
    )


def _merged(context: ScoringContext, batch: str, now: datetime) -> Manifest:
    complete = check_batch(context.batch, batch)
    if not isinstance(complete, Complete):
        raise DataError(f"batch {batch} is not complete: {complete.message}")
    merged_key = merge(context.batch, complete)
    known.remember(context.batch, complete.plan)
    return _manifest(context, complete, merged_key, now)


def _manifest(context: ScoringContext, complete: Complete, merged: str | None, now: datetime) -> Manifest:
    plan, rows = complete.plan, complete.scored + complete.rejected
    rejected = tuple(layout.rejected_part(plan.batch, result.number) for result in complete.results if result.rejected)
    return Manifest(
        batch=plan.batch,
        problem=plan.problem,
        input=ScoredFile(**asdict(plan.input), bucket=context.bucket, rows=rows),
        release=ScoringModel(plan.problem, plan.release),
        rows=rows,
        scored=complete.scored,
        rejected=complete.rejected,
        stored=complete.cut.stored,
        columns=dict(plan.names_out),
        files=OutputFiles(
            scored=tuple(layout.scored_part(plan.batch, result.number, plan.ending) for result in complete.results),
            merged=merged,
            rejected=rejected,
        ),
        shards=tuple(
            ShardSummary(
                line=shard.line,
                number=result.number,
                rows=result.rows,
                scored=result.scored,
                rejected=result.rejected,
                bytes=result.bytes,
                etag=result.etag,
                seconds=result.seconds,
            )
            for shard, result in zip(complete.cut.shards, complete.results, strict=True)
        ),
        created=plan.created,
        finished=now.isoformat(timespec="seconds"),
        seconds=round((now - datetime.fromisoformat(plan.created)).total_seconds(), 3),
        absent=plan.absent,
    )


def absent_message(manifest: Manifest) -> str:
    """A message about the features that have no column in the file; "" where each has one."""
    names, most = [f"'{name}'" for name in manifest.absent], 10
    if not names:
        return ""
    columns = "column" if len(names) == 1 else "columns"
    more = ", ..." if len(names) > most else ""
    return f" It lacks the {len(names)} optional {columns} {', '.join(names[:most])}{more}: no value in any row."


def _message(manifest: Manifest) -> str:
    file, batch = file_name(manifest.input.key), manifest.batch
    where = manifest.files.merged or f"{layout.SCORED}{batch}/"
    rejects = f" The rejected ones, with their reasons: {layout.REJECTED}{batch}/." * bool(manifest.rejected)
    return (
        f"{file}: {manifest.scored:,} of {manifest.rows:,} rows scored, {manifest.rejected:,} rejected, by release "
        f"{manifest.release.version}.{absent_message(manifest)} Results: s3://{manifest.input.bucket}/{where}.{rejects}"
    )
