"""The step that reads and checks: raw objects to staged rows, the unusable ones to quarantine."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.dataset.columns import to_bytes
from andamio.dataset.version import KEY, ROW
from andamio.errors import DataError, ObjectNotFound
from andamio.records.names import similar_name
from andamio.storage import layout
from andamio.storage.documents import to_json
from andamio.storage.ports import Objects
from etl import quarantine
from etl.collect import Sources
from etl.ingest import FileReport, Ingested, ingest
from etl.quarantine import Reject
from etl.split import SealedSplit, seal_split

MAX_BAD_SHARE = 0.2
"""The share of unusable rows above which nothing is published: then it is not the rows that are wrong."""

ROWS = "rows.npz"
INFO = "info.json"
_NAMES_SHOWN = 20


def read_split(lake: Objects) -> SealedSplit | None:
    """The sealed split, or None before the first data version."""
    try:
        return SealedSplit.from_json(lake.get(layout.SPLIT).body)
    except ObjectNotFound:
        return None


def read_info(lake: Objects, digest: str) -> dict[str, Any] | None:
    """What was found out about an input, or None when it was not read yet."""
    try:
        content: dict[str, Any] = json.loads(lake.get(layout.staging(digest, INFO)).body)
    except ObjectNotFound:
        return None
    return content


def validate(lake: Objects, contract: Contract, sources: Sources) -> dict[str, Any] | None:
    """Read and check the sources; returns info.json, whose status is "valid" or "rejected" with a message.

    None when the sources are no longer what is there and that matters: one of them is gone, or the split
    is yet to be sealed, which is done on all raw objects.
    Writes staging/INPUT/rows.npz (valid rows only), quarantine/INPUT/rejects.jsonl (when there are
    any) and, last, staging/INPUT/info.json. Seals the split when there is none yet.
    """
    digest = sources.digest
    split = read_split(lake)
    known = read_info(lake, digest)
    # A split that was sealed anew makes other keys: then what was staged is staged again.
    if known is not None and (known["status"] == "rejected" or (split and known["split"] == split.digest)):
        return known
    try:
        found = ingest(lake, contract, sources.objects, split)
    except ObjectNotFound:  # a version was deleted for good since it was listed
        return None
    rejects = [_refused(report) for report in found.files if report.refused or report.unusable] + found.rejects
    if rejects:
        lake.put(
            layout.quarantine(digest, quarantine.FILE),
            quarantine.to_json_lines(rejects),
            content_type="application/x-ndjson",
        )
    info = _info(contract, sources, found, rejects)
    message = _objection(contract, found, rejects, layout.quarantine(digest, quarantine.FILE))
    if not message and split is None:
        if not sources.are_current(lake):
            return None
        try:
            identities = found.columns[ROW].tolist()
            times = found.columns.get(contract.problem.time or "", np.array([], dtype="datetime64[s]"))
            split = seal_split(contract, found.cells, identities, found.labels, times)
        except DataError as error:
            message = str(error)
        else:
            lake.put_new(layout.SPLIT, split.to_json(), content_type="application/json")
            if read_split(lake) != split:  # another run sealed another one first: read again with its keys
                return validate(lake, contract, sources)
            found.columns[KEY] = split.keys(found.cells, found.columns[ROW].tolist()).astype(object)
    if message or split is None:
        info |= {"status": "rejected", "message": message}
    else:
        info |= {"status": "valid", "split": split.digest}
        lake.put(layout.staging(digest, ROWS), to_bytes(found.columns))
    lake.put(layout.staging(digest, INFO), to_json(info), content_type="application/json")
    return info


def _info(contract: Contract, sources: Sources, found: Ingested, rejects: Sequence[Reject]) -> dict[str, Any]:
    counts = np.bincount(found.labels, minlength=len(contract.classes))
    files = found.files
    return {
        "input": sources.digest,
        "contract": sources.contract,
        "files": [_file(report) for report in files],
        "rows": {
            "read": sum(report.rows for report in files),
            "valid": found.rows,
            "rejected": sum(report.rejected for report in files),
            "replaced": sum(report.replaced for report in files),
        },
        "classes": dict(zip(contract.classes, counts.tolist(), strict=True)),
        "reasons": quarantine.count_reasons(rejects),
        "first": quarantine.first_said(rejects),
        "coerced": dict(sorted(found.coerced.items())),
    }


def _file(report: FileReport) -> dict[str, Any]:
    source = report.source
    said: dict[str, Any] = {
        "key": source.key,
        "version": source.version,
        "etag": source.etag,
        "modified": source.modified,
        "size": source.size,
        "sha256": report.sha256,
        "read_as": report.read_as.said() if report.read_as else {},
        "rows": report.rows,
        "valid": report.valid,
        "rejected": report.rejected,
        "replaced": report.replaced,
        "extra_columns": report.extra,
        "absent_columns": report.absent,
    }
    return said | ({"refused": report.refused} if report.refused else {})


def _refused(report: FileReport) -> Reject:
    reason = report.refused or _lacking(report)
    return Reject(report.source.key, report.source.version, None, (("", reason),))


def _lacking(report: FileReport) -> str:
    """What to tell a person about columns that a file must have and does not, or has under another name."""
    if not report.lacking:
        return report.misnamed
    said = []
    for name in report.lacking[:_NAMES_SHOWN]:
        close = similar_name(name, report.extra)
        said.append(f"'{name}'" + (f" (is it '{close}'?)" if close else ""))
    there = [name[:60] for name in (report.read_as.names if report.read_as else []) if name]
    shown = ", ".join(there[:_NAMES_SHOWN]) + (", ..." if len(there) > _NAMES_SHOWN else "")
    noun = "the column" if len(said) == 1 else "the columns"
    more = ", ..." if len(report.lacking) > _NAMES_SHOWN else ""
    return f"lacks {noun} {', '.join(said)}{more}; it has {shown or 'no column names'}"


def _way_out(report: FileReport) -> str:
    return f"andamio ingest --remove {shlex.quote(report.source.key.removeprefix(layout.RAW))}"


def _objection(contract: Contract, found: Ingested, rejects: Sequence[Reject], key: str) -> str:
    """Why nothing can be published of these rows, or ""."""
    lacking = [report for report in found.files if report.unusable]
    if lacking:
        more = f" ({len(lacking) - 1} more files lack columns)" if len(lacking) > 1 else ""
        return (
            f"{lacking[0].source.key} {_lacking(lacking[0])}{more}. Every file needs the columns of problem.toml. Mend "
            f"it and bring it again under its name, or take it out: {_way_out(lacking[0])}"
        )
    rejected = sum(report.rejected for report in found.files)
    total = rejected + found.rows
    if rejected > MAX_BAD_SHARE * total:
        top = "; ".join(
            f"{reason['column']}: {reason['reason']} ({reason['rows']} rows)"
            if reason["column"]
            else f"{reason['reason']} ({reason['rows']} rows)"
            for reason in quarantine.count_reasons(rejects)[:5]
        )
        return (
            f"{rejected} of {total} rows break the contract, more than the {MAX_BAD_SHARE:.0%} that may: {top}. "
            f"Every row with its line and reasons is in {key}. Mend the files, or problem.toml, or take a file out: "
            f"{_way_out(max(found.files, key=lambda report: report.rejected))}"
        )
    refused = [report for report in found.files if report.refused]
    if total == 0:
        if refused:
            first = refused[0]
            return f"No file could be read: {first.source.key} {first.refused}. Take it out: {_way_out(first)}"
        return "The raw files have a header and no rows. Add rows."
    present = np.unique(found.labels)
    if len(present) < 2:
        text = contract.texts[contract.classes[int(present[0])]]
        return f"All {found.rows} valid rows have the label '{text}': a model needs rows of at least two classes."
    return ""
