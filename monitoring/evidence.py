"""What a window holds: captures of the champion's predictions, refused records, and labels that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.captures.columns import CapturedRows
from andamio.contract import Contract
from andamio.contract.tables import Monitor
from andamio.release.release import Release
from andamio.storage import layout
from andamio.storage.ports import Objects
from monitoring.captures import compact_window, hours_between, read_window
from monitoring.feedback import Elsewhere, join, read_feedback
from monitoring.performance.window import Labelled
from monitoring.window import Window

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a window holds.

    `columns` by feature `[rows]`, `probabilities` `[rows, classes]`, `labels` and `times` `[rows]`: predictions of
    the champion, a uniform sample of `rows_seen`. `rejections` by field and code; `other_releases` are predictions
    of others, `unreadable` kept records that its contract does not take. `capture_lag` and `silent_since` are as
    `Arrivals` has them. `labelled` are predictions with the labels that came: of these hours, and of as many before
    them as a label takes. `orphans` are labels for no prediction.
    """

    times: NDArray[np.datetime64]
    columns: Mapping[str, NDArray[Any]]
    probabilities: NDArray[np.floating]
    labels: NDArray[np.int64]
    rows_seen: int
    requests: int = 0
    other_releases: int = 0
    rejected: int = 0
    rejections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    unreadable: int = 0
    capture_lag: float | None = None
    silent_since: datetime | None = None
    labelled: Labelled | None = None
    orphans: int = 0


def compact(lake: Objects, models: Objects, window: Window, deployed: Contract) -> int:
    """Make one file of each hour's captures, and return the hours that have some.

    Features that the `deployed` contract marks private are left out.
    """

    @cache
    def contract_of(version: str) -> Contract:
        return Release.open(models, version).contract().hiding(deployed.private)

    return compact_window(lake, contract_of, window.start, window.whole, deployed.monitor.drawn_share)


def read(
    lake: Objects, contract: Contract, window: Window, release: str, settings: Monitor, elsewhere: Elsewhere
) -> Evidence:
    """The evidence of a window about a release that was trained under `contract`.

    Labels of predictions that are not in the window are looked for `elsewhere`.
    """
    found = read_window(lake, contract, release, window.start, window.whole)
    captured = found.captured
    labelled, orphans = _labelled(lake, contract, window, release, settings, captured, elsewhere)
    came = arrivals(lake, window)
    return Evidence(
        times=captured.times,
        columns=captured.columns,
        probabilities=captured.probabilities.astype(np.float64),
        labels=captured.labels,
        rows_seen=found.rows_seen,
        requests=found.requests,
        other_releases=sum(found.other_versions.values()),
        rejected=found.rejected_rows,
        rejections=found.rejections,
        unreadable=sum(found.unreadable.values()),
        capture_lag=came.lag,
        silent_since=came.silent_since,
        labelled=labelled,
        orphans=orphans,
    )


def _labelled(
    lake: Objects,
    contract: Contract,
    window: Window,
    release: str,
    settings: Monitor,
    captured: CapturedRows,
    elsewhere: Elsewhere,
) -> tuple[Labelled, int]:
    """Predictions with their labels: those of the window, and where labels take long, of as many hours before it.

    And how many labels that are old enough, of as many hours as the window has, have no prediction anywhere.
    """
    start = window.start - timedelta(hours=settings.label_delay_hours)
    if settings.label_delay_hours:
        captured = read_window(lake, contract, release, start, window.whole).captured
    end = np.datetime64(window.end.replace(tzinfo=None), "ms")
    age = (end - captured.times).astype("timedelta64[ms]").astype(np.float64) / _HOUR_MS
    said = read_feedback(lake, min(start, window.start - timedelta(hours=settings.orphan_hours)), window.end)
    found = join(
        captured,
        said,
        contract.classes,
        now=window.end,
        orphan_hours=settings.orphan_hours,
        elsewhere=elsewhere,
    )
    labels, delay = np.full(captured.rows, -1, dtype=np.int64), np.full(captured.rows, np.nan)
    labels[found.rows] = found.labels
    waited = found.received - captured.times[found.rows].astype("datetime64[ms]")
    delay[found.rows] = np.maximum(waited.astype(np.float64) / _HOUR_MS, 0.0)
    return Labelled(captured.probabilities.astype(np.float64), labels, age, delay), found.orphans


@dataclass(frozen=True, slots=True)
class Arrivals:
    """How deliveries of the API's log came, by the times at which they were written.

    `lag` is the most seconds that one came after its hour was over, None where none came. `silent_since` is the end of
    the last hour with a delivery, the window's start where there is none, and None where only batches were scored.
    """

    lag: float | None
    silent_since: datetime | None


def arrivals(lake: Objects, window: Window) -> Arrivals:
    """What a listing of the window's captures says."""
    lag: float | None = None
    last: datetime | None = None
    batches = False
    for hour in hours_between(window.start, window.whole):
        end = hour + timedelta(hours=1)
        for info in lake.list(layout.captures(hour)):
            name = info.key.rsplit("/", 1)[1]
            if name.startswith("part-"):
                lag, last = max(lag or 0.0, (info.modified - end).total_seconds()), end
            batches = batches or name.startswith("batch-")
    return Arrivals(lag, last or (None if batches else window.start))
