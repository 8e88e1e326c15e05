"""The steps of ETL, in the order of `stepfunctions/etl.asl.json`: collect, validate, publish, report, commit.

Each takes names and small numbers and returns them; data stay in the lake, under digests of what they
came from. Every step may run again, beside itself or after another run: it then finds what is there.
What a person is to know is a status with a message; exceptions are faults.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from andamio import names
from andamio.contract import Contract
from andamio.dataset.documents import CurrentDataset, StagedInput, VersionRows
from andamio.dataset.version import REPORT
from andamio.errors import DataError, ObjectNotFound, PreconditionFailed
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.tabular.read_as import assumptions
from etl import quarantine
from etl.audit import stop_message
from etl.collect import Sources, passed_over
from etl.publish import CannotSplit, cutoff_of, publish, read_audit, read_current, read_manifest
from etl.validate import absent_columns, read_info, validate

_CHANGED = "Raw files changed while this execution ran; the execution of the newest one reads them all."
_MAX_ATTEMPTS = 20
"""How often current.json may change under a run before that is a fault and not a race."""
_WARNINGS = 5
"""How many suspects, and findings, the state machine carries in words; audit.json has them all."""


def run_step(lake: Objects, contract: Contract, event: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Do the step that an event names; raises `DataError` for one that is not known."""
    step = event.get("step")
    if step == "collect":
        return collect_step(lake, contract, event.get("event") or {})
    if step == "validate":
        return validate_step(lake, contract, event["input"])
    if step == "publish":
        return publish_step(lake, contract, event["input"], now)
    if step == "report":
        return report_step(lake, contract, event["version"])
    if step == "commit":
        return commit_step(lake, contract, event["input"], event["version"], now)
    raise DataError(f"There is no step {step!r}: expected collect, validate, publish, report or commit")


def collect_step(lake: Objects, contract: Contract, event: Mapping[str, Any]) -> dict[str, Any]:
    """List the raw files, and step aside for a newer one: {"status": "ready" | "superseded" | "empty", "input"?}.

    Of the events of files that land together only the newest file's goes on, with all of them. The
    quiet time before this step must be longer than S3's clock is coarse: a second. `passed_over` counts objects that
    are no data files.
    """
    sources, noise = Sources.now(lake, contract), passed_over(lake)
    if not sources.objects:
        more = f" Passed over, for it is no data: {noise[0]}" if noise else ""
        more += f" and {len(noise) - 1} more." if len(noise) > 1 else "." if noise else ""
        return {"status": "empty", "message": f"There are no data under {layout.RAW} yet.{more}"}
    newer = sources.newer_than(event)
    if newer is not None:
        return {"status": "superseded", "message": f"{newer.key} landed later; its own execution reads all files."}
    sources.save(lake)
    return {"status": "ready", "input": sources.digest, "passed_over": len(noise)}


def validate_step(lake: Objects, contract: Contract, digest: str) -> dict[str, Any]:
    """Read and check what was collected: {"status": "valid" | "rejected" | "superseded", "input", "rows"?}."""
    sources = Sources.load(lake, digest)
    if sources.digest != digest or sources.contract != contract.data_digest:
        return _superseded(digest, "The contract changed while this execution ran. Start another execution.")
    info = validate(lake, contract, sources)
    return _superseded(digest, _CHANGED) if info is None else _outcome(info)


def publish_step(lake: Objects, contract: Contract, digest: str, now: datetime) -> dict[str, Any]:
    """Make the data version of staged rows: {"status": "published" | "rejected", "input", "version", "rows"}."""
    try:
        manifest = publish(lake, contract, digest, now)
    except CannotSplit as error:
        return {"status": "rejected", "input": digest, "message": str(error)}
    return {"status": "published", "input": digest, "version": manifest.version}


def report_step(lake: Objects, contract: Contract, version: str) -> dict[str, Any]:
    """Draw the report of a data version, unless it is there: {"status": "drawn", "report": its key}.

    It is compared with the version that is current now, which it is about to follow.
    """
    from etl.report import report  # Altair takes a second to import, and no other step needs it

    return {"status": "drawn", "report": report(lake, contract, version)}


def commit_step(lake: Objects, contract: Contract, digest: str, version: str, now: datetime) -> dict[str, Any]:
    """Make a version the current one: {"status": "published" | "unchanged" | "superseded" | "again" | "rejected", ...}.

    "superseded": raw objects changed since they were collected, and the execution of the newest takes
    over. "again": another version became current meanwhile and moved the time split's cutoff, so this
    one has to be divided anew. "rejected": the leakage audit has suspects and the contract says to stop;
    version and report are there to be looked at, and nothing trains on them. `training` names the execution
    that trains on the version, `report` its report (None when it could not be drawn).
    """
    manifest, info = read_manifest(lake, version), read_info(lake, digest)
    if manifest is None or info is None:
        raise DataError(f"{layout.dataset(version)} is incomplete: the step 'publish' has to run first")
    sources = Sources.load(lake, digest)
    audit = read_audit(lake, version)
    suspects = audit.suspects
    rows = VersionRows(**info.rows.model_dump(), train=manifest.rows.train, holdout=manifest.rows.holdout)
    result = {
        **_outcome(info),
        "version": version,
        "rows": rows.model_dump(),
        "training": names.training_execution(version),
        "suspects": len(suspects),
        "warnings": [suspect.message for suspect in suspects[:_WARNINGS]],
        "findings": [
            *_assumptions(info),
            *absent_columns(info.files),
            *(finding.message for finding in audit.findings),
        ][:_WARNINGS],
        "report": _report(lake, version),
    }
    for _ in range(_MAX_ATTEMPTS):
        current = read_current(lake)
        # Listed after current.json was read: what is written below is then never older than what it replaces.
        if not sources.are_current(lake):
            return _superseded(digest, _CHANGED)
        if suspects and contract.training.leakage == "stop":
            return {"status": "rejected", "input": digest, "message": stop_message(audit, version)}
        held, etag = current if current is not None else (None, None)
        if held is not None and held.version == version:
            return {**result, "status": "unchanged"}
        current_cutoff = None if held is None else cutoff_of(held, manifest.split)
        new_cutoff = cutoff_of(manifest, manifest.split)
        if current_cutoff is not None and new_cutoff is not None and new_cutoff < current_cutoff:
            return {"status": "again", "input": digest}
        following = CurrentDataset(
            revision=1 if held is None else held.revision + 1,
            version=version,
            input=digest,
            since=now.isoformat(timespec="seconds"),
            rows=rows,
            split=manifest.split,
            cutoff=manifest.cutoff,
        )
        if _write(lake, following, etag):
            return {**result, "status": "published"}
    raise DataError(f"{layout.CURRENT_DATASET} kept changing: start the ETL execution again")


def _write(lake: Objects, current: CurrentDataset, etag: str | None) -> bool:
    """Write current.json if it did not change since it was read; returns whether it was written."""
    if etag is None:
        return documents.write_once(lake, layout.CURRENT_DATASET, current)
    try:
        documents.swap(lake, layout.CURRENT_DATASET, current, etag)
    except PreconditionFailed:
        return False
    return True


def _report(lake: Objects, version: str) -> str | None:
    """The key of a version's report, or None."""
    try:
        return lake.head(layout.dataset(version, REPORT)).key
    except ObjectNotFound:
        return None


def _superseded(digest: str, message: str) -> dict[str, Any]:
    return {"status": "superseded", "input": digest, "message": message}


def _assumptions(info: StagedInput) -> list[str]:
    """What was assumed of the files, and could be meant otherwise."""
    return [
        f"{file.key.removeprefix(layout.RAW)} {words}" for file in info.files for words in assumptions(file.read_as)
    ]


def _outcome(info: StagedInput) -> dict[str, Any]:
    """What the state machine carries of info.json: small, and readable in its console."""
    rejects_key = layout.quarantine(info.input, quarantine.FILE) if info.first else None
    outcome: dict[str, Any] = {
        "status": info.status,
        "input": info.input,
        "rows": info.rows.model_dump(),
        "rejects": {"first": info.first, "all": rejects_key},
    }
    if info.status == "rejected":
        outcome["message"] = info.message
    return outcome
