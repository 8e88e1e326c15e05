"""One training at a time: whoever asks, however often, and wherever it dies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from andamio.adapters.memory import MemoryObjects
from monitoring.window import iso
from rollout.retraining import lock
from rollout.retraining.lock import GRACE, Start, Starts

NOW = datetime(2026, 11, 27, 18, tzinfo=UTC)


def wanted(window: datetime = NOW, release: str = "r1") -> Start:
    name = iso(window)
    return Start(release=release, window=name, execution=f"retrain-{release}-{name}", reason="drift", since=iso(NOW))


def one_only(starts: Starts) -> str | None:
    return "another one" if starts.starts else None


def anything(starts: Starts) -> str | None:
    return None


def test_of_monitors_of_many_windows_at_once_one_gets_it() -> None:
    lake = MemoryObjects("lake")
    windows = [NOW + timedelta(minutes=minutes) for minutes in range(16)]
    with ThreadPoolExecutor(8) as at_once:
        found = list(at_once.map(lambda window: lock.take(lake, wanted(window), one_only, NOW), windows))
    assert sum(isinstance(one, Start) for one in found) == 1
    assert len(lock.read(lake).starts) == 1


def test_the_same_window_again_gets_the_same_execution() -> None:
    lake = MemoryObjects("lake")
    first = lock.take(lake, wanted(), one_only, NOW)
    later = wanted().model_copy(update={"since": iso(NOW + timedelta(minutes=9))})
    assert lock.take(lake, later, one_only, NOW + timedelta(minutes=9)) == first
    begun = lock.confirm(lake, wanted().execution, NOW)
    assert begun is not None
    assert lock.take(lake, later, one_only, NOW) == begun == lock.confirm(lake, wanted().execution, NOW + GRACE)


def test_what_a_dead_monitor_left_is_taken_over_by_the_same_name() -> None:
    lake = MemoryObjects("lake")
    first = lock.take(lake, wanted(), one_only, NOW)
    next_window = wanted(NOW + GRACE)
    assert lock.take(lake, next_window, one_only, NOW + GRACE - timedelta(seconds=1)) == "another one"
    assert lock.take(lake, next_window, one_only, NOW + GRACE) == first


def test_an_execution_that_nobody_claimed_is_not_confirmed() -> None:
    lake = MemoryObjects("lake")
    assert lock.confirm(lake, "retrain-r1-x", NOW) is None
    assert not list(lake.list(""))


def test_starts_of_more_than_a_week_ago_are_forgotten() -> None:
    lake = MemoryObjects("lake")
    for days in range(0, 30, 3):
        now = NOW + timedelta(days=days)
        start = wanted(now).model_copy(update={"since": iso(now)})
        assert lock.take(lake, start, anything, now) == start
        assert lock.confirm(lake, start.execution, now) is not None
    assert [start.window for start in lock.read(lake).starts] == [
        iso(NOW + timedelta(days=days)) for days in (21, 24, 27)
    ]
