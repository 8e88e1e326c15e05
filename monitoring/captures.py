"""The predictions of a window: those of one release, a uniform sample of them where they are too many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from andamio.captures import columns, files
from andamio.captures.columns import CapturedRows as Captured
from andamio.captures.sampling import ALL
from andamio.captures.summary import CaptureSummary, ReleaseRows
from andamio.contract import Contract
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring.compaction import compact_hour, compact_window, hours_between

__all__ = ["Captured", "Window", "compact_hour", "compact_window", "hours_between", "read_window"]

MOST_ROWS = 200_000
"""Predictions that a window is compared by; of more, a uniform sample of about as many."""


@dataclass(frozen=True, slots=True)
class Window:
    """What a window holds of one release.

    `captured` is a uniform sample, `share` of the predictions that the release made, which are `rows_seen`.
    `rejected_rows` are the records that were refused, `rejections` how many of them by (field, code); `requests` are
    all records that were asked about. `other_versions` are predictions of other releases. `unreadable` are kept records
    that the release's contract does not take, by (field, code); `duplicates` came more than once.
    """

    captured: Captured
    rows_seen: int = 0
    share: float = 1.0
    rejected_rows: int = 0
    rejections: dict[tuple[str, str], int] = field(default_factory=dict)
    other_versions: dict[str, int] = field(default_factory=dict)
    unreadable: dict[tuple[str, str], int] = field(default_factory=dict)
    duplicates: int = 0

    @property
    def requests(self) -> int:
        """Records that the release was asked about."""
        return self.rows_seen + self.rejected_rows


@dataclass(frozen=True, slots=True)
class _Source:
    """A file of rows of the release, and what is known of it; `of` is its hour of the API, or its batch."""

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
    most_rows: int = MOST_ROWS,
) -> Window:
    """Read the predictions that a release made in the whole hours from `start` to before `end`.

    `contract` is the release's own. Hours are read as they were compacted (`compact_window`). Above `most_rows` each
    prediction is kept by a digest of its id, so that the same window is the same sample, and one file is held at a
    time. What is a sample already, of the API or of a batch, is thinned less: all predictions had the same chance.
    """
    sources = [source for hour in hours_between(start, end) for source in _sources(lake, hour, version)]
    seen: Counter[str] = Counter()
    rejections: Counter[tuple[str, str]] = Counter()
    unreadable: Counter[tuple[str, str]] = Counter()
    rejected = duplicates = 0
    for source in sources:
        summary = source.summary
        for release in summary.releases:
            seen[release.version] += release.made
        rejected += summary.rejected.get(version, 0)
        duplicates += summary.duplicates
        for counts, faults in ((rejections, summary.faults), (unreadable, summary.unreadable)):
            for fault in faults:
                if fault.version == version:
                    counts[fault.field, fault.code] += fault.records
    rows_seen = seen.pop(version, 0)
    shares = _shares(sources)
    share = min([1.0, *shares.values(), *([most_rows / rows_seen] if rows_seen else [])])
    with TemporaryDirectory(prefix="window-") as folder:
        batches = [
            batch
            for source in sources
            if source.rows is not None and source.rows.kept
            for batch in _rows(lake, source.key, share / shares[source.of], Path(folder))
        ]
        captured = columns.from_arrow(contract, batches)
    return Window(
        captured=captured,
        rows_seen=rows_seen,
        share=share,
        rejected_rows=rejected,
        rejections=dict(rejections),
        other_versions=dict(seen),
        unreadable=dict(unreadable),
        duplicates=duplicates,
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
            yield _Source(last, layout.captured_rows(hour, version), summary, rows)
        else:
            shard = info.key.removesuffix(".json")
            yield _Source(shard.rsplit("-", 1)[0], f"{shard}.parquet", summary, rows)


def _rows(lake: Objects, key: str, share: float, folder: Path) -> Iterator[pa.RecordBatch]:
    """A share of the rows of a file."""
    limit = int(share * ALL)
    for batch in files.read(lake, key, folder):
        if limit < ALL:
            batch = files.drawn(batch, "window", limit)
        yield batch
