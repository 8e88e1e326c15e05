"""The predictions of a window: those of one release, where they are too many a uniform sample and the labelled ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.captures import columns, files
from andamio.captures.columns import CapturedRows as Captured
from andamio.captures.sampling import ALL, chance
from andamio.captures.summary import CaptureSummary, ReleaseRows
from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring.compaction import compact_hour, compact_window, hours_between

__all__ = ["Captured", "Wanted", "Window", "compact_hour", "compact_window", "hours_between", "read_window"]

MOST_ROWS = 200_000
"""Predictions that a window is compared by; of more, a uniform sample of about as many."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a window holds of one release.

    `captured` are predictions that the release made, of `rows_seen`: those `sampled` `[rows]` are a uniform sample,
    `share` of them, and the others are wanted. Each `stands_for` `[rows]` so many, since others are not read.
    `validated` are the predictions whose record the release's contract took, those of its challengers among them, and
    `rejected_rows` the records that were refused, `rejections` how many of them by (field, code); `requests` are
    all records that were asked about. `other_versions` are predictions of other releases. `unreadable` are kept records
    that the release's contract does not take, by (field, code); `duplicates` came more than once, `failures` are of all
    requests, by kind, `durations` of all predictions. `made` are the
    release's predictions by hour, `batches` those that were scored by whatever release; the replies
    of `asked` of its kept predictions asked for the true label. Each row had its `chances` `[rows]` to be read of what
    is kept.
    """

    captured: Captured
    sampled: NDArray[np.bool_]
    stands_for: NDArray[np.float64]
    rows_seen: int = 0
    validated: int = 0
    share: float = 1.0
    rejected_rows: int = 0
    rejections: dict[tuple[str, str], int] = field(default_factory=dict)
    other_versions: dict[str, int] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], int] = field(default_factory=dict)
    duplicates: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    durations: dict[str, int] = field(default_factory=dict)
    made: dict[datetime, int] = field(default_factory=dict)
    asked: int = 0
    chances: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    batches: frozenset[str] = frozenset()

    @property
    def requests(self) -> int:
        """Records that the release was asked about."""
        return self.validated + self.rejected_rows


@dataclass(frozen=True, slots=True)
class Wanted:
    """Predictions that are read whatever is drawn, by their id or that of their record (canonical)."""

    predictions: Set[str] = frozenset()
    records: Set[str] = frozenset()

    def rows(self, batch: pa.RecordBatch, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which rows of a batch, with their ids, they are, and those that brought their label along."""
        found = [one in self.predictions for one in ids]
        wanted = np.array(found, dtype=np.bool_) | batch.column("truth").is_valid().to_numpy(zero_copy_only=False)
        if self.records:
            records = batch.column("record_id").to_pylist()
            wanted |= np.array([one is not None and canonical(one) in self.records for one in records], dtype=np.bool_)
        return np.asarray(wanted)


@dataclass(frozen=True, slots=True)
class _Source:
    """A file of rows of the release, and what is known of it; `of` is its hour of the API, or its batch."""

    hour: datetime
    of: str
    key: str
    summary: CaptureSummary
    rows: ReleaseRows | None


def read_window(
    lake: Objects,
    contract: Contract,
    version: str,
    start: datetime,
    end: datetime,
    *,
    wanted: Wanted | None = None,
    most_rows: int = MOST_ROWS,
) -> Window:
    """Read the predictions that a release made in the whole hours from `start` to before `end`.

    `contract` is the release's own. Hours are read as they were compacted (`compact_window`). Above `most_rows` each
    prediction is kept by a digest of its id, so that the same window is the same sample, and one file is held at a
    time. What is a sample already, of the API or of a batch, is thinned less: all predictions had the same chance.
    Those `wanted` are read beside the sample, up to about `most_rows` of them.
    """
    sources = [source for hour in hours_between(start, end) for source in _sources(lake, hour, version)]
    seen: Counter[str] = Counter()
    made: Counter[datetime] = Counter()
    rejections: Counter[tuple[str, str]] = Counter()
    unreadable: Counter[tuple[str, str]] = Counter()
    failures: Counter[str] = Counter()
    durations: Counter[str] = Counter()
    rejected = validated = duplicates = labels_asked = 0
    for source in sources:
        summary = source.summary
        for release in summary.releases:
            seen[release.version] += release.made
        if source.rows is not None:
            made[source.hour] += source.rows.made
            labels_asked += source.rows.asked
        validated += summary.validated_by(version)
        rejected += summary.rejected.get(version, 0)
        duplicates += summary.duplicates
        failures.update(summary.failures)
        durations.update(summary.durations)
        for counts, faults in ((rejections, summary.faults), (unreadable, summary.unreadable)):
            for fault in faults:
                if fault.version == version:
                    counts[fault.field, fault.code] += fault.records
    rows_seen = seen.pop(version, 0)
    shares = _shares(sources)
    share = min([1.0, *shares.values(), *([most_rows / rows_seen] if rows_seen else [])])
    asked = 0.0
    if wanted is not None:
        truths = sum(source.summary.truths for source in sources if source.rows is not None)
        asked = min(1.0, most_rows / max(1, len(wanted.predictions) + len(wanted.records) + truths))
    batches: list[pa.RecordBatch] = []
    sampled, stands_for, read = [np.zeros(0, dtype=np.bool_)], [np.zeros(0)], [np.zeros(0)]
    with TemporaryDirectory(prefix="window-") as folder:
        for source in sources:
            if source.rows is None or not source.rows.kept:
                continue
            kept = shares[source.of]
            for batch in files.read(lake, source.key, Path(folder)):
                drawn, chances = _drawn(batch, share / kept, wanted, asked)
                inside = chances > 0
                batches.append(batch if inside.all() else batch.filter(pa.array(inside)))
                sampled.append(drawn[inside])
                stands_for.append(1 / (kept * chances[inside]))
                read.append(chances[inside])
        captured = columns.from_arrow(contract, batches)
    return Window(
        captured=captured,
        sampled=np.concatenate(sampled),
        stands_for=np.concatenate(stands_for),
        rows_seen=rows_seen,
        validated=validated,
        share=share,
        rejected_rows=rejected,
        rejections=dict(rejections),
        other_versions=dict(seen),
        unreadable=dict(unreadable),
        duplicates=duplicates,
        failures=dict(failures),
        durations=dict(durations),
        made=dict(made),
        asked=labels_asked,
        chances=np.concatenate(read),
        batches=frozenset(source.of for source in sources if not source.of.endswith(".json")),
    )


def _shares(sources: Sequence[_Source]) -> dict[str, float]:
    """The chance of a prediction to be kept in an hour of the API, and in a batch; those that keep none have no say.

    Shards of a batch each keep their part of its rows, so that their shares differ by the length of a row alone.
    """
    made: Counter[str] = Counter()
    kept: dict[str, float] = {}
    for source in sources:
        if source.rows is not None and source.rows.kept:
            made[source.of] += source.rows.made
            kept[source.of] = kept.get(source.of, 0.0) + source.rows.made * source.rows.share
    return {of: count / made[of] for of, count in kept.items() if count}


def _sources(lake: Objects, hour: datetime, version: str) -> Iterator[_Source]:
    """What is known of an hour, and where the rows of the release are."""
    last = layout.captured_hour(hour)
    for info in lake.list(layout.captures(hour)):
        if info.key > last:
            return  # deliveries, of which an hour may have thousands
        if info.key != last and not info.key.endswith(".json"):
            continue
        summary = documents.read(lake, info.key, CaptureSummary)
        rows = next((each for each in summary.releases if each.version == version), None)
        if info.key == last:
            yield _Source(hour, last, layout.captured_rows(hour, version), summary, rows)
        else:
            shard = info.key.removesuffix(".json")
            yield _Source(hour, shard.rsplit("-", 1)[0], f"{shard}.parquet", summary, rows)


def _drawn(
    batch: pa.RecordBatch, share: float, wanted: Wanted | None, asked: float
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which rows `[rows]` a uniform sample has, and with which chance each row is read at all: 0 where it is not."""
    limit = int(share * ALL)
    if limit >= ALL:
        return np.ones(batch.num_rows, dtype=np.bool_), np.ones(batch.num_rows)
    ids = batch.column("prediction_id").to_pylist()
    numbers = np.array([chance(one, "window") for one in ids], dtype=np.uint64)
    drawn = numbers < np.uint64(limit)
    chances = np.full(len(ids), share)
    if wanted is not None and asked > share:
        chances[wanted.rows(batch, ids)] = asked
    read = numbers <= np.uint64(min(ALL - 1, int(asked * ALL)))
    return drawn, np.where(drawn | ((chances > share) & read), chances, 0.0)
