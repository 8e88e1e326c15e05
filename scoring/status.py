"""The status of a batch, read from the batch bucket, for the API and the command line."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Literal

from andamio.errors import DocumentError
from andamio.storage import documents, layout
from andamio.storage.ports import ObjectInfo, Objects
from scoring.batch import ID, BatchPlan, Cut
from scoring.documents import Manifest, ScoringModel, UploadRequest
from scoring.state import STALE, State

MAX_PARTS_LISTED = 100
"""How many parts of a result are listed by name; the manifest names all of them."""

_WINDOWS = tuple(timedelta(minutes=minutes) for minutes in (5, 60, 60 * 24, 60 * 24 * 7, 60 * 24 * 90))
_KEYS_BEFORE_JUMP = 100
_THREADS = 8
_RESULTS_EXPIRED = "Its results have expired ([batch] keep_days). Upload the file again to score it."
_QUIET = timedelta(minutes=15)
"""A function ends within this time: a batch that runs writes something, unless a worker died or is throttled."""
_UPLOAD_GRACE = timedelta(hours=1)
"""How long after its form expired an upload may still be under way."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Shards done of all."""

    done: int
    all: int


@dataclass(frozen=True, slots=True)
class Status:
    """How far a batch is. `file` is its key in the bucket, None before there is one; `created` in ISO 8601.

    `rows`, `scored` and `rejected` are known when it is done, and when it failed because every row was rejected.
    `same_as` is the batch whose results are this one's, since it was of the same file and release. `last_progress` is
    when something was last written for one that runs.
    """

    batch: str
    status: Literal["waiting", "running", "done", "failed"]
    created: str
    file: str | None
    step: Literal["planning", "unpacking", "cutting", "scoring", "verifying"] | None = None
    shards: BatchProgress | None = None
    rows: int | None = None
    scored: int | None = None
    rejected: int | None = None
    model: ScoringModel | None = None
    reason: str | None = None
    same_as: str | None = None
    last_progress: str | None = None

    @property
    def all_rejected(self) -> bool:
        """Whether the batch failed because every row of its file was rejected: its rejects are its result."""
        return self.status == "failed" and self.scored == 0

    def to_dict(self) -> Json:
        """The status as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Files:
    """The keys of a batch's results; of parts and rejects the first 100. `whole` is all that was scored in one file."""

    whole: str | None
    parts: tuple[str, ...]
    rejected: tuple[str, ...]
    manifest: str | None


def read_status(objects: Objects, batch: str, now: datetime) -> Status | None:
    """How far a batch is; None when there is none of this id."""
    state = documents.find(objects, layout.batch(batch, "state.json"), State)
    if state is None:
        request = documents.find(objects, layout.batch(batch, "request.json"), UploadRequest)
        return None if request is None else _waiting_status(batch, request, now)
    status = _state_status(batch, state)
    if state.status == "done":
        return _finished_status(objects, replace(status, same_as=state.same_as))
    found = _unfinished_status(objects, status)
    return _progress_status(objects, found, state) if found.status == "running" else found


def readable_status(objects: Objects, batch: str, now: datetime) -> Status | None:
    """Like `read_status`; where a document cannot be read, what the state says, as of a batch that failed for it."""
    try:
        return read_status(objects, batch, now)
    except DocumentError as error:
        try:
            state = documents.find(objects, layout.batch(batch, "state.json"), State)
        except DocumentError:
            state = None
        if state is None:
            created = datetime.strptime(batch.split("-")[0], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
            return Status(batch, "failed", created.isoformat(timespec="seconds"), None, reason=str(error))
        reason = f"{state.reason} {error}" if state.reason else str(error)
        return replace(_state_status(batch, state), status="failed", reason=reason)


def judged_by_progress(status: Status, now: datetime) -> Status:
    """A status for those who cannot see executions: it says so when a running batch writes nothing.

    After 15 minutes the reason says it, after two hours, when nobody holds the batch any more, it failed.
    """
    if status.last_progress is None:
        return status
    quiet = now - datetime.fromisoformat(status.last_progress)
    go_on = f"What was scored is kept. Go on with: andamio batch --resume {status.batch}"
    if quiet >= STALE:
        reason = f"No progress since {status.last_progress}: its execution died. {go_on}"
        return replace(status, status="failed", step=None, reason=reason)
    if quiet >= _QUIET:
        minutes = int(quiet.total_seconds() // 60)
        reason = f"No progress for {minutes} minutes: its execution may have died, which andamio batches tells. {go_on}"
        return replace(status, reason=reason)
    return status


def result_files(objects: Objects, status: Status) -> Files:
    """Where the results are: of a failed batch what there is of them, of one that waits or runs nothing yet."""
    batch = status.same_as or status.batch
    manifest = _manifest(objects, batch) if status.status == "done" else None
    if manifest is not None:
        files = manifest.files
        return Files(
            files.merged,
            files.scored[:MAX_PARTS_LISTED],
            files.rejected[:MAX_PARTS_LISTED],
            layout.batch_manifest(batch),
        )
    if status.status == "failed":
        parts, rejected = (
            tuple(info.key for info in islice(objects.list(f"{prefix}{batch}/"), MAX_PARTS_LISTED))
            for prefix in (layout.SCORED, layout.REJECTED)
        )
        # The parts of a file of which every row was rejected hold no row.
        return Files(None, () if status.all_rejected else parts, rejected, None)
    return Files(None, (), (), None)


def recent(objects: Objects, limit: int, now: datetime) -> list[Status]:
    """The newest batches, newest first."""
    found: list[str] = []
    # Ids begin with the time, and a bucket lists forwards only: look back further until there are enough.
    for since in (*((now - window).strftime("%Y%m%dT%H%M%S") for window in _WINDOWS), ""):
        found = list(_ids(objects, since))
        if len(found) >= limit:
            break
    newest = sorted(found, reverse=True)[:limit]
    with ThreadPoolExecutor(_THREADS) as pool:
        read = list(pool.map(lambda batch: readable_status(objects, batch, now), newest))
    return [status for status in read if status is not None]


def _ids(objects: Objects, since: str) -> Iterator[str]:
    """The ids of all batches since a time, each once."""
    # Every id of this millennium begins so, and no other key under batches/ does.
    prefix, after = layout.BATCHES + "2", layout.BATCHES + since
    while True:
        jump = None
        last, keys = "", 0
        for info in objects.list(prefix, after=after):
            batch = _id_in(info)
            if batch is None:
                continue
            keys = keys + 1 if batch == last else 1
            if keys == 1:
                last = batch
                yield batch
            elif keys > _KEYS_BEFORE_JUMP:
                jump = layout.batch(batch, "~")  # sorts after every key of a batch
                break
        if jump is None:
            return
        after = jump


def _id_in(info: ObjectInfo) -> str | None:
    batch = info.key.removeprefix(layout.BATCHES).split("/", 1)[0]
    return batch if ID.fullmatch(batch) else None


def _waiting_status(batch: str, request: UploadRequest, now: datetime) -> Status:
    status = Status(batch, "waiting", request.created, request.key)
    if now < datetime.fromisoformat(request.expires) + _UPLOAD_GRACE:
        return status
    return replace(status, status="failed", reason="No file was uploaded in time. Request another upload.")


def _state_status(batch: str, state: State) -> Status:
    """What a batch's state alone says."""
    status = Status(batch, state.status, state.created, state.key, reason=state.reason)
    if state.rejected is None:
        return status
    return replace(status, rows=state.rejected, scored=0, rejected=state.rejected, same_as=state.same_as)


def _finished_status(objects: Objects, status: Status) -> Status:
    manifest = _manifest(objects, status.same_as or status.batch)
    if manifest is None:
        # Results go a while after they were partial, and a batch that is answered with them may be younger.
        return replace(status, reason=_RESULTS_EXPIRED)
    shards = len(manifest.shards)
    return replace(
        status,
        shards=BatchProgress(shards, shards),
        rows=manifest.rows,
        scored=manifest.scored,
        rejected=manifest.rejected,
        model=manifest.release,
    )


def _unfinished_status(objects: Objects, status: Status) -> Status:
    running = status.status == "running"
    batch = status.same_as or status.batch
    plan = documents.find(objects, layout.batch(batch, "plan.json"), BatchPlan)
    if plan is None:
        # A gzip file is planned once it is unpacked.
        is_gzip = status.file is not None and status.file.lower().endswith(".gz")
        return replace(status, step="unpacking" if is_gzip else "planning") if running else status
    status = replace(status, model=ScoringModel(plan.problem, plan.release))
    found = documents.find(objects, layout.batch(batch, "shards.json"), Cut)
    if found is None:
        return replace(status, step="cutting") if running else status
    cut = len(found.shards)
    done = sum(1 for _ in objects.list(layout.batch(batch, "shards/")))
    step: Literal["scoring", "verifying"] = "scoring" if done < cut else "verifying"
    return replace(status, shards=BatchProgress(done, cut), step=step if running else None)


def _progress_status(objects: Objects, status: Status, state: State) -> Status:
    folder = "shards/" if status.shards else "survey/"
    times = (info.modified for info in objects.list(layout.batch(status.batch, folder)))
    last = max([datetime.fromisoformat(state.since), *times])
    return replace(status, last_progress=last.isoformat(timespec="seconds"))


def _manifest(objects: Objects, batch: str) -> Manifest | None:
    return documents.find(objects, layout.batch_manifest(batch), Manifest)
