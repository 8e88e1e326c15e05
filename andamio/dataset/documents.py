"""Documents of data versions: the current version, its manifest, its audit."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field

from andamio.prepare.samples import TextCells
from andamio.storage.documents import Document, Part, to_json


class InputRows(Part):
    """Rows of raw files: read, valid, rejected, replaced by a later one with the same id, left out by prepare.py."""

    read: int
    valid: int
    rejected: int
    replaced: int
    left_out: int = Field(default=0, exclude_if=lambda rows: rows == 0)


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
    left_out: int = Field(default=0, exclude_if=lambda rows: rows == 0)
    extra_columns: list[str]
    absent_columns: list[str]
    refused: str | None


class RejectReason(Part):
    """How many rows one reason concerns; `column` is "" where it is about the whole row."""

    column: str
    code: str
    reason: str
    rows: int


class RefusedField(Part):
    """How many rows one kind of fault in an input concerns."""

    column: str
    code: str
    rows: int


class RefusedRows(Part):
    """How often the contract refuses records like these for their inputs: what is usual for the watch.

    `rows` were read, `refused` of them have a fault in an input; files of which no row is used are left out.
    """

    rows: int
    refused: int
    reasons: list[RefusedField]


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
    refused: RefusedRows | None = None


class Bins(Part):
    """Bins of about equal count: inner `edges` ascending (days of a date in ISO 8601), `counts` one more than edges."""

    edges: list[float] | list[str]
    counts: list[int]


class FeatureProfile(Part):
    """Statistics of a feature; of a private one nothing but how often it is there.

    Numbers and dates have `min`, `max` and `bins` (dates in ISO 8601), numbers `mean` and `std` too; other features
    `distinct` values, the `frequencies` of the most frequent and the rows of the `other` ones.
    """

    type: str
    count: int
    missing: int
    available_at_prediction: Literal[False] | None = None
    private: Literal[True] | None = None
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    std: float | None = None
    bins: Bins | None = None
    distinct: int | None = None
    frequencies: dict[str, int] | None = None
    other: int | None = None


class ProfileRows(Part):
    """Rows of a data version, and how they were divided."""

    all: int
    train: int
    holdout: int


class ProfileClasses(Part):
    """Rows by class of both sides; of a regression, by quarter of its target."""

    train: dict[str, int]
    holdout: dict[str, int]


class LabelConflicts(Part):
    """Groups of rows that agree in every input and disagree in the label, and the rows in them."""

    of: Literal["all"] = "all"
    groups: int
    rows: int


class DatasetProfile(Document):
    """`datasets/VERSION/profile.json`: statistics, those of features of train alone. A release seals it as it is.

    `refused` is of the raw rows; a profile of an earlier version of Andamio has none.
    """

    features_of: Literal["train"] = "train"
    rows: ProfileRows
    classes: ProfileClasses
    conflicts: LabelConflicts
    features: dict[str, FeatureProfile]
    target: FeatureProfile | None = None
    """Of a regression: the statistics of its target in train."""
    refused: RefusedRows | None = None

    def to_json(self) -> bytes:
        """The profile's bytes; what a feature does not have is left out."""
        return to_json(self.model_dump(mode="json", exclude_none=True))


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


class SampleRecords(Document):
    """`datasets/VERSION/samples.json`: records of train as a client would send them, by the identity of their row.

    A problem with a prepare.py has it; `staging/INPUT/samples.json` is the same before rows are divided. `cells` are
    the records of files of text as these write them. Where a column that is sent is private, it has made-up values,
    there are no cells, and `features` are what ETL made of each record.
    """

    records: dict[str, dict[str, Any]]
    cells: dict[str, TextCells] = Field(default_factory=dict)
    features: dict[str, dict[str, Any]] = Field(default_factory=dict)

    def of_rows(self, identities: Collection[str]) -> SampleRecords:
        """The samples of some rows."""
        known = [one for one in self.records if one in identities]
        return SampleRecords(
            records={one: self.records[one] for one in known},
            cells={one: self.cells[one] for one in known if one in self.cells},
            features={one: self.features[one] for one in known if one in self.features},
        )


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
    """`datasets/VERSION/audit.json`: what looks like a leak, which kinds were looked for, what values look odd.

    Features were checked on `rows` of train, a sample where it has more; None in an audit that did not note it.
    """

    suspects: list[AuditEntry]
    checked: list[str]
    rows: int | None = None
    findings: list[AuditEntry]
