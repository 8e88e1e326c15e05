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

from dataclasses import dataclass
from datetime import datetime

from andamio import step
from andamio.errors import DataError
from andamio.step import NoResult, Step
from andamio.tabular.refused import RefusedFile
from scoring import state
from scoring.batch import BatchPlan
from scoring.context import ScoringContext
from scoring.events import (
    BatchEvent,
    BatchSummary,
    ChunkEvent,
    CompleteBatch,
    FailEvent,
    GiveUpEvent,
    IncompleteBatch,
    LastState,
    NextStep,
    PlanEvent,
    Refusal,
    ShardEvent,
    Work,
)
from scoring.failures import give_up, one_line
from scoring.incoming import incoming_file
from scoring.plan import plan_step, read_plan, refuse, unpack_step
from scoring.publish import publish_step
from scoring.remaining import missing_shards, read_cut, remaining_work
from scoring.split.chunks import survey_chunk
from scoring.verify import verify_step


@dataclass(frozen=True, slots=True)
class Call:
    """What the steps work with: the buckets, table and releases, and the time of the call."""

    context: ScoringContext
    now: datetime


def _plan(call: Call, event: PlanEvent) -> NextStep:
    return plan_step(call.context, event.event, event.execution, call.now)


def _unpack(call: Call, event: BatchEvent) -> NextStep:
    return unpack_step(call.context, event.batch, call.now)


def _survey(call: Call, event: ChunkEvent) -> NoResult:
    survey_chunk(call.context, _plan_of(call.context, event.batch), event.chunk)
    return NoResult()


def _cut(call: Call, event: BatchEvent) -> Refusal | Work:
    """Put the surveys together."""
    context, batch = call.context, event.batch
    plan, claimed = _plan_of(context, batch), state.read_state(context.batch, batch)
    try:
        return remaining_work(context, plan, 1 if claimed is None else claimed.attempt, surveyed=True)
    except RefusedFile as error:
        return refuse(context, batch, plan.input.key, error, call.now)


def _score(call: Call, event: ShardEvent) -> NoResult:
    from scoring.worker import score_shard  # pyarrow, which no other step of a text file needs

    context, batch = call.context, event.batch
    plan, cut = _plan_of(context, batch), read_cut(context.batch, batch)
    if cut is None:
        raise DataError(f"batch {batch} is not cut yet: the steps before have to run first")
    open_release = context.open(plan.release)
    shard = cut.shards[event.shard]
    score_shard(
        context.batch,
        context.table,
        plan,
        cut,
        shard,
        open_release.contract,
        context.model(plan.release),
        open_release.code,
        lake=context.lake,
        capture_share=context.capture_share,
        private=context.private,
    )
    return NoResult()


def _give_up(call: Call, event: GiveUpEvent) -> NoResult:
    if event.chunk is not None:
        give_up(call.context.batch, event.batch, "chunk", event.chunk, event.error, call.now)
    if event.shard is not None:
        give_up(call.context.batch, event.batch, "shard", event.shard, event.error, call.now)
    return NoResult()


def _verify(call: Call, event: BatchEvent) -> CompleteBatch | IncompleteBatch | Refusal:
    return verify_step(call.context, event.batch, call.now)


def _publish(call: Call, event: BatchEvent) -> BatchSummary:
    return publish_step(call.context, event.batch, call.now)


def _fail(call: Call, event: FailEvent) -> NoResult:
    """Write down why a batch failed, unless another execution took it over."""
    context, last = call.context, event.input
    batch = _batch_in(context, last)
    if batch is None:
        return NoResult()
    reason = last.message or f"A step failed ({one_line(last.error)}). To resume: andamio batch --resume {batch}"
    missing = _missing(context, batch) if last.missing is None else last.missing
    state.fail(context.batch, batch, call.now, reason, missing=missing, execution=event.execution)
    return NoResult()


def _batch_in(context: ScoringContext, last: LastState) -> str | None:
    """The batch that a machine failed on; where planning itself failed, the one of the file that it began with."""
    if last.batch is not None:
        return last.batch
    try:
        incoming = incoming_file(context.batch, last.model_extra or {})
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


STEPS: step.Steps[Call] = {
    "plan": Step(PlanEvent, _plan),
    "unpack": Step(BatchEvent, _unpack),
    "survey": Step(ChunkEvent, _survey),
    "cut": Step(BatchEvent, _cut),
    "score": Step(ShardEvent, _score),
    "give_up": Step(GiveUpEvent, _give_up),
    "verify": Step(BatchEvent, _verify),
    "publish": Step(BatchEvent, _publish),
    "fail": Step(FailEvent, _fail),
}
