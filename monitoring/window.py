"""Which hours are compared: a window, what its end is made of, and the document that fixes it with its champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from andamio.errors import DataError
from andamio.storage import layout
from andamio.storage.documents import Document

SCHEDULED = "Scheduled Event"
"""The detail-type of what a rule with a rate sends."""
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Window:
    """The predictions from `start` up to `end`, in UTC; it is called by its end."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """The end in ISO 8601: `2026-11-27T18:00:00Z`."""
        return iso(self.end)

    def key(self, file: str) -> str:
        """The key of a file of this window in the lake."""
        return layout.monitoring(self.end, file)

    @property
    def whole(self) -> datetime:
        """The end of the hour that the window ends in: captures are kept by the hour."""
        return _up(self.end)


class FixedWindow(Document):
    """`window.json`: what a window is compared with, fixed when it is first asked for.

    `release` was the champion then, `since` when it was promoted; `run` made it. ISO 8601, UTC.
    """

    start: str
    end: str
    release: str
    since: str
    run: str

    def window(self) -> Window:
        """The window itself."""
        return Window(moment(self.start), moment(self.end))


def of_event(event: Mapping[str, Any], started: str, hours: int) -> Window:
    """The window that an execution is for.

    A scheduled event means the hours up to the last full one, so that an event that comes twice means the same
    window. `{"end": "2026-11-27T18:00:00Z"}` names it, anything else means up to `started`, when the execution was. A
    window begins with a full hour: the last one of a window that ends within an hour is not full.
    Raises `DataError` for an end that is no moment, or lies ahead.
    """
    begun = moment(started)
    if event.get("detail-type") == SCHEDULED:
        end = moment(str(event.get("time"))).replace(minute=0, second=0)
    elif "end" in event:
        end = moment(str(event["end"]))
        if end > begun + _HOUR:
            raise DataError(f"A window ends in the past. Got the end {iso(end)}, and it is {iso(begun)}.")
    else:
        end = begun
    return Window(_up(end) - timedelta(hours=hours), end)


def _up(when: datetime) -> datetime:
    hour = when.replace(minute=0, second=0, microsecond=0)
    return hour if hour == when else hour + _HOUR


def moment(text: str) -> datetime:
    """A moment out of ISO 8601, to the second, in UTC; raises `DataError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise DataError(f"Expected a moment with its time zone like 2026-11-27T18:00:00Z. Got {text[:40]!r}.")
    return found.astimezone(UTC).replace(microsecond=0)


def iso(when: datetime) -> str:
    """A moment in ISO 8601, to the second: `2026-11-27T18:00:00Z`."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
