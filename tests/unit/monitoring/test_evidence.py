"""What a window holds: its own predictions for drift, and those that became due a label in it for performance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.summary import CaptureSummary
from andamio.contract.tables import Batch, Monitor
from andamio.feedback import Statement, keep
from andamio.release.release import Release
from andamio.storage import layout
from monitoring import compaction, evidence, words
from monitoring.captures import compact_hour, read_window
from monitoring.delivery import read, store
from monitoring.evidence import Evidence
from monitoring.feedback import StoredPredictions
from monitoring.window import Window
from tests.support.capture import NOON, RELEASE, delivery, identity, minutes, prediction
from tests.support.releases import heart

HEART = heart()
HOUR = timedelta(hours=1)


class World:
    """A lake, a predictions table, and the batches."""

    store: Literal["auto", "always", "never"] = "auto"

    def __init__(self) -> None:
        self.lake, self.table, self.batches = MemoryObjects("lake"), MemoryPredictionStore(), MemoryObjects("batch")

    def deliver(self, numbers: Sequence[int], at: datetime) -> None:
        lines = [prediction(number, at=at) for number in numbers]
        store(read(delivery(lines), HEART), HEART, self.lake, self.table)

    def predict(self, numbers: Sequence[int], at: datetime) -> None:
        self.deliver(numbers, at)
        compact_hour(self.lake, lambda version: HEART, at)

    def say(self, numbers: Sequence[int], at: datetime) -> None:
        keep(self.lake, [Statement(identity(number), None, "1") for number in numbers], at, RELEASE)

    def read(self, window: Window, **settings: Any) -> Evidence:
        found = StoredPredictions(self.table, self.batches)
        monitor, batch = Monitor(**settings), Batch(store=self.store)
        return evidence.read(self.lake, HEART, window, RELEASE, monitor, batch, found)


@pytest.fixture
def world() -> World:
    return World()


def ages(found: Evidence) -> list[float]:
    assert found.labelled is not None
    return sorted(found.labelled.age.tolist())


def test_with_a_label_delay_the_predictions_that_became_due_are_judged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for hours in (0, 1, 2, 500, 720, 721, 722):
        world.predict([hours], NOON - HOUR * hours)
    world.say([0, 720, 722], NOON + minutes(10))
    listed: list[str] = []
    plain = world.lake.list
    monkeypatch.setattr(world.lake, "list", lambda prefix, *more: listed.append(prefix) or plain(prefix, *more))
    found = world.read(Window(NOON - HOUR, NOON + HOUR), window_hours=2, label_delay_hours=720)
    assert found.labelled is not None
    assert ages(found) == [721, 722], "hours between these and the window are not looked at"
    assert sum("captures/" in prefix for prefix in listed) < 10
    assert (found.labelled.labels >= 0).sum() == 1
    assert found.labelled.waiting == found.rows_seen == 2
    assert found.truth is not None
    assert sorted(found.truth.tolist()) == [-1, 1], "a label that came early is of the window's own predictions"


@pytest.mark.parametrize("delay", [0, 1, 2, 30])
def test_what_was_delivered_late_is_there_when_its_labels_are_due(
    world: World, monkeypatch: pytest.MonkeyPatch, delay: int
) -> None:
    monkeypatch.setattr(Release, "open", lambda *_: SimpleNamespace(contract=lambda: HEART))
    end = NOON + HOUR * (delay + 2)
    world.predict(range(3), NOON)
    world.deliver(range(3, 5), NOON)
    world.deliver([5], NOON - HOUR)
    settings = {"window_hours": 2, "label_delay_hours": delay}
    deployed = heart().model_copy(update={"monitor": Monitor(**settings)})
    hours = evidence.compact(world.lake, MemoryObjects("models"), Window(end - 2 * HOUR, end), deployed)
    found = world.read(Window(end - 2 * HOUR, end), **settings)
    assert found.labelled is not None
    assert (hours, len(found.labelled.labels)) == (int(delay == 0), 5)


def test_a_window_that_is_longer_than_the_delay_counts_the_rest_of_it_as_waiting(world: World) -> None:
    world.predict(range(3), NOON)
    world.predict(range(3, 8), NOON + 2 * HOUR)
    found = world.read(Window(NOON, NOON + 3 * HOUR), window_hours=3, label_delay_hours=2)
    assert found.labelled is not None
    assert (ages(found), found.labelled.waiting, found.rows_seen) == ([3] * 3, 5, 8)


def test_without_a_delay_all_of_the_window_is_judged(world: World) -> None:
    world.predict(range(4), NOON)
    world.say([1, 2], NOON + minutes(30))
    found = world.read(Window(NOON, NOON + HOUR))
    assert found.labelled is not None
    assert found.labelled.waiting == 0
    assert np.array_equal(found.labelled.labels, found.truth)
    assert sorted(found.labelled.delay[~np.isnan(found.labelled.delay)].tolist()) == [0.5, 0.5]


def test_labels_of_a_large_window_all_count_and_drift_is_of_the_sample(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "read_window", partial(read_window, most_rows=200))
    world.predict(range(2000), NOON)
    world.say(range(150), NOON + minutes(30))
    found = world.read(Window(NOON, NOON + HOUR))
    assert found.labelled is not None
    assert (found.labelled.labels >= 0).sum() == 150
    assert found.labelled.counts.sum() == pytest.approx(2000, rel=0.2)
    assert len(found.labels) == len(found.columns["age"]) == len(found.probabilities) == pytest.approx(200, rel=0.3)
    assert found.truth is not None
    assert (found.truth >= 0).sum() < 40


def test_predictions_chosen_for_a_label_are_counted_where_a_label_can_count(world: World) -> None:
    kept = [prediction(number, audit=number < 5) for number in range(8)]
    others = [prediction(number, audit=number < 10, features=None) for number in range(8, 12)]
    store(read(delivery([*kept, *others]), HEART), HEART, world.lake, world.table)
    compact_hour(world.lake, lambda version: HEART, NOON)
    world.say([1, 2, 6], NOON + minutes(30))
    found = world.read(Window(NOON, NOON + HOUR))
    assert (found.asked, found.answered) == (5, 2), "there is no record that a label of the others could be of"
    later = Window(NOON + 2 * HOUR, NOON + 3 * HOUR)
    found = world.read(later, window_hours=1, label_delay_hours=2)
    assert (found.asked, found.answered) == (5, 2), "when their labels are due"
    assert world.read(later).asked == 0
    assert [*words.of_asked(7, 2)] == [
        "Of 7 predictions that were chosen to be labelled ([monitor] audit_share) 2 have a label, and 5 wait for one."
    ]
    assert not [*words.of_asked(2, 2)]


@pytest.mark.parametrize(("kept", "read_of_window"), [(400, 10_000), (400, 200), (10_000, 200)])
def test_where_every_chosen_prediction_has_its_label_none_waits_however_few_are_kept_and_compared(
    world: World, monkeypatch: pytest.MonkeyPatch, kept: int, read_of_window: int
) -> None:
    monkeypatch.setattr(compaction, "MOST_KEPT", kept)
    monkeypatch.setattr(compaction, "_SPARE", 50)
    monkeypatch.setattr(compaction, "_CHUNK", 64)
    monkeypatch.setattr(evidence, "read_window", partial(read_window, most_rows=read_of_window))
    chosen = range(0, 2000, 20)
    lines = [prediction(number, audit=number in chosen) for number in range(2000)]
    store(read(delivery(lines), HEART), HEART, world.lake, world.table)
    compact_hour(world.lake, lambda version: HEART, NOON)
    world.say(chosen, NOON + minutes(30))
    found = world.read(Window(NOON, NOON + HOUR))
    assert found.asked == found.answered == (100 if kept > 2000 else pytest.approx(20, abs=15))
    world.say([20 * number + 1 for number in range(50)], NOON + minutes(31))
    assert world.read(Window(NOON, NOON + HOUR)).answered == found.asked, "labels of others are no answers"


def test_of_more_labels_than_a_window_reads_the_answers_are_estimated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "read_window", partial(read_window, most_rows=500))
    lines = [prediction(number, audit=number % 2 == 0) for number in range(2000)]
    store(read(delivery(lines), HEART), HEART, world.lake, world.table)
    compact_hour(world.lake, lambda version: HEART, NOON)
    world.say([number for number in range(2000) if number % 4 < 3], NOON + minutes(30))
    found = world.read(Window(NOON, NOON + HOUR))
    assert found.labelled is not None
    assert (found.labelled.labels >= 0).sum() < 800
    assert found.asked == 1000
    assert found.answered == pytest.approx(1000, abs=5 * np.sqrt(2000))


TOMORROW = Window(NOON + 25 * HOUR, NOON + 49 * HOUR)
"""The window that looks up the labels of the day before."""


def test_labels_that_come_later_than_the_delay_lets_expect_are_told(world: World) -> None:
    world.predict(range(3), NOON - 30 * HOUR)
    world.say(range(3), NOON + 2 * HOUR)
    world.say([99], NOON + 2 * HOUR)
    found = world.read(TOMORROW)
    assert (found.late, found.orphans) == (3, 1)
    assert world.read(TOMORROW, label_delay_hours=12).late == 0


def test_without_captures_no_label_is_an_orphan(world: World) -> None:
    """The table has no prediction of the API then."""
    world.say([1], NOON + 2 * HOUR)
    assert world.read(TOMORROW).orphans == 1
    assert world.read(TOMORROW, capture="none").orphans == 0


def test_where_batches_are_not_in_the_table_a_record_that_it_does_not_have_is_no_orphan(world: World) -> None:
    keep(world.lake, [Statement(None, "somebody", "1")], NOON + 2 * HOUR, RELEASE)
    assert world.read(TOMORROW).orphans == 1
    world.store = "never"
    assert world.read(TOMORROW).orphans == 0
    world.store = "auto"
    body = CaptureSummary(made_of="", releases=()).to_json()
    world.lake.put(layout.captures(NOON + 30 * HOUR, "batch-20261121T100000-0123456789ab-0.json"), body)
    assert world.read(TOMORROW).orphans == 0
    world.store = "always"
    assert world.read(TOMORROW).orphans == 1


def test_one_label_without_a_prediction_is_no_labels() -> None:
    (finding,) = words.of_orphans(1, "2026-11-27T18:00:00Z")
    assert (finding.alarm, finding.message) == (False, "1 label for no prediction or record that is known.")
