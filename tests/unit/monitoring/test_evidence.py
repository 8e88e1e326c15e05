"""What a window holds: its own predictions for drift, and those that became due a label in it for performance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
import pytest

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract.tables import Monitor
from andamio.feedback import Statement, keep
from monitoring import evidence
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

    def __init__(self) -> None:
        self.lake, self.table, self.batches = MemoryObjects("lake"), MemoryPredictionStore(), MemoryObjects("batch")

    def predict(self, numbers: Sequence[int], at: datetime, **more: Any) -> None:
        lines = [prediction(number, at=at, **more) for number in numbers]
        store(read(delivery(lines), HEART), HEART, self.lake, self.table)
        compact_hour(self.lake, lambda version: HEART, at)

    def say(self, numbers: Sequence[int], at: datetime) -> None:
        keep(self.lake, [Statement(identity(number), None, "1") for number in numbers], at, RELEASE)

    def read(self, window: Window, **settings: Any) -> Evidence:
        found = StoredPredictions(self.table, self.batches)
        return evidence.read(self.lake, HEART, window, RELEASE, Monitor(**settings), found)


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
