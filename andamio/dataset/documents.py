"""Documents of data versions: the current version, its manifest, its audit."""

from __future__ import annotations

from typing import Literal

from andamio.storage.documents import Document, Part


class InputRows(Part):
    """Rows of raw files: read, valid, rejected, and replaced by a later one with the same id."""

    read: int
    valid: int
    rejected: int
    replaced: int


class VersionRows(InputRows):
    """Rows of a data version: those of its input, and how they were divided."""

    train: int
    holdout: int


class SourceFile(Part):
    """One raw file that a data version was made of: the object's version, how it was read, what became of its rows.

    `modified` in ISO 8601, `size` in bytes; `read_as` is what `andamio.tabular.read_as` decided, `refused` why it was
    not used.
    """

    key: str
    version: str
    etag: str
    modified: str
    size: int
    sha256: str
    read_as: dict[str, str]
    rows: int
    valid: int
    rejected: int
    replaced: int
    extra_columns: list[str]
    absent_columns: list[str]
    refused: str | None


class RejectReason(Part):
    """How many rows one reason concerns; `column` is "" where it is about the whole row."""

    column: str
    code: str
    reason: str
    rows: int


class SplitRule(Part):
    """How rows are divided; see `etl.split.SealedSplit`."""

    rule: Literal["hash", "time"]
    key: str
    columns: list[str]
    share: float


class StagedInput(Document):
    """`staging/INPUT/info.json`: facts about an input.

    A rejected one has a `message`, a valid one the digest of the `split` that its keys were made for. `first` has the
    first rejects in words, `coerced` the cells by column that were out of range and count as missing.
    """

    input: str
    contract: str
    status: Literal["valid", "rejected"]
    message: str | None
    split: str | None
    files: list[SourceFile]
    rows: InputRows
    classes: dict[str, int]
    reasons: list[RejectReason]
    first: list[str]
    coerced: dict[str, int]


class DatasetManifest(Document):
    """`datasets/VERSION/manifest.json`: what a data version was made of, and by which split it was divided.

    `contract` and `split` are digests, `input` is that of the raw files; `cutoff` is the time from which rows are held
    out, under the time rule; `suspects` and `findings` count what the audit found.
    """

    version: str
    created: str
    problem: str
    contract: str
    split: str
    split_by: SplitRule
    cutoff: str | None
    input: str
    rows: VersionRows
    suspects: int
    findings: int
    classes: dict[str, int]
    coerced: dict[str, int]
    reasons: list[RejectReason]
    first: list[str]
    files: list[SourceFile]


class CurrentDataset(Document):
    """`datasets/current.json`: the data version that trainings use.

    `revision` grows with each write, so that bytes, and with them ETags, never repeat.
    """

    revision: int
    version: str
    input: str
    since: str
    rows: VersionRows
    split: str
    cutoff: str | None


class AuditEntry(Part):
    """One suspect or finding: `feature` is "" for what concerns whole rows; `evidence` holds numbers, no values."""

    kind: str
    feature: str
    evidence: dict[str, int | float]
    message: str


class DatasetAudit(Document):
    """`datasets/VERSION/audit.json`: what looks like a leak, which kinds were looked for, what values look odd."""

    suspects: list[AuditEntry]
    checked: list[str]
    findings: list[AuditEntry]
