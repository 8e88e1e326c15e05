"""The step that reads and validates raw objects: valid rows are staged, rejects go to quarantine."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.dataset.digests import DigestTexts
from andamio.dataset.documents import InputRows, SourceFile, StagedInput
from andamio.dataset.version import SAMPLES
from andamio.errors import DataError, ObjectNotFound
from andamio.prepare.code import OwnCode
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from etl import quarantine, staging
from etl.audit.values import NO_INFORMATION, findings
from etl.collect import Sources
from etl.ingest import FileReport, Ingested, ingest
from etl.quarantine import Reject, Rejects
from etl.split import SealedSplit, seal_split

MAX_BAD_SHARE = 0.2
"""The share of rejected rows above which nothing is published."""

MIN_NUMBERS = 20
"""Rows below which a regression cannot be split, fitted and judged."""

INFO = "info.json"
_MAX_NAMES = 20
_REASONS_SHOWN = 3


def read_split(lake: Objects) -> SealedSplit | None:
    """The sealed split, or None before the first data version."""
    try:
        return SealedSplit.from_json(lake.get(layout.SPLIT).body)
    except ObjectNotFound:
        return None


def read_info(lake: Objects, digest: str) -> StagedInput | None:
    """info.json of an input, or None when it was not read yet."""
    return documents.find(lake, layout.staging(digest, INFO), StagedInput)


def validate(lake: Objects, contract: Contract, sources: Sources, code: OwnCode | None = None) -> StagedInput | None:
    """Read and check the sources; returns info.json, whose status is "valid" or "rejected" with a message.

    None when the sources are no longer what is there and that matters: one of them is gone, or the split
    is yet to be sealed, which is done on all raw objects.
    Writes staging/INPUT/rows-*.npz and their index, quarantine/INPUT/rejects.jsonl (when there are
    any) and, last, staging/INPUT/info.json. Seals the split when there is none yet.
    """
    digest = sources.digest
    split = read_split(lake)
    earlier = read_info(lake, digest)
    # A split that was sealed anew makes other keys: then what was staged is staged again.
    if earlier is not None and (earlier.status == "rejected" or (split and earlier.split == split.digest)):
        return earlier
    try:
        ingested = ingest(lake, contract, sources.objects, split, code)
    except ObjectNotFound:  # a version was deleted for good since it was listed
        return None
    for report in ingested.files:
        if report.all_bad:
            report.refused = _all_bad(report, ingested.rejects)
    rejects = ingested.rejects
    rejects.put_first(_file_reject(report) for report in ingested.files if report.refused or report.unusable)
    if len(rejects):
        _quarantine(lake, digest, rejects)
    message = _rejection_message(contract, ingested, rejects, layout.quarantine(digest, quarantine.FILE))
    keys = ingested.keys
    if not message and split is None:
        if not sources.are_current(lake):
            return None
        try:
            valid = ingested.valid
            identities = DigestTexts(ingested.identities[valid])
            split, keys[valid] = seal_split(
                contract, ingested.columns, keys[valid], identities, ingested.labels, ingested.times
            )
        except DataError as error:
            message = str(error)
        else:
            lake.put_new(layout.SPLIT, split.to_json(), content_type="application/json")
            if read_split(lake) != split:  # another run sealed another one first: read again with its keys
                return validate(lake, contract, sources, code)
    valid_for = None if message or split is None else split.digest
    if valid_for is not None:
        staging.save(lake, digest, ingested.chunks, ingested.identities, keys, ingested.valid)
        if contract.prepares:
            lake.put(layout.staging(digest, SAMPLES), ingested.samples.to_json(), content_type=documents.JSON)
    info = _info(contract, sources, ingested, rejects, message, valid_for)
    lake.put(layout.staging(digest, INFO), info.to_json(), content_type=documents.JSON)
    return info


def _quarantine(lake: Objects, digest: str, rejects: Rejects) -> None:
    """Write quarantine/INPUT/rejects.jsonl, the first rejects of many; what is there stays: it is of the same input."""
    scratch = staging.Scratch()
    path = scratch.folder / quarantine.FILE
    with path.open("wb") as file:
        file.writelines(quarantine.to_json_lines(rejects))
    lake.put_new_file(layout.quarantine(digest, quarantine.FILE), path, content_type="application/x-ndjson")


def _info(
    contract: Contract, sources: Sources, ingested: Ingested, rejects: Rejects, message: str, split: str | None
) -> StagedInput:
    files = ingested.files
    used = [report for report in files if not (report.refused or report.unusable)]
    of_used = (reject for report in used for reject in rejects.of_file(report.source.key, report.source.version))
    return StagedInput(
        input=sources.digest,
        contract=sources.contract,
        status="valid" if split else "rejected",
        message=message or None,
        split=split,
        files=[_file(report) for report in files],
        rows=InputRows(
            read=sum(report.rows for report in files),
            valid=ingested.rows,
            rejected=sum(report.rejected for report in files),
            replaced=sum(report.replaced for report in files),
            left_out=sum(report.left_out for report in files),
        ),
        classes=_class_counts(contract, ingested.labels),
        reasons=quarantine.count_reasons(rejects),
        first=quarantine.first_messages(rejects),
        coerced=dict(sorted(ingested.coerced.items())),
        refused=quarantine.refused_rows(contract, of_used, sum(report.valid + report.rejected for report in used)),
    )


def _class_counts(contract: Contract, truth: NDArray[Any]) -> dict[str, int]:
    """Rows by class; a regression has none."""
    if isinstance(contract.task, Regression):
        return {}
    counts = np.bincount(truth, minlength=len(contract.classes))
    return dict(zip(contract.classes, counts.tolist(), strict=True))


def _file(report: FileReport) -> SourceFile:
    source = report.source
    return SourceFile(
        key=source.key,
        version=source.version,
        etag=source.etag,
        modified=source.modified,
        size=source.size,
        sha256=report.sha256,
        read_as=report.read_as.document() if report.read_as else {},
        rows=report.rows,
        valid=report.valid,
        rejected=report.rejected,
        replaced=report.replaced,
        left_out=report.left_out,
        extra_columns=report.extra,
        absent_columns=report.absent,
        refused=report.refused or None,
    )


def absent_columns(files: Sequence[SourceFile]) -> list[str]:
    """What to tell of each file of info.json that lacks columns which may be absent: their cells count as no value."""
    messages = []
    for file in files:
        names = [f"'{name}'" for name in file.absent_columns]
        if names and file.rows and not file.refused:
            more = ", ..." if len(names) > _MAX_NAMES else ""
            columns = "column" if len(names) == 1 else "columns"
            messages.append(
                f"{file.key} lacks the {len(names)} optional {columns} {', '.join(names[:_MAX_NAMES])}{more}: no "
                f"value in {file.rows} rows."
            )
    return messages


def _file_reject(report: FileReport) -> Reject:
    reason = report.refused or report.unusable
    return Reject(report.source.key, report.source.version, None, (("", reason, "unusable-file"),))


def _all_bad(report: FileReport, rejects: Rejects) -> str:
    """What to tell a person about a file of which no row can be used."""
    own = rejects.of_file(report.source.key, report.source.version)
    reasons = "; ".join(
        f"{reason.column}: {reason.reason}" if reason.column else reason.reason
        for reason in quarantine.count_reasons(own)[:_REASONS_SHOWN]
    )
    rows = "its only row breaks" if report.rows == 1 else f"all of its {report.rows} rows break"
    return f"holds no usable row: {rows} the contract ({reasons})"


def _removal_command(report: FileReport) -> str:
    return f"andamio ingest --remove {shlex.quote(report.source.key.removeprefix(layout.RAW))}"


def _rejection_message(contract: Contract, ingested: Ingested, rejects: Rejects, key: str) -> str:
    """Why no data version can be published from these rows, or ""."""
    raw = [report for report in ingested.files if not report.source.captured]
    lacking = [report for report in raw if report.unusable]
    if lacking:
        more = f" ({len(lacking) - 1} more files lack columns)" if len(lacking) > 1 else ""
        return (
            f"{lacking[0].source.key} {lacking[0].unusable}{more}. Every file needs the columns of "
            "problem.toml. Fix "
            f"the file and upload it again under the same name, or remove it: {_removal_command(lacking[0])}"
        )
    rejected = sum(report.rejected for report in raw)
    total = rejected + ingested.rows
    if rejected > MAX_BAD_SHARE * total:
        top = "; ".join(
            f"{reason.column}: {reason.reason} ({reason.rows} rows)"
            if reason.column
            else f"{reason.reason} ({reason.rows} rows)"
            for reason in quarantine.count_reasons(rejects)[:5]
        )
        stored = f"Every row with its line and reasons is in {key}"
        if len(rejects) > quarantine.MOST_STORED:
            stored = (
                f"The first {quarantine.MOST_STORED:,} of {len(rejects):,} rejects, with line and reasons, are in {key}"
            )
        return (
            f"{rejected} of {total} rows break the contract, more than {MAX_BAD_SHARE:.0%}: {top}. "
            f"{stored}. Fix the files or problem.toml, or remove a file: "
            f"{_removal_command(max(raw, key=lambda report: report.rejected))}"
        )
    unreadable = [report for report in raw if report.refused]
    if total == 0:
        if unreadable:
            first = unreadable[0]
            return f"No file could be read: {first.source.key} {first.refused}. Remove it: {_removal_command(first)}"
        if any(report.left_out for report in ingested.files):
            return "keep of prepare.py leaves every row out: there is nothing to train on."
        return "The raw files have a header and no rows. Add rows."
    present = np.unique(ingested.labels)
    if isinstance(contract.task, Regression):
        if len(present) < 2 or ingested.rows < MIN_NUMBERS:
            return (
                f"{ingested.rows} valid rows with {len(present)} different values of '{contract.problem.target}': a "
                f"regression needs {MIN_NUMBERS} rows and two values at least. Gather more."
            )
    elif len(present) < 2:
        text = contract.texts[contract.classes[int(present[0])]]
        return f"All {ingested.rows} valid rows have the label '{text}': a model needs rows of at least two classes."
    about = findings(contract, ingested.columns)
    if sum(finding.kind == NO_INFORMATION for finding in about) == len(contract.inputs):
        return "Every feature is empty or constant: there is nothing that a model could learn from. Add features."
    merged = [finding.message for finding in about if finding.refused]
    if merged:
        return f"Most values of a number would be one value to every model: {' '.join(merged)}"
    return ""
