"""`monitoring/latest.json`: the newest window that has a report, and which of its alarms were told.

What was told is kept apart from what was found: where a step dies before it has told, the next window still has news.
"""

from __future__ import annotations

from collections.abc import Sequence

from andamio.errors import DataError, PreconditionFailed
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring import history
from monitoring.judge import DECISIONS
from monitoring.report import PAGE, REPORT, Alarm, LatestReport, Report
from monitoring.window import Window, moment

_MAX_ATTEMPTS = 20
"""How often latest.json may change under a run before that is a fault and not a race."""


def advance(lake: Objects, window: Window, report: Report) -> LatestReport | None:
    """Make a window's report the latest one, and return what is kept of it; None where a newer window has one."""
    latest = LatestReport(
        window=window.name,
        release=report.model.release,
        status=report.status,
        report=window.key(REPORT),
        page=window.key(PAGE),
    )
    for _ in range(_MAX_ATTEMPTS):
        if documents.write_once(lake, layout.LATEST_REPORT, latest):
            return latest
        held, etag = _held(lake)
        if moment(held.window) > window.end:
            return None
        if held.window == window.name:
            return held
        after = latest.model_copy(update={"told": _still_told(held, window, report)})
        try:
            documents.swap(lake, layout.LATEST_REPORT, after, etag)
        except PreconditionFailed:
            continue
        return after
    raise DataError(f"{layout.LATEST_REPORT} kept changing: start the execution of the watch again")


def news(lake: Objects, report: Report) -> list[Alarm]:
    """The alarms of a report that nobody was told of yet; none where it is not the latest one any more."""
    held, _ = _held(lake)
    return untold(held, report) if held.window == report.window.end else []


def untold(latest: LatestReport, report: Report) -> list[Alarm]:
    """The alarms of the latest report that nobody was told of yet."""
    return [alarm for alarm in report.alarms if alarm not in latest.told]


def told(lake: Objects, window: Window, alarms: Sequence[Alarm]) -> None:
    """Note that people were told of these alarms; a newer window that has come meanwhile tells them once more."""
    for _ in range(_MAX_ATTEMPTS):
        held, etag = _held(lake)
        if held.window != window.name:
            return
        after = held.model_copy(update={"told": sorted({*held.told, *alarms})})
        try:
            documents.swap(lake, layout.LATEST_REPORT, after, etag)
        except PreconditionFailed:
            continue
        return
    raise DataError(f"{layout.LATEST_REPORT} kept changing: start the execution of the watch again")


def _held(lake: Objects) -> tuple[LatestReport, str]:
    stored = lake.get(layout.LATEST_REPORT)
    return documents.parse(stored.body, LatestReport, layout.LATEST_REPORT), stored.etag


def _still_told(held: LatestReport, window: Window, report: Report) -> list[Alarm]:
    """The alarms that a newer window need not tell again: they go on, or it could not decide."""
    if held.release != report.model.release or not history.near(window, moment(held.window)):
        return []
    return [alarm for alarm in held.told if alarm in report.alarms or DECISIONS[alarm] not in report.metrics]
