"""The first step: the format of a file, the release that scores it, and whether it was scored before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from andamio.contract import Contract
from andamio.errors import NotReady, ObjectNotFound, OtherCode
from andamio.release.pointer import champion, read_pointer
from andamio.storage import documents, layout
from andamio.storage.ports import ObjectInfo, Objects
from andamio.tabular.csv.head import csv_head
from andamio.tabular.json.head import json_head
from andamio.tabular.limits import LATER_SAMPLE, SAMPLE
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import FILE_TYPES, Format, check_gzip, check_text, format_of
from andamio.tabular.text.encoding import Transcoding, transcoded, transcoding_of
from andamio.tabular.text.head import Head
from scoring import known, state
from scoring.batch import BatchPlan, file_name
from scoring.context import ScoringContext
from scoring.documents import InputFile
from scoring.events import EarlierFailure, EarlierResult, NextStep, NoFile, OtherExecution, Refusal, UnpackFirst
from scoring.incoming import IncomingFile, batch_of, incoming_file
from scoring.read.columns import check_columns, names_out, record_column
from scoring.read.unpack import unpack, unpacked_head
from scoring.remaining import remaining_work
from scoring.split.cut import shard_bytes

CHUNK_SHARDS = 2
"""How many shards make a chunk that is surveyed at once: 64 MiB of the usual 32."""

_MAX_CHUNKS = 10_000


def plan_step(context: ScoringContext, event: Mapping[str, Any], execution: str, now: datetime) -> NextStep:
    """Claim a file's batch and plan it: what is to be done next, or why nothing is."""
    try:
        incoming = incoming_file(context.batch, event)
    except RefusedFile as error:
        return Refusal(batch=str(event["batch"]) if "batch" in event else None, message=str(error))
    if incoming is None:
        return NoFile(message="There is no file to score: it is gone, empty, or what a tool left beside data.")
    incoming, claimed, is_owner = _claim(context.batch, incoming, execution, now)
    batch = incoming.batch
    if not is_owner:
        return _not_owned_reply(batch, claimed)
    try:
        return _plan_batch(context, incoming, claimed, now)
    except (RefusedFile, NotReady, OtherCode) as error:
        return refuse(context, batch, incoming.info.key, error, now, execution=execution)


def unpack_step(context: ScoringContext, batch: str, now: datetime) -> NextStep:
    """Unpack the file of a claimed batch and plan it: the results of `plan_step`."""
    claimed = state.read_state(context.batch, batch)
    if claimed is None:
        raise ObjectNotFound(f"batch {batch} has no state: the step 'plan' has to run first")
    info = context.batch.head(claimed.key, version=claimed.version or None)
    try:
        plan = read_plan(context.batch, batch)
        if plan is None:
            file = _input_file(info)
            contract = context.open(champion(read_pointer(context.models, context.problem)[0]).release).contract.sent
            sample, whole = _sample(context.batch, info, file.compression)
            how = transcoding_of(sample, contract.data.encoding, whole=whole)
            source = unpack(context.batch, info, batch, file.format, zipped=bool(file.compression), how=how)
            plan = _write(context, batch, claimed, file, source, "" if how is None else how.encoding)
        return remaining_work(context, plan, claimed.attempt)
    except (RefusedFile, NotReady, OtherCode) as error:
        return refuse(context, batch, info.key, error, now)


def refuse(
    context: ScoringContext, batch: str, key: str, error: Exception, now: datetime, *, execution: str | None = None
) -> Refusal:
    """Write down why a file is not scored."""
    if isinstance(error, RefusedFile):
        message = f"{file_name(key)} {error}"
    else:
        message = f"{error} Then upload the file again, or resume the batch: andamio batch --resume {batch}"
    state.fail(context.batch, batch, now, message, execution=execution)
    return Refusal(batch=batch, message=message)


def read_plan(objects: Objects, batch: str) -> BatchPlan | None:
    """The plan of a batch, None before it has one."""
    return documents.find(objects, layout.batch(batch, "plan.json"), BatchPlan)


def _claim(
    objects: Objects, incoming: IncomingFile, execution: str, now: datetime
) -> tuple[IncomingFile, state.State, bool]:
    info = incoming.info
    for _ in range(2):
        claimed, is_owner = state.claim(
            objects, incoming.batch, info.key, info.version, execution, now, over=incoming.over
        )
        if (claimed.key, claimed.version) == (info.key, info.version):
            break
        # Another version under the same key was first to take the id that the key was given out with.
        incoming = replace(incoming, batch=batch_of(objects, info))
    return incoming, claimed, is_owner


def _not_owned_reply(batch: str, claimed: state.State) -> EarlierResult | OtherExecution | EarlierFailure:
    if claimed.status == "done":
        return EarlierResult(batch=batch, message="This file is scored already.")
    if claimed.status == "running":
        return OtherExecution(batch=batch, message=f"Execution {claimed.execution} is scoring this file.")
    message = f"This file failed before. To resume it: andamio batch --resume {batch}"
    return EarlierFailure(batch=batch, message=message)


def _plan_batch(context: ScoringContext, incoming: IncomingFile, claimed: state.State, now: datetime) -> NextStep:
    batch, info = incoming.batch, incoming.info
    plan = read_plan(context.batch, batch)
    if plan is None:
        file = _input_file(info)
        if not info.size:
            raise RefusedFile("is empty (0 bytes): upload it again", fault="empty")
        release = champion(read_pointer(context.models, context.problem)[0]).release
        earlier = known.earlier_batch(context.batch, file, release)
        if earlier is not None and earlier.batch != batch:
            return _same_file_reply(context.batch, batch, info.key, earlier, now)
        if file.format != "parquet":
            contract = context.open(release).contract.sent
            sample, whole = _sample(context.batch, info, file.compression)
            check_text(sample, file.format, stated=contract.data.encoding)
            how = transcoding_of(sample, contract.data.encoding, whole=whole)
            if file.compression or how is not None:
                # What can be refused is refused before it is unpacked.
                text, encoding = (sample, "") if how is None else (_transcoded(sample, how), how.encoding)
                _check_head(text, contract, file.format, whole=whole, transcoded_from=encoding)
                return UnpackFirst(batch=batch)
        plan = _write(context, batch, claimed, file, info)
    return remaining_work(context, plan, claimed.attempt)


def _sample(objects: Objects, info: ObjectInfo, compression: str) -> tuple[bytes, bool]:
    """The beginning of the text in a file, and whether that is all of it; raises `RefusedFile`."""
    version = info.version or None
    if compression:
        check_gzip(objects.get_range(info.key, 0, 2, version=version))
        return unpacked_head(objects, info, SAMPLE)
    sample = objects.get_range(info.key, 0, SAMPLE, version=version)
    return sample, len(sample) == info.size


def _transcoded(sample: bytes, how: Transcoding) -> bytes:
    return b"".join(transcoded([sample], how))


def _input_file(info: ObjectInfo) -> InputFile:
    detected = format_of(info.key)
    if detected is None:
        raise RefusedFile(f"has a name that does not say what it is: expected {FILE_TYPES}", fault="unknown-type")
    return InputFile(info.key, info.version, info.etag, info.size, *detected)


def _same_file_reply(
    objects: Objects, batch: str, key: str, earlier: known.EarlierBatch, now: datetime
) -> EarlierResult | Refusal:
    """End a batch as the earlier batch of the same bytes ended: done, or refused where it rejected every row."""
    before, held = earlier.batch, earlier.refused
    if held is not None and held.rejected is not None:
        message = f"{file_name(key)} was scored by the same release before, as batch {before}: {held.reason}"
        state.reject(objects, batch, now, message, held.rejected, same_as=before)
        return Refusal(batch=batch, same_as=before, message=message)
    state.finish(objects, batch, now, same_as=before)
    message = f"The same file was scored by the same release before, as batch {before}."
    return EarlierResult(batch=batch, same_as=before, message=message)


def _write(
    context: ScoringContext,
    batch: str,
    claimed: state.State,
    file: InputFile,
    source: ObjectInfo,
    transcoded_from: str = "",
) -> BatchPlan:
    """Write the plan, or read the plan that another execution wrote first; raises `RefusedFile`, `NotReady`."""
    release = champion(read_pointer(context.models, context.problem)[0]).release
    open_release = context.open(release)
    contract = open_release.contract.sent
    created = datetime.fromisoformat(claimed.created)
    head = _read_head(context.batch, source, contract, file.format, transcoded_from)
    sealed = open_release.release.info
    plan = BatchPlan(
        batch=batch,
        problem=context.problem,
        created=claimed.created,
        input=file,
        source=source.key,
        source_version=source.version,
        source_size=source.size,
        head=head,
        record_column=record_column(head.columns, contract),
        release=release,
        classes=contract.classes,
        texts=contract.texts,
        threshold=sealed.get("threshold"),
        names_out=names_out(head.columns, open_release.answers.told.columns),
        store=contract.batch.store,
        expires=int((created + timedelta(days=contract.batch.keep_days)).timestamp()),
        interval=sealed.get("interval"),
        unit=contract.problem.unit or "",
        absent=() if file.format == "jsonl" else tuple(name for name in contract.inputs if name not in head.columns),
    )
    if file.format != "parquet":
        plan = replace(plan, chunks=_chunks(plan.head.body, plan.source_size, context.bytes_of_a_shard(plan)))
    key = layout.batch(batch, "plan.json")
    if documents.write_once(context.batch, key, plan):
        return plan
    return documents.read(context.batch, key, BatchPlan)


def _read_head(objects: Objects, source: ObjectInfo, contract: Contract, format: Format, transcoded_from: str) -> Head:
    if format == "parquet":
        from scoring.read.parquet_foot import read_foot  # pyarrow, only where there is a Parquet file

        foot = read_foot(objects, source.key, source.version, source.size, contract)
        return Head(foot.columns, encoding="")
    if not source.size:
        raise RefusedFile("is empty: there is nothing in the gzip file", fault="empty")
    version = source.version or None

    def more() -> Iterable[bytes]:
        for start in (source.size // 2, max(source.size - LATER_SAMPLE, 0)):
            yield objects.get_range(source.key, start, LATER_SAMPLE, version=version)

    sample = objects.get_range(source.key, 0, SAMPLE, version=version)
    whole = len(sample) == source.size
    return _check_head(sample, contract, format, whole=whole, more=more, transcoded_from=transcoded_from)


def _check_head(
    sample: bytes,
    contract: Contract,
    format: Format,
    *,
    whole: bool,
    more: Callable[[], Iterable[bytes]] = tuple,
    transcoded_from: str,
) -> Head:
    """The head of a text; raises `RefusedFile` when no row of it could be scored."""
    if format == "jsonl":
        head = json_head(sample, contract, whole=whole, more=more, transcoded=transcoded_from)
        check_columns(head.columns, contract, where="first objects have")
    else:
        head = csv_head(sample, contract, whole=whole, more=more, transcoded=transcoded_from)
        check_columns(head.columns, contract)
    return head


def _chunks(body: int, size: int, shard_size: int) -> tuple[tuple[int, int], ...]:
    step = max(CHUNK_SHARDS * shard_bytes(size - body, shard_size), -(-(size - body) // _MAX_CHUNKS))
    return tuple((start, min(start + step, size)) for start in range(body, size, step))
