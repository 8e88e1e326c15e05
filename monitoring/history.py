"""The reports before a window's: the one right before it, and those of windows that share no prediction with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from andamio.errors import DocumentError
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring.report import REPORT, Report
from monitoring.window import Window

_BREAK = timedelta(hours=25)
"""Findings go on from a report that is not older than this; after a longer break they begin anew."""


def near(window: Window, end: datetime) -> bool:
    """Whether findings of an earlier window, by its end, go on in this one."""
    return window.end - end <= max(_BREAK, window.end - window.start)


def ends_before(lake: Objects, window: Window, windows: int) -> list[datetime]:
    """The ends of earlier windows that have a report, oldest first; far enough back for so many windows."""
    length = window.end - window.start
    oldest = window.end - windows * (length + _BREAK)  # short windows may lie a day apart
    found = []
    for info in lake.list(layout.MONITORING, after=layout.monitoring(oldest)):
        day, _, rest = info.key.removeprefix(f"{layout.MONITORING}dt=").partition("/")
        time, _, file = rest.partition("/")
        if file == REPORT:
            found.append(datetime.strptime(f"{day} {time}", "%Y-%m-%d %H%M%S").replace(tzinfo=UTC))
    return [end for end in found if end < window.end]


def apart(window: Window, ends: list[datetime], windows: int) -> list[datetime]:
    """Of earlier windows those that share no prediction with this one and with each other, newest first.

    At most one less than `windows`: the window itself is the first.
    """
    length = window.end - window.start
    chosen: list[datetime] = []
    limit = window.start
    for end in reversed(ends):
        if len(chosen) < windows - 1 and end <= limit:
            chosen.append(end)
            limit = end - length
    return chosen


def read(lake: Objects, end: datetime, release: str) -> Report | None:
    """The report of a window against the same release; None where another version of Andamio wrote it."""
    try:
        found = documents.find(lake, layout.monitoring(end, REPORT), Report)
    except DocumentError:
        return None
    return found if found is not None and found.model.release == release else None
