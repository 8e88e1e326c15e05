"""Which hours an execution is for."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.errors import DataError
from monitoring import history
from monitoring.report import REPORT
from monitoring.window import Window, iso, of_event

STARTED = "2026-11-27T18:20:31.402Z"


def window(end: str, hours: int = 24) -> Window:
    return of_event({"end": end}, "2026-12-31T00:00:00Z", hours)


def test_a_scheduled_event_means_the_hours_up_to_the_last_full_one_whenever_it_is_handled() -> None:
    event = {"detail-type": "Scheduled Event", "time": "2026-11-27T18:07:12Z"}
    for started in (STARTED, "2026-11-27T19:59:00Z"):
        found = of_event(event, started, 24)
        assert (iso(found.start), found.name) == ("2026-11-26T18:00:00Z", "2026-11-27T18:00:00Z")


def test_a_start_by_hand_means_up_to_now_or_up_to_the_end_that_it_names() -> None:
    assert of_event({}, STARTED, 2).name == "2026-11-27T18:20:31Z"
    assert iso(of_event({"end": "2026-11-27T17:00:00+01:00"}, STARTED, 2).start) == "2026-11-27T14:00:00Z"
    assert iso(of_event({}, STARTED, 2).start) == "2026-11-27T17:00:00Z", "one full hour, and the one that has begun"


@pytest.mark.parametrize("end", ["2026-11-28T18:00:00Z", "yesterday", "2026-11-27T18:00:00", ""])
def test_an_end_that_is_no_moment_of_the_past_is_refused(end: str) -> None:
    with pytest.raises(DataError, match="2026-11-2"):
        of_event({"end": end}, STARTED, 24)


def test_windows_that_count_for_persistence_share_no_prediction() -> None:
    lake = MemoryObjects("lake")
    for day, hour in [(day, hour) for day in (24, 25, 26, 27) for hour in (0, 6, 12, 18)]:
        moment = datetime(2026, 11, day, hour, tzinfo=UTC)
        lake.put(Window(moment, moment).key(REPORT), b"{}")
        lake.put(Window(moment, moment).key("report.html"), b"")
    now = window("2026-11-27T12:00:00Z")
    ends = history.ends_before(lake, now, 3)
    assert iso(ends[-1]) == "2026-11-27T06:00:00Z"
    assert [iso(end) for end in history.apart(now, ends, 3)] == ["2026-11-26T12:00:00Z", "2026-11-25T12:00:00Z"]
    assert history.apart(now, ends, 1) == []


def test_short_windows_that_lie_a_day_apart_are_found() -> None:
    lake = MemoryObjects("lake")
    days = [datetime(2026, 11, day, 12, tzinfo=UTC) for day in (24, 25, 26, 27)]
    for moment in days:
        lake.put(Window(moment, moment).key(REPORT), b"{}")
    now = window("2026-11-27T12:00:00Z", hours=4)
    ends = history.ends_before(lake, now, 3)
    assert ends[-2:] == history.apart(now, ends, 3)[::-1] == days[1:3]
    assert history.near(now, ends[-1]), "an alarm of yesterday goes on"
