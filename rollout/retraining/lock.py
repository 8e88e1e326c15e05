"""`monitoring/retraining.json`: the trainings that the watch started, and so the lock, the cool-down and the budget.

It changes by If-Match alone. A start is written down before the execution begins, and confirmed after: where a monitor
dies between, the next one begins the same execution, by the same name, which Step Functions begins once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import Field

from andamio.errors import DataError, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.documents import Document, Part
from andamio.storage.ports import Objects
from monitoring.window import iso, moment

GRACE = timedelta(hours=1)
"""So long the monitor that wrote down a start may take to begin it; after that another one does."""
_KEPT = timedelta(days=8)
_MAX_ATTEMPTS = 20


class Start(Part):
    """A training that the watch starts: for which window and release, as which execution of ETL, and why.

    `since` is when it was written down, `started` when its execution was there, null until then. ISO 8601, UTC.
    """

    release: str
    window: str
    execution: str
    reason: str
    since: str
    started: str | None = None


class Starts(Document):
    """The starts of the last week, oldest first, and the last one, however old."""

    starts: list[Start] = Field(default_factory=list)

    @property
    def last(self) -> Start | None:
        """The last one; None before the first."""
        return self.starts[-1] if self.starts else None

    def unfinished(self, now: datetime) -> Start | None:
        """The last one, where it was cut off before its execution began."""
        last = self.last
        return last if last is not None and last.started is None and now - moment(last.since) >= GRACE else None


def read(lake: Objects) -> Starts:
    """The starts so far."""
    return _read(lake)[0]


def take(lake: Objects, wanted: Start, waiting: Callable[[Starts], str | None], now: datetime) -> Start | str:
    """Write down a start, and return the one that is to begin now, or in words why none is.

    It is the one `wanted`, the same one where its window has it already, or one that was cut off. `waiting` says of the
    starts so far what keeps another one back. Of two that ask at once one gets it.
    """
    for _ in range(_MAX_ATTEMPTS):
        starts, etag = _read(lake)
        last = starts.last
        if last is not None and (last.window, last.release) == (wanted.window, wanted.release):
            return last
        unfinished = starts.unfinished(now)
        if unfinished is not None:
            return unfinished
        held = waiting(starts)
        if held is not None:
            return held
        recent = [start for start in starts.starts if moment(start.since) > now - _KEPT]
        if documents.replace(lake, layout.RETRAINING, Starts(starts=[*recent, wanted]), etag):
            return wanted
    raise DataError(_CHANGING)


def confirm(lake: Objects, execution: str, now: datetime) -> Start | None:
    """Note that an execution has begun, and return its start; None where it was not written down."""
    for _ in range(_MAX_ATTEMPTS):
        starts, etag = _read(lake)
        last = starts.last
        if last is None or last.execution != execution or last.started is not None:
            return next((start for start in starts.starts if start.execution == execution), None)
        begun = last.model_copy(update={"started": iso(now)})
        if documents.replace(lake, layout.RETRAINING, Starts(starts=[*starts.starts[:-1], begun]), etag):
            return begun
    raise DataError(_CHANGING)


_CHANGING = f"{layout.RETRAINING} kept changing: start the execution of the watch again"


def _read(lake: Objects) -> tuple[Starts, str | None]:
    try:
        found = lake.get(layout.RETRAINING)
    except ObjectNotFound:
        return Starts(), None
    return documents.parse(found.body, Starts, layout.RETRAINING), found.etag
