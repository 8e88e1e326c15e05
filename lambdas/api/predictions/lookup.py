"""Predictions that were made before, by their id or by the caller's.

The table answers for those that were written there. Those of a batch too large for it are found in the
batch bucket: the id says which batch and which line, how the file was cut says which shard, and the
shard's lookup file is read in a few small ranges.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from andamio.errors import ObjectNotFound
from andamio.release.answers import stored_fields
from andamio.storage import layout
from andamio.storage.ports import Objects
from lambdas.api.replies.problems import RequestError
from lambdas.api.requests.parameters import wrong_path
from lambdas.api.stores import Stores
from scoring.batch import BatchPlan, Cut, Shard, ShardResult, prediction_id, split_prediction_id
from scoring.lookup import RowPrediction, find

SEARCHED = 4 * 2**20
"""How many bytes of a shard's rejected rows one request searches."""

Json = dict[str, Any]

_ONLINE = re.compile(r"[0-9a-f]{32}")


def stored_prediction(stores: Stores, prediction: str) -> Json:
    """One prediction; raises `RequestError`: 404 with why there is none, 422 for what cannot be an id."""
    place = split_prediction_id(prediction)
    if place is None and not _ONLINE.fullmatch(prediction):
        raise wrong_path("prediction_id", "a prediction_id, as a prediction or a scored file has it")
    item = stores.table.find(prediction)
    if item is not None:
        return _from_table(item)
    if place is None:
        raise _nothing(
            "No prediction of this id is kept. That of a request is found some seconds after its answer, unless the "
            'contract says [monitor] capture = "none"; all are kept for as long as [batch] keep_days says.'
        )
    return _from_batch(stores.bucket, *place)


def predictions_of(stores: Stores, record: str, limit: int) -> Json:
    """The newest predictions of a caller's record."""
    return {"predictions": [_from_table(item) for item in stores.table.of_record(record, limit=limit)]}


def _from_table(item: Mapping[str, Any]) -> Json:
    return {
        "prediction_id": item["prediction_id"],
        "record_id": item.get("record_id"),
        **stored_fields(item),
        "model": {"name": item["model"], "version": item["model_version"]},
        "created": item["created"],
        "batch": item.get("batch"),
        "line": item.get("line"),
    }


def _from_batch(bucket: Objects, batch: str, line: int) -> Json:
    plan = _read(bucket, layout.batch(batch, "plan.json"), BatchPlan.from_json)
    cut = _read(bucket, layout.batch(batch, "shards.json"), Cut.from_json)
    if plan is None or cut is None:
        raise _nothing(_same_as(bucket, batch) or "There is no batch of this id, or it is not being scored yet.")
    shard = _shard_of(cut, line)
    if shard is None:
        raise _nothing(f"The file of this batch has its first row on line {plan.head.line}.")
    key = layout.lookup(batch, shard.number)
    try:
        found = find(lambda start, length: bucket.get_range(key, start, length), line)
    except ObjectNotFound:
        raise _nothing(
            "This part of the file is not scored. GET batches/ID says how far the batch is, and why if it failed."
        ) from None
    if found is None:
        raise _nothing(_why_not(bucket, batch, shard, line))
    return _from_lookup(plan, line, found)


def _from_lookup(plan: BatchPlan, line: int, found: RowPrediction) -> Json:
    return {
        "prediction_id": prediction_id(plan.batch, line),
        "record_id": found.record_id,
        **plan.told.fields(found.index, found.numbers),
        "model": {"name": plan.problem, "version": plan.release},
        "created": plan.created,
        "batch": plan.batch,
        "line": line,
    }


def _shard_of(cut: Cut, line: int) -> Shard | None:
    """The shard that a line lies in; shards are in the order of the file."""
    before = bisect_right(cut.shards, line, key=lambda shard: shard.line)
    return cut.shards[before - 1] if before else None


def _why_not(bucket: Objects, batch: str, shard: Shard, line: int) -> str:
    """Why a line of a scored shard has no prediction: its row was rejected, or no row begins there."""
    result = _read(bucket, layout.shard_result(batch, shard.number), ShardResult.from_json)
    nothing = f"No scored row of this batch begins on line {line}."
    if result is None or not result.rejected:
        return nothing
    key = layout.rejected_part(batch, shard.number)
    try:
        body = bucket.get_range(key, 0, SEARCHED)
    except ObjectNotFound:
        return nothing
    for said in _rejects(body):
        if said["line"] == line:
            return f"The row on line {line} was rejected: {said['reason']}. It is in {key}."
    return f"{nothing} It may be one of the rejected rows in {key}." if len(body) == SEARCHED else nothing


def _rejects(body: bytes) -> Iterator[Json]:
    """The rejected rows that a beginning of their file holds whole."""
    whole = body[: body.rfind(b"\n") + 1]
    for line in whole.splitlines():
        yield json.loads(line)


def _same_as(bucket: Objects, batch: str) -> str:
    """Where the predictions are of a file that was scored before; "" for any other."""
    state: Json | None = _read(bucket, layout.batch(batch, "state.json"), json.loads)
    other = state.get("same_as") if state else None
    return f"The file of this batch was scored before: its predictions are those of batch {other}." if other else ""


def _read[T](bucket: Objects, key: str, reading: Callable[[bytes], T]) -> T | None:
    try:
        return reading(bucket.get(key).body)
    except ObjectNotFound:
        return None


def _nothing(detail: str) -> RequestError:
    return RequestError("not-found", detail)
