"""Labels that came, as the lake keeps them, with nothing but the lake: functions without Arrow read them too."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import batched

from andamio.feedback import Feedback, read
from andamio.storage import layout
from andamio.storage.ports import Objects

_READERS = 16
_AT_ONCE = 512


def read_feedback(lake: Objects, start: datetime, end: datetime) -> list[Feedback]:
    """The labels that came from `start` to before `end`, in the order in which they came.

    Raises `DocumentError` for an object that cannot be read. A label takes about 300 bytes of memory.
    """
    keys = _keys(lake, start, end)
    found: list[Feedback] = []
    with ThreadPoolExecutor(_READERS) as readers:
        for some in batched(keys, _AT_ONCE, strict=False):  # the bodies of so many objects are held at once, at most
            for key, body in zip(some, readers.map(lambda key: lake.get(key).body, some), strict=True):
                found.extend(one for one in read(key, body) if start <= one.received < end)
    found.sort(key=lambda one: one.received)  # stable: of one request the later entry stays the later
    return found


def _keys(lake: Objects, start: datetime, end: datetime) -> Iterator[str]:
    """The objects of the hours of a time, day by day: emulators do not agree where a listing after a key begins."""
    first, last = layout.feedback(start), layout.feedback(end)
    day = start.astimezone(UTC).date()
    while day <= end.astimezone(UTC).date():
        for info in lake.list(f"{layout.FEEDBACK}dt={day.isoformat()}/"):
            if info.key > first and (info.key < last or info.key.startswith(last)):
                yield info.key
        day += timedelta(days=1)
