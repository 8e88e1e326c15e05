"""The alarm of refused records is rarely wrong, however many windows what is usual was chosen from."""

from __future__ import annotations

import pytest

from benchmarks.watch import refused
from monitoring.drift.rejects import Refused, at_most, lowest
from tests.unit.monitoring.references import reference_rejects

WINDOWS = 150


def test_after_a_quarter_of_a_year_it_still_rings_at_most_once_in_a_hundred_windows() -> None:
    """Of ninety small windows one refuses few by chance; taken as usual as it is, one window of fifty rings."""
    found = refused.rates(200, 0.2, 90, WINDOWS)
    assert found.windows["0"] == WINDOWS
    assert found.rang["0"] <= WINDOWS / 100
    assert found.rang["0.1"] >= 0.95 * WINDOWS


def test_what_is_refused_at_most_is_sure_of_many_records_alone() -> None:
    few, many = Refused(200, 8, {}), Refused(20_000, 1200, {})
    assert 0.04 < at_most(many) < 0.08 < at_most(few)
    assert at_most(Refused(0, 0, {})) == pytest.approx(1, abs=0.05)


def test_a_small_window_that_refused_few_by_chance_is_not_what_is_usual() -> None:
    trained_on = Refused(20_000, 1200, {})
    assert lowest([reference_rejects(200, 8)], trained_on) == trained_on
    assert lowest([reference_rejects(20_000, 200)], trained_on) == Refused(20_000, 200, {})
