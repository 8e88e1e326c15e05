"""A file to be scored: sent, followed shard by shard, and its result brought back next to it."""

from __future__ import annotations

import json
import os
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from andamio.adapters.aws import Account
from andamio.cli.batches.results import FORMATS, fetch, fetch_rejected
from andamio.cli.batches.watch import Watch
from andamio.cli.console import done, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api
from andamio.cli.progress import bar
from andamio.errors import CommandError
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.storage import layout
from scoring.batch import ENDINGS, FILE_TYPES, ID, MAX_NAME_LENGTH, BatchPlan, format_of, new_id
from scoring.status import Status, read_status, recent

_START_GRACE = timedelta(minutes=1)
"""How long the execution that a file sets off may take to say so."""
_BEGIN_SECONDS = 10.0
"""How long it is waited for when its file came just now: an execution that was lost with the cloud never says so."""
_RESULTS = {".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet", ".sqlite": "sqlite", ".db": "sqlite"}
"""What the name of --output says that the result should be."""


@dataclass(frozen=True, slots=True)
class ResultOptions:
    """What somebody wants of a result: its format, where it goes; None where that follows from the input."""

    form: str | None = None
    output: Path | None = None

    def __post_init__(self) -> None:
        if self.form is not None and self.form not in FORMATS:
            raise CommandError(f"--format {self.form}: expected {', '.join(FORMATS)}")
        if self.output is not None and self.output.is_dir():
            raise CommandError(f"--output {self.output} is a folder: name a file in it.")


@dataclass(frozen=True, slots=True)
class Result:
    """A batch that is done and what was made of it here: `rejected` is None where no row was."""

    status: Status
    manifest: dict[str, Any]
    plan: BatchPlan
    file: Path
    form: str
    rejected: Path | None


class Batches:
    """The batches of a deployed problem, as the command line goes about them."""

    def __init__(self, deployed: dict[str, Any]) -> None:
        if "batch" not in deployed["state_machines"]:
            raise CommandError("What is deployed does not score files yet. Deploy again: andamio deploy")
        self._machine: str = deployed["state_machines"]["batch"]
        self._bucket: str = deployed["buckets"]["batch"]
        self._problem: str = deployed["problem"]
        self._account: Account = account_of(deployed)
        self._objects = self._account.objects(self._bucket)
        self._models = self._account.objects(deployed["buckets"]["models"])

    def score(self, file: Path, options: ResultOptions, *, wait: bool = True) -> Result | None:
        """Send a file, follow its batch, bring its result, None without waiting; raises `CommandError` if it fails."""
        _check(file)
        target, _ = _target(file, options)
        if target.absolute() == file.absolute():
            raise CommandError(f"--output {target} is the input itself: name another file.")
        _check_folder(target)
        if read_pointer(self._models, self._problem)[0].champion is None:
            raise CommandError(
                f"No model of '{self._problem}' is served yet, so nothing can score {file.name}. Bring data: "
                "andamio ingest FILE, and training follows."
            )
        batch = new_id(datetime.now(UTC))
        watch = Watch(self._account, self._objects, self._machine, batch)
        key = layout.incoming(batch, name_in_key(file.name))
        with bar(f"Sending {file.name}", file.stat().st_size, size=True) as progress:
            self._account.send(self._bucket, key, file, progress.more)
        done(f"{file.name} is in s3://{self._bucket}/{key}")
        if not wait:
            note(f"andamio batches shows how far it is; andamio batch --resume {batch} brings the result.")
            return None
        return self._download(watch.await_end(), file, options)

    def resume(self, batch: str, options: ResultOptions, *, wait: bool = True) -> Result | None:
        """Do what is missing of a batch and bring its result into this folder; one that runs is only followed."""
        if not ID.fullmatch(batch):
            raise CommandError(f"'{batch[:60]}' is no batch. Expected an id, as andamio batches lists them.")
        status = read_status(self._objects, batch, datetime.now(UTC))
        upload = None if status else next(self._objects.list(layout.incoming(batch, "")), None)
        if (status is None and upload is None) or (status is not None and status.status == "waiting"):
            what = "The file has not come yet" if status else "There is none of this id"
            raise CommandError(f"Batch {batch} cannot be gone on with. {what}: andamio batches lists those there are.")
        if status is not None and status.status == "done":
            return self._download(status, self._file_of(status), options)
        watch = Watch(self._account, self._objects, self._machine, batch)
        # A file that has only just come is about to be planned: a second start would do the same work beside it.
        is_fresh = upload is not None and datetime.now(UTC) - upload.modified < _START_GRACE
        if not (is_fresh and watch.begins(_BEGIN_SECONDS)) and not watch.running():
            name = f"resume-{secrets.token_hex(6)}"
            event = {"batch": batch, "resume": True} if status else {"key": upload.key if upload else ""}
            self._account.start(self._machine, name, event)
            watch = Watch(self._account, self._objects, self._machine, batch, resumed=name)
        if not wait:
            note(f"{batch} goes on: andamio batches shows how far it is.")
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
        if status.rows is None:
            raise CommandError(f"Batch {status.batch} is done, but cannot be brought. {status.reason}")
        source_batch = status.same_as or status.batch
        plan = BatchPlan.from_json(self._objects.get(layout.batch(source_batch, "plan.json")).body)
        manifest: dict[str, Any] = json.loads(self._objects.get(layout.batch_manifest(source_batch)).body)
        target, form = _target(file, options)
        contract = Release.open(self._models, plan.release).contract()
        with bar(f"Bringing {target.name}", len(manifest["files"]["scored"])) as progress:
            fetch(self._objects, plan, manifest, contract, target, form, progress.more)
        rejected = target.with_name(f"{_stem(file.name)}.rejected.jsonl")
        if manifest["files"]["rejected"]:
            fetch_rejected(self._objects, manifest, rejected)
        else:
            rejected.unlink(missing_ok=True)  # of an earlier run: what was rejected then is not now
        return Result(status, manifest, plan, target, form, rejected if manifest["rejected"] else None)

    @staticmethod
    def _file_of(status: Status) -> Path:
        return Path((status.file or status.batch).rsplit("/", 1)[-1])


def find_predictions(deployed: dict[str, Any], prediction_id: str | None, record: str | None) -> list[dict[str, Any]]:
    """Predictions that were made before, as the API answers: the one of an id, or the newest of a record."""
    if prediction_id is not None:
        return [api.call(deployed, "GET", f"/predictions/{quote(prediction_id, safe='')}")]
    reply = api.call(deployed, "GET", f"/predictions?record_id={quote(record or '', safe='')}")
    predictions: list[dict[str, Any]] = reply["predictions"]
    return predictions


def name_in_key(name: str) -> str:
    """A file's name as the end of a key: what is not plain in it is replaced, its ending is kept."""
    plain = re.sub(r"[^A-Za-z0-9_.-]", "_", name)[4 - MAX_NAME_LENGTH :]
    return plain if plain[0].isalnum() else f"file{plain}"


def _check(file: Path) -> None:
    if not file.is_file():
        raise CommandError(f"{file}: {'is a folder, not a file' if file.is_dir() else 'no such file'}")
    if format_of(file.name) is None:
        raise CommandError(f"{file}: its name does not say what it is. Expected {FILE_TYPES}.")
    if file.stat().st_size == 0:
        raise CommandError(f"{file} is empty: expected a header that names the columns, then a row a line.")


def _check_folder(target: Path) -> None:
    """Refuse before anything is sent where the result could not be written."""
    folder = target.absolute().parent
    if not folder.is_dir():
        raise CommandError(f"There is no folder {folder} to write {target.name} to.")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"{folder} cannot be written to. Say where the result should go: --output PATH")


def _target(file: Path, options: ResultOptions) -> tuple[Path, str]:
    """Where the result of a file goes, and in which format."""
    detected = format_of(file.name)
    input_form = detected[0] if detected else "csv"
    named = _RESULTS.get(options.output.suffix.lower()) if options.output is not None else None
    form = options.form or named or input_form
    if options.output is not None:
        return options.output, form
    # As the input is called, where it is the same format: patients.tsv, patients.scored.tsv
    ending = Path(file.name.lower().removesuffix(".gz")).suffix if form == input_form else f".{form}"
    return file.with_name(f"{_stem(file.name)}.scored{ending}"), form


def _stem(name: str) -> str:
    """A file's name without what says its format."""
    bare = name[:-3] if name.lower().endswith(".gz") else name
    return next((bare[: -len(end)] for end in ENDINGS if bare.lower().endswith(end)), bare)
