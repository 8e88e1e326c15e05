"""Batches for tests, as workers leave them behind: a plan, a cut, and what predictions are looked up in."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from andamio.storage import layout
from andamio.storage.ports import Objects
from andamio.tabular.text.head import Head
from scoring.batch import BatchPlan, Cut, Shard, ShardResult
from scoring.documents import InputFile, Manifest, OutputFiles, ScoredFile, ScoringModel, ShardSummary
from scoring.lookup import LookupWriter

BATCH = "20261121T100000-0123456789ab"
OTHER = "20261120T100000-ba9876543210"
CREATED = "2026-11-21T10:00:00+00:00"
KEY = f"{layout.INCOMING}{BATCH}/patients.csv"


def a_plan(**more: Any) -> BatchPlan:
    """A plan of a CSV file with a header on its first line, of the heart problem."""
    own = ("prediction_id", "label", "label_text", "probability_0", "probability_1", "model_version")
    said: dict[str, Any] = {
        "batch": BATCH, "problem": "heart", "created": CREATED, "key": KEY, "version": "v1", "etag": '"e"', "size": 90,
        "format": "csv", "compression": "", "source": KEY, "source_version": "v1", "source_size": 90,
        "columns": ("age", "sex"), "record_column": None, "release": "0123456789abcdef", "classes": ("0", "1"),
        "texts": {"0": "Healthy patient", "1": "Heart disease detected"}, "threshold": 0.5,
        "names_out": {name: name for name in own}, "store": "auto", "expires": 2_000_000_000, "body": 8, "line": 2,
    }  # fmt: skip
    return plan_of(said | more)


def plan_of(fields: dict[str, Any]) -> BatchPlan:
    """A plan of its fields, those of its input and of its head among them."""
    fields = {"delimiter": ","} | fields
    parts = {
        name: kind(**{field.name: fields[field.name] for field in dataclasses.fields(kind) if field.name in fields})
        for name, kind in (("input", InputFile), ("head", Head))
    }
    own = {field.name for field in dataclasses.fields(BatchPlan)}
    return BatchPlan(**parts, **{name: value for name, value in fields.items() if name in own})


def put_state(objects: Objects, batch: str = BATCH, **more: Any) -> None:
    """What the batch's execution last said of it."""
    said = {
        "status": "running", "since": CREATED, "execution": "e-1", "attempt": 1, "reason": None, "missing": [],
        "same_as": None, "created": CREATED, "key": KEY, "version": "v1",
    }  # fmt: skip
    objects.put(layout.batch(batch, "state.json"), json.dumps(said | more).encode())


def put_cut(objects: Objects, plan: BatchPlan, *lines: int, stored: bool = False) -> None:
    """The plan, and that the file was cut before these lines."""
    shards = tuple(Shard(number, 0, 0, line) for number, line in enumerate(lines))
    objects.put(layout.batch(plan.batch, "plan.json"), plan.to_json())
    objects.put(layout.batch(plan.batch, "shards.json"), Cut(shards, stored).to_json())


def put_shard(
    objects: Objects,
    plan: BatchPlan,
    shard: Shard,
    scored: Mapping[int, Sequence[float]],
    rejects: Mapping[int, str] | None = None,
    ids: Mapping[int, str] | None = None,
) -> None:
    """What a worker leaves of a shard: probabilities by line, reasons of the rejected lines, record ids by line."""
    file = io.BytesIO()
    writer = LookupWriter(file, len(plan.classes), shard.line)
    probabilities = np.array(list(scored.values()), dtype=np.float32).reshape(-1, len(plan.classes))
    given = None
    if ids is not None:
        texts = [ids.get(line, "").encode() for line in scored]
        given = np.cumsum([len(text) for text in texts]), b"".join(texts)
    writer.add(np.array(list(scored), dtype=np.int64), probabilities.argmax(axis=1), probabilities, given)
    writer.close()
    objects.put(layout.lookup(plan.batch, shard.number), file.getvalue())
    rejects = rejects or {}
    if rejects:
        said = [{"line": line, "reason": reason, "errors": [], "row": {}} for line, reason in rejects.items()]
        body = "".join(json.dumps(line) + "\n" for line in said)
        objects.put(layout.rejected_part(plan.batch, shard.number), body.encode())
    rows = len(scored) + len(rejects)
    result = ShardResult(shard.number, rows, len(scored), len(rejects), rows, 1, '"e"')
    objects.put(layout.shard_result(plan.batch, shard.number), result.to_json())


def a_manifest(plan: BatchPlan, parts: Sequence[str], **more: Any) -> Manifest:
    """The manifest of a batch of three rows, two of which were scored, in these parts."""
    file = ScoredFile(**dataclasses.asdict(plan.input), bucket="batch", rows=3)
    shards = tuple(ShardSummary(1, number, 1, 1, 0, 1, '"e"', {}) for number in range(len(parts)))
    rejected = (layout.rejected_part(plan.batch, 0),)
    manifest = Manifest(
        plan.batch, plan.problem, file, ScoringModel(plan.problem, plan.release), 3, 2, 1, True, dict(plan.names_out),
        OutputFiles(tuple(parts), None, rejected), shards, plan.created, plan.created, 1.5,
    )  # fmt: skip
    return replace(manifest, **more)


def put_done(objects: Objects, plan: BatchPlan, parts: Sequence[str], **more: Any) -> Manifest:
    """The manifest of a batch that is done, and its last state; returns the manifest."""
    manifest = a_manifest(plan, parts, **more)
    objects.put(layout.batch(plan.batch, "plan.json"), plan.to_json())
    objects.put(layout.batch_manifest(plan.batch), manifest.to_json())
    put_state(objects, plan.batch, status="done")
    return manifest
