"""How late captures came, and since when none did, by the listing alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.storage import layout
from andamio.storage.ports import ObjectInfo
from monitoring.evidence import Arrivals, arrivals
from monitoring.window import Window
from tests.support.capture import NOON, minutes

HOUR = timedelta(hours=1)
WINDOW = Window(NOON - 24 * HOUR, NOON)


class Lake(MemoryObjects):
    """Objects that were written when the test says, and that nobody reads."""

    def __init__(self, written: dict[str, datetime]) -> None:
        super().__init__("lake")
        self.written = written
        for key in written:
            self.put(key, b"")

    def list(self, prefix: str, **more: str) -> Iterator[ObjectInfo]:
        for info in super().list(prefix, **more):
            yield replace(info, modified=self.written[info.key])


def part(hour: datetime, number: int = 0) -> str:
    return layout.captures(hour, f"part-{number}.jsonl.gz")


def test_the_latest_delivery_of_all_hours_is_the_lag() -> None:
    """Not the newest one, and not where another of its hour was on time."""
    ten, eleven = NOON - 2 * HOUR, NOON - HOUR
    lake = Lake(
        {
            part(ten, 0): ten + minutes(10),
            part(ten, 1): ten + 6 * HOUR,
            part(eleven): eleven + minutes(62),
            layout.captured_hour(ten): ten + 9 * HOUR,
        }
    )
    assert arrivals(lake, WINDOW) == Arrivals(5 * 3600, NOON)


def test_a_delivery_within_its_hour_is_no_lag() -> None:
    assert arrivals(Lake({part(NOON - HOUR): NOON - minutes(59)}), WINDOW) == Arrivals(0.0, NOON)


def test_after_the_last_hour_with_a_delivery_it_is_silent_whatever_batches_did() -> None:
    dead = NOON - 10 * HOUR
    shard = layout.captured_shard(NOON - HOUR, "20260301T110000-0123456789ab", 0, "json")
    assert arrivals(Lake({part(dead): dead + HOUR, shard: NOON}), WINDOW).silent_since == dead + HOUR


@pytest.mark.parametrize(("batches", "silent"), [(False, WINDOW.start), (True, None)])
def test_a_window_without_a_delivery_is_silent_unless_only_batches_are_scored(
    batches: bool, silent: datetime | None
) -> None:
    shard = layout.captured_shard(NOON - HOUR, "20260301T110000-0123456789ab", 0, "parquet")
    assert arrivals(Lake({shard: NOON} if batches else {}), WINDOW) == Arrivals(None, silent)
