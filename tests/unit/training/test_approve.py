"""An approval ends once: by a person or by time, whoever of several executions and commands asks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.contract import Contract
from andamio.errors import UsageError
from andamio.release.approval import Answer, answer, find_approval, lapse
from andamio.release.history import read_history
from andamio.storage import documents, layout
from andamio.testing.tracker import MemoryTracker
from registry.approve import approval_state, ask_approval, decline
from registry.documents import RegisteredModel
from registry.news import News
from registry.record import Origin
from registry.register import promote, register
from tests.support.datasets import HEART_FOLDER, heart_cells, publish
from tests.support.runs import copied, evaluated
from training.evaluate.decide import decide

HEART = Contract.load(HEART_FOLDER)
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
WAIT = 3600
HOUR = timedelta(hours=1)
NEWS = News(MemoryEvents(), "heart")


class Asked:
    """A registered model that a person is asked about, by executions that each wait an hour."""

    def __init__(self, lake: MemoryObjects, models: MemoryObjects, run: str) -> None:
        self.models, self.run, self.tracker = models, run, MemoryTracker()
        self.decision = decide(lake, models, run).decision
        found = register(lake, models, run, self.decision, Origin("s3://lake/"), lambda _: self.tracker, NEWS, NOW)
        assert isinstance(found, RegisteredModel)
        self.release = found.release
        self.ask("first", NOW)

    def ask(self, token: str, now: datetime) -> None:
        ask_approval(self.models, self.run, self.decision, token, WAIT, NEWS, now)

    def state(self, now: datetime, *, waited: bool) -> str:
        return approval_state(self.models, self.run, self.decision, now, waited=waited).status

    def decline(self, now: datetime) -> RegisteredModel:
        return decline(self.models, self.run, self.decision, lambda _: self.tracker, NEWS, now)

    def say_yes(self, now: datetime) -> None:
        answer(self.models, self.release, Answer(approved=True, by="ada", at=now.isoformat(), reason="fine"), now)

    def kinds(self) -> list[str]:
        return [record.kind for record in read_history(self.models, "heart")]


@pytest.fixture(scope="module")
def evaluated_once() -> tuple[MemoryObjects, MemoryObjects, str]:
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, HEART, heart_cells())
    return lake, models, evaluated(lake, models, HEART)[0]


@pytest.fixture
def asked(evaluated_once: tuple[MemoryObjects, MemoryObjects, str]) -> Asked:
    lake, models, run = evaluated_once
    return Asked(copied(lake), copied(models), run)


def test_after_the_end_of_the_time_no_answer_holds_whatever_the_clock_of_the_command_says(asked: Asked) -> None:
    assert asked.state(NOW + HOUR, waited=True) == "declined"
    with pytest.raises(UsageError, match="The time to approve"):
        asked.say_yes(NOW + HOUR / 2)  # by a clock that is behind
    rejected = asked.decline(NOW + HOUR)
    assert (rejected.status, rejected.reason.startswith("Nobody approved it until")) == ("rejected", True)
    assert asked.kinds() == ["rejected"]
    assert asked.decline(NOW + 2 * HOUR) == rejected
    assert asked.kinds() == ["rejected"]


def test_an_answer_between_the_end_of_the_time_and_its_record_holds(asked: Asked) -> None:
    asked.say_yes(NOW + HOUR / 2)
    assert asked.state(NOW + HOUR, waited=True) == "approved"
    assert asked.kinds() == []


def test_of_an_answer_and_the_end_of_the_time_at_once_one_holds(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    swap, raced = documents.swap, []

    def somebody_answers_first(*said: object) -> str:
        if not raced:
            raced.append(said)
            asked.say_yes(NOW + HOUR / 2)
        return swap(*said)  # type: ignore[arg-type]

    monkeypatch.setattr(documents, "swap", somebody_answers_first)
    assert asked.state(NOW + HOUR, waited=True) == "approved"
    found = find_approval(asked.models, asked.release)
    assert found is not None
    assert not found.lapsed


def test_an_execution_that_began_before_a_time_s_end_was_written_down_is_rejected_as_well(asked: Asked) -> None:
    assert asked.state(NOW + HOUR, waited=False) == "open", "its definition does not say that it waited"
    ended = asked.decline(NOW + HOUR)
    assert ended.reason.startswith("Nobody approved it until ")
    assert (asked.kinds(), list(asked.tracker.outcomes.values())) == (["rejected"], ["rejected"])


def test_nothing_is_rejected_while_another_execution_waits(asked: Asked) -> None:
    asked.ask("second", NOW + HOUR / 2)
    assert asked.state(NOW + HOUR, waited=True) == "open"
    ended = asked.decline(NOW + HOUR)
    assert (ended.status, "goes on" in ended.reason) == ("rejected", True)
    assert (asked.kinds(), asked.tracker.outcomes) == ([], {})
    asked.say_yes(NOW + HOUR)
    assert asked.decline(NOW + HOUR).reason == ended.reason, "it was approved between the two steps"
    assert asked.state(NOW + HOUR, waited=False) == "approved"
    promote(asked.models, asked.run, asked.decision, lambda _: asked.tracker, NEWS, NOW + HOUR)
    assert asked.kinds() == ["approved", "promoted"]


def test_what_lapsed_is_asked_anew_and_stays_in_the_history(asked: Asked) -> None:
    asked.ask("second", NOW + 2 * HOUR)  # the first execution was killed while it waited
    assert asked.kinds() == ["rejected"]
    assert asked.state(NOW + 2 * HOUR, waited=False) == "open"
    later = NOW + 2 * HOUR + timedelta(minutes=1)
    asked.say_yes(later)
    promote(asked.models, asked.run, asked.decision, lambda _: asked.tracker, NEWS, later)
    assert asked.kinds() == ["rejected", "approved", "promoted"]


def test_a_decision_that_another_one_took_the_place_of_is_rejected_by_itself(asked: Asked) -> None:
    key = layout.approval(asked.release)
    found = find_approval(asked.models, asked.release)
    assert found is not None
    asked.models.put(key, found.model_copy(update={"decision": "7-another"}).to_json())
    assert asked.state(NOW + HOUR, waited=True) == "open"
    assert asked.decline(NOW + HOUR).reason.startswith("Nobody approved it until 2026-11-27T10:00")
    assert asked.kinds() == ["rejected"]
    assert lapse(asked.models, "0" * 16, asked.decision, NOW, waited=True) is None


def test_a_promotion_comes_after_its_approval_though_a_clock_is_ahead(asked: Asked) -> None:
    asked.ask("second", NOW + HOUR / 2)
    asked.say_yes(NOW + HOUR)  # by a laptop whose clock is half an hour ahead
    promote(asked.models, asked.run, asked.decision, lambda _: asked.tracker, NEWS, NOW + HOUR / 2)
    assert asked.kinds() == ["approved", "promoted"]
