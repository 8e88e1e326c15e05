"""What is known of captured predictions without reading them: how many there were, kept and not, and what was refused.

An hour of the API's predictions has one summary, and each shard of a batch has one.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import Field

from andamio.storage.documents import Document, Part

SUMMARY_ENDING, ROWS_ENDING = "json", "parquet"


class ReleaseRows(Part):
    """The predictions of one release.

    There were `made` of them, `drawn` of these to be kept with their record; of them `kept` are, others cannot be read
    or are more than a file takes. `share` is the chance that each had to be kept. The replies of `asked` of the kept
    ones asked for the true label (`[monitor] audit_share`).
    """

    version: str
    made: int = Field(ge=0)
    drawn: int = Field(ge=0)
    kept: int = Field(ge=0)
    share: float = Field(ge=0, le=1)
    asked: int = Field(default=0, ge=0)


class FieldFault(Part):
    """How many records of a release had one fault; a record may have several."""

    version: str
    field: str
    code: str
    records: int = Field(ge=1)


class CaptureSummary(Document):
    """An hour of predictions, or a shard of a batch.

    `made_of` is the digest of the deliveries. `validated` are the predictions by the release whose contract took the
    record, which for a challenger's is the champion; without it each release took its own. `rejected` are records that
    were refused, by release; `unreadable` what is wrong with kept records that the release's contract no longer takes.
    `duplicates` were delivered more than once. `failures` are requests that failed otherwise, by kind, and releases
    that could not be taken. `durations` counts predictions by how long they took (`duration_bin`).
    `truths` are labels that the rows of a file carried, `no_truths` those of them that are no label.
    """

    made_of: str
    releases: tuple[ReleaseRows, ...] = ()
    validated: Mapping[str, int] | None = None
    rejected: Mapping[str, int] = Field(default_factory=dict)
    faults: tuple[FieldFault, ...] = ()
    unreadable: tuple[FieldFault, ...] = ()
    duplicates: int = 0
    failures: Mapping[str, int] = Field(default_factory=dict)
    durations: Mapping[str, int] = Field(default_factory=dict)
    truths: int = 0
    no_truths: int = 0

    def validated_by(self, version: str) -> int:
        """How many predictions stand on a record that the contract of a release took."""
        if self.validated is not None:
            return self.validated.get(version, 0)
        return sum(release.made for release in self.releases if release.version == version)


_WIDTH = math.log(1.1)


def duration_bin(milliseconds: float) -> str:
    """The bin of a duration: bins grow by a tenth, so that a quantile is known to a tenth."""
    return str(math.floor(math.log(max(milliseconds, 1e-3)) / _WIDTH))


def duration_quantile(counts: Mapping[str, int], share: float) -> float | None:
    """The milliseconds that a share of the predictions took at most, at the upper end of a bin; None of none."""
    left = share * sum(counts.values())
    for one in sorted(counts, key=int):
        left -= counts[one]
        if left <= 0:
            return round(math.exp((int(one) + 1) * _WIDTH), 3)
    return None


def faults_of(counts: Mapping[tuple[str, str, str], int]) -> tuple[FieldFault, ...]:
    """Counts by (version, field, code), in order."""
    return tuple(
        FieldFault(version=version, field=field, code=code, records=records)
        for (version, field, code), records in sorted(counts.items())
    )


def digest(names: Iterable[str]) -> str:
    """The digest of what something is made of."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:32]


def count_faults(counts: Counter[tuple[str, str, str]], version: str, faults: Iterable[tuple[str, str]]) -> None:
    """Count the faults of one record, (field, code), each once."""
    for field, code in set(faults):
        counts[version, field, code] += 1
