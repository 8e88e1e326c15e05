"""The steps of ETL, in the order of `stepfunctions/etl.asl.json`: collect, validate, publish, report, commit.

Each takes names and small numbers and returns them; data stay in the lake, under digests of what they
came from. Every step may run again, beside itself or after another run: it then finds what is there.
What a person is to know is a status with a message; exceptions are faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from andamio import names, step
from andamio.contract import Contract
from andamio.dataset.documents import CurrentDataset, StagedInput, VersionRows
from andamio.dataset.version import REPORT
from andamio.errors import DataError, ObjectNotFound, PrepareError
from andamio.prepare.code import OwnCode
from andamio.step import Step
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.tabular.read_as import assumptions
from etl import quarantine
from etl.audit import stop_message
from etl.collect import Sources, passed_over
from etl.events import (
    ChangedInput,
    CollectEvent,
    CommitEvent,
    InputEvent,
    InputSummary,
    MovedCutoff,
    NewerInput,
    NewVersion,
    NoRawFiles,
    Rejection,
    Rejects,
    ReportEvent,
    ReportSummary,
    ValidInput,
    VersionSummary,
)
from etl.extent import TooMuch, too_large
from etl.publish import CannotSplit, cutoff_of, publish, read_audit, read_current, read_manifest
from etl.staging import remove_abandoned
from etl.validate import absent_columns, read_info, validate

_CHANGED = "Raw files changed while this execution ran; the execution of the newest one reads them all."
_MAX_ATTEMPTS = 20
"""How often current.json may change under a run before that is a fault and not a race."""
_WARNINGS = 5
"""How many suspects, and findings, the state machine carries in words; audit.json has them all."""


@dataclass(frozen=True, slots=True)
class Etl:
    """What the steps work with: the lake, the contract, the time of the call, and the problem's own code."""

    lake: Objects
    contract: Contract
    now: datetime
    code: OwnCode | None = None


def collect_step(etl: Etl, event: CollectEvent) -> InputSummary | NewerInput | NoRawFiles:
    """List the raw files, and step aside for a newer one.

    Of the events of files that land together only the newest file's goes on, with all of them. The
    quiet time before this step must be longer than S3's clock is coarse: a second.
    """
    lake = etl.lake
    sources, noise = Sources.now(lake, etl.contract), passed_over(lake)
    if not sources.objects:
        more = f" Passed over, for it is no data: {noise[0]}" if noise else ""
        more += f" and {len(noise) - 1} more." if len(noise) > 1 else "." if noise else ""
        return NoRawFiles(message=f"There are no data under {layout.RAW} yet.{more}")
    newer = sources.newer_than(event.event)
    if newer is not None:
        return NewerInput(message=f"{newer.key} landed later; its own execution reads all files.")
    sources.save(lake)
    return InputSummary(input=sources.digest, passed_over=len(noise))


def validate_step(etl: Etl, event: InputEvent) -> ValidInput | Rejection | NewerInput | ChangedInput:
    """Read and check what was collected; what is more than a function can take is refused, if possible unread.

    "superseded" and "changed" as in `commit_step`.
    """
    remove_abandoned()
    sources = Sources.load(etl.lake, event.input)
    if sources.digest != event.input or sources.contract != etl.contract.data_digest:
        message = "The contract changed while this execution ran. Start another execution."
        return NewerInput(input=event.input, message=message)
    message = too_large(etl.lake, etl.contract, sources.objects)
    if message:
        return Rejection(input=event.input, message=message)
    try:
        info = validate(etl.lake, etl.contract, sources, etl.code)
    except (TooMuch, PrepareError) as error:
        return Rejection(input=event.input, message=str(error))
    if info is None:
        return _moved_on(etl.lake, sources, event.input)
    if info.status == "rejected":
        return Rejection(input=info.input, message=info.message or "", rows=info.rows, rejects=_rejects(info))
    return ValidInput(input=info.input, rows=info.rows, rejects=_rejects(info))


def publish_step(etl: Etl, event: InputEvent) -> NewVersion | Rejection:
    """Make the data version of staged rows."""
    remove_abandoned()
    try:
        manifest = publish(etl.lake, etl.contract, event.input, etl.now)
    except CannotSplit as error:
        return Rejection(input=event.input, message=str(error))
    return NewVersion(input=event.input, version=manifest.version)


def report_step(etl: Etl, event: ReportEvent) -> ReportSummary:
    """Draw the report of a data version, unless it is there.

    It is compared with the version that is current now, which it is about to follow.
    """
    from etl.report import report  # Altair takes a second to import, and no other step needs it

    remove_abandoned()
    return ReportSummary(report=report(etl.lake, etl.contract, event.version))


def commit_step(etl: Etl, event: CommitEvent) -> VersionSummary | NewerInput | ChangedInput | MovedCutoff | Rejection:
    """Make a version the current one.

    "superseded": raw objects came since these were collected, and the execution of the newest takes
    over. "changed": a raw object was deleted or captured records changed, for which none starts: this one
    collects again. "again": another version became current meanwhile and moved the time split's cutoff, so this
    one has to be divided anew. "rejected": the leakage audit has suspects and the contract says to stop;
    version and report are there to be looked at, and nothing trains on them.
    """
    lake, digest, version = etl.lake, event.input, event.version
    manifest, info = read_manifest(lake, version), read_info(lake, digest)
    if manifest is None or info is None:
        raise DataError(f"{layout.dataset(version)} is incomplete: the step 'publish' has to run first")
    sources = Sources.load(lake, digest)
    audit = read_audit(lake, version)
    suspects = audit.suspects
    rows = VersionRows(**info.rows.model_dump(), train=manifest.rows.train, holdout=manifest.rows.holdout)
    findings = [*_assumptions(info), *absent_columns(info.files), *(finding.message for finding in audit.findings)]
    committed = VersionSummary(
        status="published",
        input=digest,
        version=version,
        rows=rows,
        rejects=_rejects(info),
        training=names.training_execution(version),
        suspects=len(suspects),
        warnings=[suspect.message for suspect in suspects[:_WARNINGS]],
        findings=findings[:_WARNINGS],
        report=_report(lake, version),
        request={"dataset": version, **_because(event)},
    )
    for _ in range(_MAX_ATTEMPTS):
        current = read_current(lake)
        # Listed after current.json was read: what is written below is then never older than what it replaces.
        if not sources.are_current(lake):
            return _moved_on(lake, sources, digest)
        if suspects and etl.contract.training.leakage == "stop":
            return Rejection(input=digest, message=stop_message(audit, version))
        held, etag = current if current is not None else (None, None)
        if held is not None and held.version == version:
            return committed.model_copy(update={"status": "unchanged"})
        current_cutoff = None if held is None else cutoff_of(held, manifest.split)
        new_cutoff = cutoff_of(manifest, manifest.split)
        if current_cutoff is not None and new_cutoff is not None and new_cutoff < current_cutoff:
            return MovedCutoff(input=digest)
        following = CurrentDataset(
            revision=1 if held is None else held.revision + 1,
            version=version,
            input=digest,
            since=etl.now.isoformat(timespec="seconds"),
            rows=rows,
            split=manifest.split,
            cutoff=manifest.cutoff,
        )
        if documents.replace(lake, layout.CURRENT_DATASET, following, etag):
            return committed
    raise DataError(f"{layout.CURRENT_DATASET} kept changing: start the ETL execution again")


def _moved_on(lake: Objects, sources: Sources, digest: str) -> NewerInput | ChangedInput:
    """Who goes on where the sources are not what was collected."""
    if sources.taken_over(lake) or sources.are_current(lake):
        return NewerInput(input=digest, message=_CHANGED)
    return ChangedInput(input=digest, message="A file was deleted, or captured records changed, while this ran.")


def _because(event: CommitEvent) -> dict[str, str]:
    """Why the watch started this execution; nothing where new data did."""
    said = event.event.get("because")
    return {"because": said} if isinstance(said, str) else {}


def _report(lake: Objects, version: str) -> str | None:
    """The key of a version's report, or None."""
    try:
        return lake.head(layout.dataset(version, REPORT)).key
    except ObjectNotFound:
        return None


def _assumptions(info: StagedInput) -> list[str]:
    """What was assumed of the files, and could be meant otherwise."""
    return [
        f"{file.key.removeprefix(layout.RAW)} {words}" for file in info.files for words in assumptions(file.read_as)
    ]


def _rejects(info: StagedInput) -> Rejects:
    return Rejects(first=info.first, all=layout.quarantine(info.input, quarantine.FILE) if info.first else None)


STEPS: step.Steps[Etl] = {
    "collect": Step(CollectEvent, collect_step),
    "validate": Step(InputEvent, validate_step),
    "publish": Step(InputEvent, publish_step),
    "report": Step(ReportEvent, report_step),
    "commit": Step(CommitEvent, commit_step),
}
