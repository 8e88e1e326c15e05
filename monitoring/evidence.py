"""What a window holds: captures of the champion's predictions, refused records, and labels that came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.captures.truth import Truth, no_truth
from andamio.contract import Contract
from andamio.contract.tables import Batch, Monitor
from andamio.contract.task import Task
from andamio.release.release import Release
from andamio.storage import layout
from andamio.storage.ports import Objects
from monitoring.captures import Wanted, compact_window, hours_between, read_window
from monitoring.captures import Window as Captures
from monitoring.feedback import Elsewhere, Joined, Lookup, join
from monitoring.performance.window import Labelled
from monitoring.received import compact_feedback, read_feedback
from monitoring.window import Window

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a window holds.

    `columns` by feature `[rows]`, `probabilities` `[rows, classes]` or values `[rows, 1]`, `labels` and `times`
    `[rows]`: predictions of the champion, a uniform sample of `rows_seen`. `validated` are those whose record its
    contract took, which a challenger may have answered; None: `rows_seen`. `rejections` by field and code; `failures`
    of all requests by kind, `durations` of predictions as `andamio.captures.summary` counts them;
    `other_releases` are predictions of others by release, `unreadable` kept records that its contract does not take.
    `capture_lag` and `silent_since` are as `Arrivals` has them. `truth` `[rows]` are labels that came for these
    predictions, or none. `labelled` are predictions that became due a label in these hours, with those that
    came: of those that are kept `asked` ones asked for their label in the reply, and `answered` of them have one.
    `orphans` are labels for no prediction, `late` ones came when no window looks at their prediction any more.
    """

    times: NDArray[np.datetime64]
    columns: Mapping[str, NDArray[Any]]
    probabilities: NDArray[np.floating]
    labels: NDArray[np.int64]
    rows_seen: int
    validated: int | None = None
    requests: int = 0
    other_releases: Mapping[str, int] = field(default_factory=dict)
    rejected: int = 0
    rejections: Mapping[tuple[str, str], int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    durations: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    capture_lag: float | None = None
    truth: Truth | None = None
    silent_since: datetime | None = None
    labelled: Labelled | None = None
    orphans: int = 0
    late: int = 0
    asked: int = 0
    answered: int = 0

    @property
    def sent(self) -> int:
        """Records that the champion's contract was asked about: of these `rejected` were refused."""
        return (self.rows_seen if self.validated is None else self.validated) + self.rejected


def compact(lake: Objects, models: Objects, window: Window, deployed: Contract) -> int:
    """Make one file of each hour's captures, and return the hours of the window that have some.

    Hours whose predictions become due a label in the window are made again where deliveries came late. Features that
    the `deployed` contract marks private are left out.
    """

    @cache
    def contract_of(version: str) -> Contract:
        return Release.open(models, version).contract().hiding(deployed.private)

    delay, share = timedelta(hours=deployed.monitor.label_delay_hours), deployed.monitor.drawn_share
    compact_window(lake, contract_of, window.start - delay, min(window.start, window.whole - delay), share)
    return compact_window(lake, contract_of, window.start, window.whole, share)


def compact_labels(lake: Objects, window: Window, settings: Monitor, now: datetime) -> int:
    """Copy the labels of each hour that is over into one file, of the hours that a window reads; how many were."""
    return compact_feedback(lake, _labels_since(window, settings), min(window.end, now))


def _labels_since(window: Window, settings: Monitor) -> datetime:
    return window.start - timedelta(hours=max(settings.label_delay_hours, settings.orphan_hours))


def read(
    lake: Objects,
    contract: Contract,
    window: Window,
    release: str,
    settings: Monitor,
    batch: Batch,
    elsewhere: Elsewhere,
) -> Evidence:
    """The evidence of a window about a release that was trained under `contract`.

    Labels of predictions that are not in the window are looked for `elsewhere`.
    """
    delay = timedelta(hours=settings.label_delay_hours)
    said = read_feedback(lake, _labels_since(window, settings), window.end)
    wanted = Wanted(
        {one.prediction_id for one in said if one.prediction_id is not None},
        {one.record_id for one in said if one.record_id is not None},
    )
    found = read_window(lake, contract, release, window.start, window.whole, wanted=None if delay else wanted)
    due_found = found
    if delay:
        start, end = window.start - delay, window.whole - delay
        due_found = read_window(lake, contract, release, start, end, wanted=wanted)
    captured, due = found.captured, due_found.captured
    batches = bool(found.batches or due_found.batches)
    joined = join(due, said, contract.task, _lookup(window, settings, batch, elsewhere, batches=batches))
    own = join(captured, said, contract.task) if delay else joined
    waiting = sum(made for hour, made in found.made.items() if hour >= window.whole - delay)
    drawn = found.sampled
    came = arrivals(lake, window)
    return Evidence(
        times=captured.times[drawn],
        columns={name: column[drawn] for name, column in captured.columns.items()},
        probabilities=captured.probabilities[drawn].astype(np.float64),
        labels=captured.labels[drawn],
        rows_seen=found.rows_seen,
        validated=found.validated,
        requests=found.requests,
        other_releases=found.other_versions,
        rejected=found.rejected_rows,
        rejections=found.rejections,
        failures=found.failures,
        durations=found.durations,
        unreadable=sum(found.unreadable.values()),
        capture_lag=came.lag,
        silent_since=came.silent_since,
        truth=_by_row(contract.task, captured.rows, own)[drawn],
        labelled=_labelled(contract.task, due_found, joined, window.end, waiting),
        orphans=joined.orphans,
        late=joined.late,
        asked=due_found.asked,
        answered=_answered(due_found, joined),
    )


def _answered(found: Captures, joined: Joined) -> int:
    """How many kept predictions asked for their label and have it: estimated where not all that have one are read."""
    rows = joined.rows[found.captured.audit[joined.rows]]
    return min(found.asked, round(float((1 / found.chances[rows]).sum())))


def _lookup(window: Window, settings: Monitor, batch: Batch, elsewhere: Elsewhere, *, batches: bool) -> Lookup | None:
    """Of as many hours as the window has, labels that are old enough; None where the table has no predictions.

    Where there are `batches` that may not be in the table, nothing can be said of records that it does not have.
    """
    if settings.capture == "none":
        return None
    orphan = timedelta(hours=settings.orphan_hours)
    return Lookup(
        elsewhere,
        window.start - orphan,
        window.end - orphan,
        timedelta(hours=settings.label_delay_hours + settings.window_hours),
        timedelta(days=batch.keep_days),
        records=batch.store == "always" or (batch.store == "auto" and not batches),
    )


def _labelled(task: Task, found: Captures, joined: Joined, now: datetime, waiting: int) -> Labelled:
    """Predictions with their labels, at a moment, beside so many that wait for one."""
    due = found.captured
    age = (np.datetime64(now.replace(tzinfo=None), "ms") - due.times).astype("timedelta64[ms]").astype(np.float64)
    waited = (joined.received - due.times[joined.rows].astype("datetime64[ms]")).astype(np.float64)
    delay = np.full(due.rows, np.nan)
    delay[joined.rows] = np.maximum(waited / _HOUR_MS, 0.0)
    labels = _by_row(task, due.rows, joined)
    return Labelled(due.probabilities.astype(np.float64), labels, age / _HOUR_MS, delay, found.stands_for, waiting)


def _by_row(task: Task, rows: int, joined: Joined) -> Truth:
    found = no_truth(task, rows)
    found[joined.rows] = joined.labels
    return found


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
