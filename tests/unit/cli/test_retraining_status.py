"""What `andamio status` says of retraining."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import monitor
from andamio.storage import layout
from monitoring.window import iso
from rollout.retraining import lock
from rollout.retraining.lock import Start

NOW = datetime.now(UTC)
DEPLOYED: dict[str, Any] = {"buckets": {"lake": "lake"}}


@pytest.fixture
def lake(monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    lake = MemoryObjects("lake")
    monkeypatch.setattr(monitor, "account_of", lambda _: SimpleNamespace(objects=lambda _: lake))
    return lake


def test_where_nothing_was_started_there_is_no_row(lake: MemoryObjects) -> None:
    assert list(monitor._retraining(DEPLOYED)) == []


def test_the_last_start_and_its_reason_are_shown(lake: MemoryObjects) -> None:
    start = Start(release="r1", window=iso(NOW), execution="retrain-r1", reason="drift [here]", since=iso(NOW))
    lock.take(lake, start, lambda _: None, NOW)
    assert list(monitor._retraining(DEPLOYED)) == [("retraining", "is about to start, because of drift \\[here]")]
    lock.confirm(lake, "retrain-r1", NOW)
    ((_, said),) = monitor._retraining(DEPLOYED)
    assert said.startswith("started ")


def test_a_lock_that_cannot_be_read_is_said(lake: MemoryObjects) -> None:
    lake.put(layout.RETRAINING, b"no document")
    ((name, said),) = monitor._retraining(DEPLOYED)
    assert name == "retraining"
    assert layout.RETRAINING in said
