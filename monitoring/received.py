"""The true labels that came in a time, as they lie in the lake: no capture is read, and so no pyarrow needed.

Each request is an object. Those of an hour that is over are copied into one file, which is read in their place. The
objects stay, and a listing of them says what counts: an object that the file does not have as it is now, because it
was written later, is read itself, and a copy of an object that is gone is not read.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import batched, groupby, islice

from andamio.errors import DocumentError
from andamio.feedback import Feedback, read
from andamio.storage import layout
from andamio.storage.ports import Objects

LATE = timedelta(minutes=15)
"""After the end of its hour, when labels are copied: a request is written seconds after it came."""
_READERS = 16
_AT_ONCE = 32
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Labels:
    """An object of labels, or all objects of an hour (ETags by key) with the file that they were copied into."""

    objects: Mapping[str, str]
    copied: str | None = None

    @property
    def key(self) -> str:
        """What is read first."""
        return self.copied or next(iter(self.objects))


def read_feedback(lake: Objects, start: datetime, end: datetime) -> list[Feedback]:
    """The labels that came from `start` to before `end`, in the order in which they came.

    Raises `DocumentError` for an object that cannot be read. A label takes about 300 bytes of memory.
    """
    found: list[Feedback] = []
    with ThreadPoolExecutor(_READERS) as readers:

        def bodies(keys: Iterator[str]) -> Iterator[bytes]:
            return readers.map(lambda key: lake.get(key).body, keys)

        def take(key: str, body: bytes) -> None:
            found.extend(one for one in read(key, body) if start <= one.received < end)

        for some in batched(_sources(lake, start, end), _AT_ONCE, strict=False):  # so many bodies are held at once
            for labels, body in zip(some, bodies(one.key for one in some), strict=True):
                if labels.copied is None:
                    take(labels.key, body)
                    continue
                later = dict(labels.objects)
                for key, etag, copy in _copies(labels.copied, body):
                    if later.get(key) == etag:
                        del later[key]
                        take(key, copy)
                for key, own in zip(later, bodies(iter(later)), strict=True):
                    take(key, own)
    found.sort(key=lambda one: one.received)  # stable: of one request the later entry stays the later
    return found


def compact_feedback(lake: Objects, start: datetime, before: datetime) -> int:
    """Copy the labels of each hour from `start` that ended 15 minutes `before` or earlier into one file.

    A file is written once, and not for a single object. Returns how many were written.
    """
    written = 0
    for hour, objects, copied in _hours(lake, start, before - LATE - _HOUR):
        if copied is None and len(objects) > 1:
            written += lake.put_new(layout.feedback_hour(hour), _copied(lake, objects), content_type="application/gzip")
    return written


def _copied(lake: Objects, objects: Mapping[str, str]) -> bytes:
    """A file of objects: of each a line with its key, ETag and number of lines, and then its lines as they are."""
    packed = BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as file,
        ThreadPoolExecutor(_READERS) as readers,
    ):
        for some in batched(objects, _AT_ONCE, strict=False):
            for key, stored in zip(some, readers.map(lake.get, some), strict=True):
                lines = stored.body.splitlines()
                about = {"object": key, "etag": stored.etag, "lines": len(lines)}
                file.writelines(line + b"\n" for line in [json.dumps(about).encode(), *lines])
    return packed.getvalue()


def _copies(key: str, body: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Key, ETag and bytes of the objects that a file was made of; raises `DocumentError`."""
    try:
        with gzip.GzipFile(fileobj=BytesIO(body)) as file:
            for line in file:
                about = json.loads(line)
                name, etag, count = about["object"], about["etag"], int(about["lines"])
                lines = [*islice(file, count)]
                if len(lines) != count:
                    raise EOFError
                yield name, etag, b"".join(lines)
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        raise DocumentError(
            f"{key} is no file of an hour's labels ({type(error).__name__}). Delete it: the labels themselves lie "
            f"under {layout.FEEDBACK_REQUESTS}, and the watch makes it again."
        ) from error


def _sources(lake: Objects, start: datetime, end: datetime) -> Iterator[_Labels]:
    for _, objects, copied in _hours(lake, start, end):
        if copied is None:
            yield from (_Labels({key: etag}) for key, etag in objects.items())
        else:
            yield _Labels(objects, copied)


def _hours(lake: Objects, start: datetime, end: datetime) -> Iterator[tuple[datetime, dict[str, str], str | None]]:
    """The hours that have labels, from that of `start` to that of `end`: their objects, and the file that copies them.

    Day by day: emulators do not agree where a listing after a key begins.
    """
    first, last = layout.feedback(start), layout.feedback(end)
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= end:
        hours = {layout.feedback(hour): hour for hour in (day + count * _HOUR for count in range(24))}
        copies = {info.key for info in lake.list(f"{layout.FEEDBACK_HOURS}dt={day:%Y-%m-%d}/")}
        listed = lake.list(f"{layout.FEEDBACK_REQUESTS}{day:%Y-%m-%d}/")
        for folder, infos in groupby(listed, key=lambda info: info.key.rpartition("/")[0] + "/"):
            if folder in hours and first <= folder <= last:
                copied = layout.feedback_hour(hours[folder])
                yield hours[folder], {info.key: info.etag for info in infos}, copied if copied in copies else None
        day += timedelta(days=1)
