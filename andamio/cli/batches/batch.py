"""Scoring of a file: upload, progress by shard, download of the result."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from andamio.adapters.aws import Account
from andamio.cli.batches.results import FORMATS, fetch, fetch_rejected
from andamio.cli.batches.watch import Watch, failure
from andamio.cli.console import done, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api
from andamio.cli.progress import bar
from andamio.errors import ExecutionFailed, InputFileError, NoData, NoModel, NotDeployed, UsageError
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.storage import documents, layout
from andamio.tabular.signature import ENDINGS, FILE_TYPES, format_of
from scoring.batch import ID, MAX_NAME_LENGTH, BatchPlan, new_id
from scoring.documents import Manifest
from scoring.status import Status, read_status, recent

_START_GRACE = timedelta(minutes=1)
"""Time within which the execution for an uploaded file starts."""
_BEGIN_SECONDS = 10.0
"""Time to wait for it after an upload of just now: an execution that was lost with the cloud never starts."""
_RESULTS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".sqlite": "sqlite", ".db": "sqlite"}
"""The format of the result by the file ending of --output."""


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """Format and file of a result; None for the defaults, which follow from the input."""

    form: str | None = None
    output: Path | None = None

    def __post_init__(self) -> None:
        if self.form is not None and self.form not in FORMATS:
            raise UsageError(f"--format {self.form}: expected {', '.join(FORMATS)}")
        if self.output is not None and self.output.is_dir():
            raise UsageError(f"--output {self.output} is a folder: name a file in it.")


@dataclass(frozen=True, slots=True)
class Result:
    """A finished batch and its local files; `rejected` is None when no row was rejected.

    `left_out` are the keys that a conversion of JSON Lines left out, and how many rows had each.
    """

    status: Status
    manifest: Manifest
    plan: BatchPlan
    file: Path
    form: str
    rejected: Path | None
    left_out: Mapping[str, int]


class Batches:
    """The batches of a deployed problem."""

    def __init__(self, deployed: dict[str, Any]) -> None:
        if "batch" not in deployed["state_machines"]:
            raise NotDeployed("The deployed version does not score files. Deploy again: andamio deploy")
        self._machine: str = deployed["state_machines"]["batch"]
        self._bucket: str = deployed["buckets"]["batch"]
        self._problem: str = deployed["problem"]
        self._account: Account = account_of(deployed)
        self._objects = self._account.objects(self._bucket)
        self._models = self._account.objects(deployed["buckets"]["models"])

    def score(self, file: Path, options: ResultOptions, *, wait: bool = True) -> Result | None:
        """Upload a file, wait for its batch and download the result (None without `wait`).

        Raises `CommandError` when the file cannot be scored or the batch fails.
        """
        _check(file)
        target, _ = _target(file, options)
        if target.absolute() == file.absolute():
            raise UsageError(f"--output {target} is the input file: choose another file.")
        _check_folder(target)
        if read_pointer(self._models, self._problem)[0].champion is None:
            raise NoModel(
                f"'{self._problem}' has no champion yet, so {file.name} cannot be scored. Upload training data: "
                "andamio ingest FILE. Training follows."
            )
        batch = new_id(datetime.now(UTC))
        watch = Watch(self._account, self._objects, self._machine, batch)
        key = layout.incoming(batch, name_in_key(file.name))
        with bar(f"Uploading {file.name}", file.stat().st_size, size=True) as progress:
            self._account.send(self._bucket, key, file, progress.more)
        done(f"{file.name} is in s3://{self._bucket}/{key}")
        if not wait:
            note(f"andamio batches shows the progress. andamio batch --resume {batch} downloads the result.")
            return None
        return self._download(watch.await_end(), file, options)

    def resume(self, batch: str, options: ResultOptions, *, wait: bool = True) -> Result | None:
        """Resume a batch and download its result into this folder; a running batch is only followed."""
        if not ID.fullmatch(batch):
            raise UsageError(f"'{batch[:60]}' is not the id of a batch: andamio batches lists the ids.")
        status = read_status(self._objects, batch, datetime.now(UTC))
        upload = None if status else next(self._objects.list(layout.incoming(batch, "")), None)
        if (status is None and upload is None) or (status is not None and status.status == "waiting"):
            what = "Its file was not uploaded yet" if status else "There is no batch with this id"
            raise UsageError(f"Batch {batch} cannot be resumed. {what}: andamio batches lists all batches.")
        if status is not None and (status.status == "done" or status.all_rejected):
            return self._download(status, self._file_of(status), options)
        watch = Watch(self._account, self._objects, self._machine, batch)
        # A file that was just uploaded is planned soon: a second execution would repeat the work.
        is_fresh = upload is not None and datetime.now(UTC) - upload.modified < _START_GRACE
        if not (is_fresh and watch.begins(_BEGIN_SECONDS)) and not watch.running():
            name = f"resume-{secrets.token_hex(6)}"
            event = {"batch": batch, "resume": True} if status else {"key": upload.key if upload else ""}
            self._account.start(self._machine, name, event)
            watch = Watch(self._account, self._objects, self._machine, batch, resumed=name)
        if not wait:
            note(f"Batch {batch} is running: andamio batches shows the progress.")
            return None
        status = watch.await_end()
        return self._download(status, self._file_of(status), options)

    def recent(self, limit: int) -> list[Status]:
        """The newest batches, newest first."""
        return [self._alive(status) for status in recent(self._objects, limit, datetime.now(UTC))]

    def _alive(self, status: Status) -> Status:
        """The status, where it says "running" only while an execution is at it."""
        if status.status != "running":
            return status
        ended = Watch(self._account, self._objects, self._machine, status.batch).ended()
        return replace(status, status="failed", step=None, reason=ended) if ended else status

    def _download(self, status: Status, file: Path, options: ResultOptions) -> Result:
        """Download a result; raises `ExecutionFailed` when all rows were rejected, `NoData` when it has expired."""
        if status.rows is None:
            raise NoData(f"Batch {status.batch} is done, but its result cannot be downloaded. {status.reason}")
        source_batch = status.same_as or status.batch
        target, form = _target(file, options)
        rejected = target.with_name(f"{_stem(file.name)}.rejected.jsonl")
        if status.all_rejected:
            keys = [info.key for info in self._objects.list(f"{layout.REJECTED}{source_batch}/")]
            if not keys:
                raise NoData(
                    f"Every row of batch {status.batch} was rejected, and the rejected rows have expired ([batch] "
                    "keep_days). Upload the file again to score it."
                )
            fetch_rejected(self._objects, keys, rejected)
            raise ExecutionFailed(f"{failure(status)}\n  Downloaded: {rejected}")
        plan = documents.read(self._objects, layout.batch(source_batch, "plan.json"), BatchPlan)
        manifest = documents.read(self._objects, layout.batch_manifest(source_batch), Manifest)
        contract = Release.open(self._models, plan.release).contract()
        with bar(f"Downloading {target.name}", len(manifest.files.scored)) as progress:
            left_out = fetch(self._objects, plan, manifest, contract, target, form, progress.more)
        if manifest.files.rejected:
            fetch_rejected(self._objects, manifest.files.rejected, rejected)
        else:
            rejected.unlink(missing_ok=True)  # of an earlier run
        return Result(status, manifest, plan, target, form, rejected if manifest.rejected else None, left_out)

    @staticmethod
    def _file_of(status: Status) -> Path:
        return Path((status.file or status.batch).rsplit("/", 1)[-1])


def find_predictions(deployed: dict[str, Any], prediction_id: str | None, record: str | None) -> list[dict[str, Any]]:
    """Stored predictions from the API: the one with an id, or the newest of a record."""
    if prediction_id is not None:
        return [api.call(deployed, "GET", f"/predictions/{quote(prediction_id, safe='')}")]
    reply = api.call(deployed, "GET", f"/predictions?record_id={quote(record or '', safe='')}")
    predictions: list[dict[str, Any]] = reply["predictions"]
    return predictions


def name_in_key(name: str) -> str:
    """The name of a file as the end of a key: other characters are replaced, the ending is kept."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[4 - MAX_NAME_LENGTH :]
    return plain if plain[0].isalnum() else f"file{plain}"


def _check(file: Path) -> None:
    if not file.is_file():
        raise InputFileError(f"{file}: {'is a folder, not a file' if file.is_dir() else 'no such file'}")
    if format_of(file.name) is None:
        raise InputFileError(f"{file}: the file ending is not known. Expected {FILE_TYPES}.")
    if file.stat().st_size == 0:
        raise InputFileError(f"{file} is empty. Expected a header with column names, then one row per line.")


def _check_folder(target: Path) -> None:
    """Raise `InputFileError` before the upload when the result could not be written."""
    folder = target.absolute().parent
    if not folder.is_dir():
        raise UsageError(
            f"There is no folder {folder} for {target.name}. Create it, or choose another file: --output PATH"
        )
    if not os.access(folder, os.W_OK):
        raise UsageError(f"{folder} cannot be written to. Choose another file: --output PATH")


def _target(file: Path, options: ResultOptions) -> tuple[Path, str]:
    """The file and the format of a result."""
    detected = format_of(file.name)
    input_form = detected[0] if detected else "csv"
    packed = options.output is not None and options.output.suffix.lower() == ".gz"
    unpacked = options.output.with_suffix("") if options.output is not None and packed else options.output
    named = _RESULTS.get(unpacked.suffix.lower()) if unpacked is not None else None
    form = options.form or named or input_form
    if packed and form not in ("csv", "jsonl"):
        raise UsageError(f"--output {options.output}: {form} is not compressed with gzip. Leave .gz out.")
    if options.output is not None:
        return options.output, form
    # The same format has the same ending: patients.tsv, patients.scored.tsv
    ending = Path(file.name.lower().removesuffix(".gz")).suffix if form == input_form else f".{form}"
    return file.with_name(f"{_stem(file.name)}.scored{ending}"), form


def _stem(name: str) -> str:
    """The name of a file without the endings of its format."""
    bare = name[:-3] if name.lower().endswith(".gz") else name
    return next((bare[: -len(end)] for end in ENDINGS if bare.lower().endswith(end)), bare)
