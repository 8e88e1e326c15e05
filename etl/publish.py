"""The step that makes a data version: both sides of the split, the profile, and where every row came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.dataset.columns import Columns, ColumnWriter, add_content
from andamio.dataset.documents import (
    CurrentDataset,
    DatasetAudit,
    DatasetManifest,
    SampleRecords,
    SplitRule,
    VersionRows,
)
from andamio.dataset.version import AUDIT, KEY, MANIFEST, PROFILE, ROW, SAMPLES, Side
from andamio.errors import DataError, ObjectNotFound
from andamio.records.target import truth_of_kept
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from etl import staging
from etl.audit import audit, audit_document, findings
from etl.bands import in_bands
from etl.profile import profile
from etl.samples import recipe
from etl.split import SealedSplit, rows_needed
from etl.staging import Scratch, StagedRows
from etl.validate import read_info, read_split

FORMAT = 2


class CannotSplit(DataError):
    """Train or holdout would have too few classes."""


def publish(lake: Objects, contract: Contract, digest: str, now: datetime) -> DatasetManifest:
    """Write the data version that staged rows make, unless it is there, and return its manifest.

    The same rows, split and data half of the contract make the same version. Raises `DataError` when
    the rows were not staged, and `CannotSplit` when a side would be of no use.
    """
    info, split = read_info(lake, digest), read_split(lake)
    if info is None or info.status != "valid" or split is None:
        raise DataError(f"{layout.staging(digest)} holds no valid rows: the step 'validate' has to run first")
    if info.split != split.digest:
        raise DataError(f"{layout.SPLIT} changed since the rows were staged: start the ETL execution again")
    scratch = Scratch()
    rows, places = staging.load(lake, digest)
    labels = truth_of_kept(contract, rows[contract.problem.target])
    holdout, cutoff = _sides(lake, contract, split, rows)
    _both_sides(contract, labels, holdout, cutoff, split.share)
    found = findings(contract, rows.where(~holdout))
    files: dict[Side, tuple[NDArray[np.bool_], Path]] = {
        "train": (~holdout, scratch.folder / "train.npz"),
        "holdout": (holdout, scratch.folder / "holdout.npz"),
    }
    version = _version(_write_sides(rows, files), holdout, split, contract)
    existing = read_manifest(lake, version)
    if existing is not None:
        return existing
    for side, (_, file) in files.items():
        lake.put_new_file(layout.dataset_rows(version, side), file)
    lake.put_new(
        layout.dataset(version, PROFILE),
        profile(contract, rows, labels, holdout, info.refused).to_json(),
        content_type="application/json",
    )
    by_class, bands = in_bands(contract, labels, ~holdout)
    suspects, checked = audit(by_class, rows, bands, holdout, split, places, quarters=by_class is not contract)
    if contract.prepares:
        _publish_samples(lake, digest, version, rows[ROW][~holdout])
    sides = {"train": int((~holdout).sum()), "holdout": int(holdout.sum())}
    audited = audit_document(suspects, checked, found, sides["train"])
    documents.write_once(lake, layout.dataset(version, AUDIT), audited)
    manifest = DatasetManifest(
        version=version,
        created=now.isoformat(timespec="seconds"),
        problem=contract.problem.name,
        contract=contract.data_digest,
        split=split.digest,
        split_by=SplitRule(rule=split.rule, key=split.key, columns=list(split.columns), share=split.share),
        cutoff=None if cutoff is None else str(cutoff),
        input=digest,
        rows=VersionRows(**info.rows.model_dump(), **sides),
        suspects=len(suspects),
        findings=len(found),
        classes=info.classes,
        coerced=info.coerced,
        reasons=info.reasons,
        first=info.first,
        files=info.files,
    )
    # Last: a version is there when its manifest is.
    documents.write_once(lake, layout.dataset(version, MANIFEST), manifest)
    return manifest


def _publish_samples(lake: Objects, digest: str, version: str, train: NDArray[np.uint64]) -> None:
    """Keep the staged records whose rows are in train, whose identities are given: those of the holdout stay unread."""
    samples = documents.find(lake, layout.staging(digest, SAMPLES), SampleRecords) or SampleRecords(records={})
    wanted = np.array([int(identity, 16) for identity in samples.records], dtype=np.uint64)
    known = {one for one, is_in in zip(samples.records, np.isin(wanted, train).tolist(), strict=True) if is_in}
    documents.write_once(lake, layout.dataset(version, SAMPLES), samples.of_rows(known))


def read_manifest(lake: Objects, version: str) -> DatasetManifest | None:
    """The manifest of a data version, or None when there is no such version."""
    return documents.find(lake, layout.dataset(version, MANIFEST), DatasetManifest)


def read_audit(lake: Objects, version: str) -> DatasetAudit:
    """The audit of a data version; raises `ObjectNotFound` when there is no such version."""
    return documents.read(lake, layout.dataset(version, AUDIT), DatasetAudit)


def read_current(lake: Objects) -> tuple[CurrentDataset, str] | None:
    """datasets/current.json and its ETag, or None before the first data version."""
    try:
        stored = lake.get(layout.CURRENT_DATASET)
    except ObjectNotFound:
        return None
    return documents.parse(stored.body, CurrentDataset, layout.CURRENT_DATASET), stored.etag


def cutoff_of(dataset: CurrentDataset | DatasetManifest, split: str) -> np.datetime64 | None:
    """The cutoff of a data version under the same split, later versions must not have an earlier one."""
    if dataset.cutoff is None or dataset.split != split:
        return None
    return np.datetime64(dataset.cutoff, "s")


def _sides(
    lake: Objects, contract: Contract, split: SealedSplit, rows: Columns
) -> tuple[NDArray[np.bool_], np.datetime64 | None]:
    keys = rows[KEY]
    if split.rule == "hash":
        return split.holdout(keys), None
    if split.time is None or split.time not in rows:
        raise CannotSplit(
            f"{layout.SPLIT} divides by the time column '{split.time}', which problem.toml no longer names: "
            "set it under [problem] time"
        )
    current = read_current(lake)
    before = cutoff_of(current[0], split.digest) if current else None
    return split.holdout_by_time(keys, rows[split.time], before)


def _both_sides(
    contract: Contract,
    labels: NDArray[Any],
    holdout: NDArray[np.bool_],
    cutoff: np.datetime64 | None,
    share: float,
) -> None:
    if isinstance(contract.task, Regression):
        for side, mask in (("train", ~holdout), ("holdout", holdout)):
            if len(np.unique(labels[mask])) < 2:
                raise CannotSplit(
                    f"The {side} would have {int(mask.sum())} rows, and they need two different values of "
                    f"'{contract.problem.target}' at least: gather more."
                )
        return
    for side, mask in (("train", ~holdout), ("holdout", holdout)):
        counts = np.bincount(labels[mask], minlength=len(contract.classes))
        if (counts == 0).any():
            class_counts = ", ".join(
                f"'{key}': {count}" for key, count in zip(contract.classes, counts.tolist(), strict=True)
            )
            since = "" if cutoff is None else f" (rows from {cutoff} on are held out)"
            raise CannotSplit(
                f"The {side} would have {int(counts.sum())} rows{since}, by class {class_counts}: it needs rows of "
                f"every class. A class of about {rows_needed(1, share)} rows is on both sides of a split like this one "
                "with a chance of 95%: gather more, merge classes in [problem] labels, or take one out."
            )


def _write_sides(rows: StagedRows, files: Mapping[Side, tuple[NDArray[np.bool_], Path]]) -> str:
    """Write each side's rows to its file, and return the digest of what they are; each column is read once."""
    digest = hashlib.sha256()
    with ExitStack() as stack:
        writers = [
            (mask, stack.enter_context(ColumnWriter(file, [(name, rows.type_name(name)) for name in rows])))
            for mask, file in files.values()
        ]
        for name, column in rows.items():
            add_content(digest, name, column)
            for mask, writer in writers:
                writer.add(column[mask])
    return digest.hexdigest()


def _version(rows: str, holdout: NDArray[np.bool_], split: SealedSplit, contract: Contract) -> str:
    """VERSION: 16 hex digits of content, split (and who is on which side) and the contract's data half."""
    sides = hashlib.sha256(holdout.tobytes()).hexdigest()
    made_up = (f"{name}={number}" for name, number in recipe(contract).items())
    content = "/".join((str(FORMAT), rows, sides, split.digest, contract.data_digest, *made_up))
    return hashlib.sha256(content.encode()).hexdigest()[:16]
