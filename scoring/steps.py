"""The steps of scoring a file, in the order of `stepfunctions/batch.asl.json`.

    plan      what the file is, how it is read, which release scores it; claims the batch
    unpack    a gzip file to one whose ranges can be read
    survey    what a chunk of a large text file holds
    cut       into shards
    score     one shard
    give_up   why a shard or a chunk cannot be done
    verify    whether everything is there
    publish   one file, the manifest, done
    fail      why the batch failed

Each takes names and small numbers and returns them; data stay in the batch bucket. Every step may run
again, beside itself or after another run. What a person is to know is a status with a message;
exceptions are faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from andamio.errors import DataError
from andamio.tabular.refused import RefusedFile
from scoring import state
from scoring.batch import BatchPlan
from scoring.context import ScoringContext
from scoring.failures import Kind, give_up, one_line
from scoring.incoming import incoming_file
from scoring.plan import plan_step, read_plan, refuse, unpack_step
from scoring.publish import publish_step
from scoring.remaining import missing_shards, read_cut, remaining_work
from scoring.split.chunks import survey_chunk
from scoring.verify import verify_step

Json = dict[str, Any]


def run_step(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    """Do the step that an event names; raises `DataError` for one that is not known."""
    step = _STEPS.get(str(event.get("step")))
    if step is None:
        raise DataError(f"There is no step {event.get('step')!r}: expected one of {', '.join(_STEPS)}")
    return step(context, event, now)


def _plan(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    return plan_step(context, event.get("event") or {}, str(event.get("execution") or ""), now)


def _unpack(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    return unpack_step(context, event["batch"], now)


def _survey(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    survey_chunk(context, _plan_of(context, event["batch"]), int(event["chunk"]))
    return {}  # children of a Map hand nothing back: state data are bounded, storage holds the facts


def _cut(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    """Put the surveys together: {"status": "score" | "verify" | "refused", "batch", "items"?, "message"?}."""
    batch = event["batch"]
    plan, claimed = _plan_of(context, batch), state.read_state(context.batch, batch)
    try:
        return remaining_work(context, plan, 1 if claimed is None else claimed.attempt, surveyed=True)
    except RefusedFile as error:
        return refuse(context, batch, plan.key, error, now)


def _score(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    from scoring.worker import score_shard  # pyarrow, which no other step of a text file needs

    batch, number = event["batch"], int(event["shard"])
    plan, cut = _plan_of(context, batch), read_cut(context.batch, batch)
    if cut is None:
        raise DataError(f"batch {batch} is not cut yet: the steps before have to run first")
    open_release = context.open(plan.release)
    score_shard(
        context.batch, context.table, plan, cut, cut.shards[number], open_release.contract, context.model(plan.release)
    )
    return {}


def _give_up(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    kind: Kind = "chunk" if "chunk" in event else "shard"
    give_up(context.batch, event["batch"], kind, int(event[kind]), event.get("error"), now)
    return {}


def _verify(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    return verify_step(context, event["batch"], now)


def _publish(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    return publish_step(context, event["batch"], now)


def _fail(context: ScoringContext, event: Mapping[str, Any], now: datetime) -> Json:
    """Write down why a batch failed, unless another execution took it over: `input` is what the machine knew last."""
    last_input = event.get("input") or event
    batch = _batch_in(context, last_input)
    if batch is None:
        return {}
    reason = (
        last_input.get("message")
        or f"A step failed ({one_line(last_input.get('error'))}). To resume: andamio batch --resume {batch}"
    )
    missing = last_input.get("missing")
    if missing is None:
        missing = _missing(context, batch)
    state.fail(context.batch, batch, now, str(reason), missing=missing, execution=event.get("execution"))
    return {}


def _batch_in(context: ScoringContext, last_input: Mapping[str, Any]) -> str | None:
    """The batch that a machine failed on; where planning itself failed, the one of the file that it began with."""
    if "batch" in last_input:
        return str(last_input["batch"])
    try:
        incoming = incoming_file(context.batch, last_input)
    except RefusedFile:
        return None
    return None if incoming is None else incoming.batch


def _missing(context: ScoringContext, batch: str) -> list[int]:
    cut = read_cut(context.batch, batch)
    return [] if cut is None else missing_shards(context.batch, batch, cut)


def _plan_of(context: ScoringContext, batch: str) -> BatchPlan:
    plan = read_plan(context.batch, batch)
    if plan is None:
        raise DataError(f"batch {batch} has no plan yet: the step 'plan' has to run first")
    return plan


_STEPS: dict[str, Callable[[ScoringContext, Mapping[str, Any], datetime], Json]] = {
    "plan": _plan,
    "unpack": _unpack,
    "survey": _survey,
    "cut": _cut,
    "score": _score,
    "give_up": _give_up,
    "verify": _verify,
    "publish": _publish,
    "fail": _fail,
}
