"""Labels of an hour in one file: what is read is what would be read without it."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.errors import DocumentError
from andamio.feedback import Statement, keep
from andamio.storage import layout
from monitoring.received import LATE, compact_feedback, read_feedback

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FILE = layout.feedback_hour(NOON)
CLOSED = NOON + timedelta(hours=1) + LATE
DAY = timedelta(days=1)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def say(lake: MemoryObjects, minutes: float, *said: tuple[str, str]) -> str:
    """Keep one request, and return its key."""
    name = keep(lake, [Statement(prediction, None, label) for prediction, label in said], at(minutes), "v1")
    return layout.feedback(at(minutes), f"{name}.jsonl")


@pytest.fixture
def lake() -> MemoryObjects:
    """Three requests of the hour that begins at noon, one of the next, one of the day after."""
    lake = MemoryObjects()
    say(lake, 1, ("a", "ill"), ("b", "healthy"))
    say(lake, 40, ("a", "healthy"))
    say(lake, 59, ("c", "ill"))
    say(lake, 60, ("d", "ill"))
    say(lake, 24 * 60, ("e", "ill"))
    return lake


class Read(MemoryObjects):
    """The same objects, of which it is noted what is read."""

    def __init__(self, lake: MemoryObjects) -> None:
        super().__init__()
        self._versions = lake._versions
        self.read: list[str] = []

    def get(self, key: str, *, version: str | None = None) -> object:  # type: ignore[override]
        """Note the key."""
        self.read.append(key)
        return super().get(key, version=version)


def read_keys(lake: MemoryObjects, minutes: float = 60) -> list[str]:
    """What is read for the labels of so many minutes from noon."""
    noted = Read(lake)
    read_feedback(noted, NOON, at(minutes))
    return noted.read


def test_an_hour_is_read_from_one_file_and_says_what_its_objects_said(lake: MemoryObjects) -> None:
    before = read_feedback(lake, NOON, NOON + 2 * DAY)
    assert compact_feedback(lake, NOON, CLOSED) == 1
    assert read_feedback(lake, NOON, NOON + 2 * DAY) == before
    assert read_keys(lake, 59.5) == [FILE]
    assert [one.prediction_id for one in read_feedback(lake, at(30), at(59))] == ["a"], "as long as was asked for"


def test_only_hours_that_are_over_for_15_minutes_and_have_two_objects_become_a_file(lake: MemoryObjects) -> None:
    assert compact_feedback(lake, NOON, CLOSED - timedelta(seconds=1)) == 0
    assert compact_feedback(lake, at(60), CLOSED + 2 * DAY) == 0
    assert compact_feedback(lake, NOON, CLOSED + 2 * DAY) == 1
    assert [info.key for info in lake.list(layout.FEEDBACK_HOURS)] == [FILE]
    assert FILE == "feedback/hours/dt=2026-11-21/hour=12.jsonl.gz"


def test_a_file_is_written_once_and_is_the_same_bytes_whoever_writes_it(lake: MemoryObjects) -> None:
    assert compact_feedback(lake, NOON, CLOSED) == 1
    first = lake.get(FILE)
    assert first.body[4:8] == bytes(4), "the time at which it was packed"
    noted = Read(lake)
    assert compact_feedback(noted, NOON, CLOSED) == 0
    assert not noted.read
    assert lake.get(FILE).version == first.version
    lake.delete(FILE)
    assert compact_feedback(lake, NOON, CLOSED) == 1
    assert lake.get(FILE).body == first.body


def test_what_is_written_late_is_read_beside_the_file_and_counts_once(lake: MemoryObjects) -> None:
    compact_feedback(lake, NOON, CLOSED)
    late = say(lake, 58, ("f", "ill"))
    again = say(lake, 59.5, ("a", "healthy"))  # the request of 40 minutes past, word for word: the same object
    found = read_feedback(lake, NOON, at(60))
    assert [(one.prediction_id, one.received) for one in found] == [
        ("a", at(1)),
        ("b", at(1)),
        ("f", at(58)),
        ("c", at(59)),
        ("a", at(59.5)),
    ]
    assert sorted(read_keys(lake, 59.9)) == sorted([FILE, late, again])


def test_labels_that_were_deleted_are_not_read_from_the_file(lake: MemoryObjects) -> None:
    key = say(lake, 2, ("g", "ill"))
    compact_feedback(lake, NOON, CLOSED)
    lake.delete(key)
    assert [one.prediction_id for one in read_feedback(lake, NOON, at(60))] == ["a", "b", "a", "c"]


def test_a_label_s_object_that_is_none_is_named_whether_it_was_copied_or_not(lake: MemoryObjects) -> None:
    lake.put(layout.feedback(NOON, "f.jsonl"), b'{"label": "ill"}\nno json')
    for _ in range(2):
        with pytest.raises(DocumentError, match=r"feedback/dt=2026-11-21/hour=12/f\.jsonl, line 1"):
            read_feedback(lake, NOON, at(60))
        compact_feedback(lake, NOON, CLOSED)


@pytest.mark.parametrize(
    "body",
    [
        b"no gzip",
        gzip.compress(b"no json\n"),
        gzip.compress(b"{}\n"),
        gzip.compress(json.dumps({"object": "x", "etag": "y", "lines": 2}).encode() + b"\nline\n"),
        gzip.compress(b"{}\n" * 1000)[:-9],
    ],
    ids=["no gzip", "no JSON", "of nothing", "lines are missing", "cut off"],
)
def test_a_file_that_is_none_is_named_with_what_to_do(lake: MemoryObjects, body: bytes) -> None:
    lake.put(FILE, body)
    with pytest.raises(DocumentError, match=r"hour=12\.jsonl\.gz is no file .* Delete it"):
        read_feedback(lake, NOON, at(60))


def test_many_small_requests_are_read_in_the_order_in_which_they_came() -> None:
    lake = MemoryObjects()
    for second in range(0, 3600, 9):
        say(lake, second / 60, (f"p{second}", "ill"))
    before = read_feedback(lake, NOON, at(60))
    assert [one.received for one in before] == sorted(one.received for one in before)
    compact_feedback(lake, NOON, CLOSED)
    assert read_feedback(lake, NOON, at(60)) == before
    assert read_keys(lake, 59.9) == [FILE]
