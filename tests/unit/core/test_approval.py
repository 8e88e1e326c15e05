"""An approval is one document: answered once, in time, and never twice in two ways."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.errors import PreconditionFailed, UsageError
from andamio.release.approval import Answer, Approval, answer, ask, find_approval, open_approvals

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=80)


def waiting(release: str, *, hours: int = 0, problem: str = "heart", token: str = "a-token") -> Approval:
    asked = NOW + timedelta(hours=hours)
    return Approval(
        problem=problem,
        release=release,
        run="run-1",
        decision="0",
        champion=None,
        reason="better than the majority class",
        numbers={"roc_auc": 0.9},
        tokens=[token],
        asked=asked.isoformat(),
        expires=(asked + timedelta(hours=72)).isoformat(),
    )


def said(*, approved: bool, by: str = "ada") -> Answer:
    return Answer(approved=approved, by=by, at=NOW.isoformat(), reason="looked at")


@pytest.fixture
def objects() -> MemoryObjects:
    objects = MemoryObjects("models")
    ask(objects, waiting("b" * 16, hours=1))
    ask(objects, waiting("a" * 16, hours=2))
    ask(objects, waiting("c" * 16, problem="pears"))
    return objects


def test_what_waits_is_listed_the_oldest_first_until_it_is_answered_or_the_time_is_over(
    objects: MemoryObjects,
) -> None:
    assert [one.release[0] for one in open_approvals(objects, "heart", NOW)] == ["b", "a"]
    answer(objects, "b" * 16, said(approved=True), NOW)
    assert [one.release[0] for one in open_approvals(objects, "heart", NOW)] == ["a"]
    assert open_approvals(objects, "heart", LATER) == []


def test_the_same_answer_twice_is_one_answer_and_returns_the_token_again(objects: MemoryObjects) -> None:
    first = answer(objects, "a" * 16, said(approved=True), NOW)
    again = answer(objects, "a" * 16, said(approved=True, by="bob"), LATER)
    assert first == again
    assert (again.tokens, again.answer) == (["a-token"], said(approved=True))


def test_another_answer_is_told_who_answered_and_how(objects: MemoryObjects) -> None:
    answer(objects, "a" * 16, said(approved=False), NOW)
    with pytest.raises(UsageError, match=r"was declined by ada at 2026-11-27T09:00.*: looked at"):
        answer(objects, "a" * 16, said(approved=True, by="bob"), NOW)


def test_an_answer_that_comes_too_late_is_told_what_to_do(objects: MemoryObjects) -> None:
    with pytest.raises(UsageError, match=r"over at .*: it is rejected.* andamio promote aaaa"):
        answer(objects, "a" * 16, said(approved=True), LATER)
    found = find_approval(objects, "a" * 16)
    assert found is not None
    assert found.answer is None


def test_nothing_to_answer_is_said(objects: MemoryObjects) -> None:
    with pytest.raises(UsageError, match="waits for no approval"):
        answer(objects, "d" * 16, said(approved=True), NOW)


def test_of_two_answers_at_once_the_second_is_told(objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    def somebody_was_faster(*_: object, **__: object) -> str:
        raise PreconditionFailed("approvals/aaaa.json")

    monkeypatch.setattr(MemoryObjects, "put", somebody_was_faster)
    with pytest.raises(UsageError, match="at the same moment"):
        answer(objects, "a" * 16, said(approved=True), NOW)


def test_two_executions_that_ask_about_one_decision_wait_for_one_answer(objects: MemoryObjects) -> None:
    asked = ask(objects, waiting("a" * 16, hours=3, token="another-token"))
    assert asked.tokens == ["a-token", "another-token"]
    assert answer(objects, "a" * 16, said(approved=True), NOW).tokens == asked.tokens


def test_an_answer_counts_for_whoever_asks_about_the_same_decision_later(objects: MemoryObjects) -> None:
    given = answer(objects, "a" * 16, said(approved=True), NOW)
    assert ask(objects, waiting("a" * 16, hours=3, token="another-token")) == given
    assert find_approval(objects, "a" * 16) == given


def test_another_decision_about_the_release_is_asked_anew(objects: MemoryObjects) -> None:
    answer(objects, "a" * 16, said(approved=True), NOW)
    other = waiting("a" * 16, hours=3, token="another-token").model_copy(update={"decision": "7-abc"})
    assert ask(objects, other) == other
    assert open_approvals(objects, "heart", NOW)[-1] == other


def test_of_two_who_ask_at_once_neither_token_is_lost(objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    put, raced = MemoryObjects.put, []

    def somebody_asks_first(self: MemoryObjects, key: str, body: bytes, **said: object) -> str:
        if not raced:
            raced.append(key)
            ask(self, waiting("a" * 16, token="faster"))
        return put(self, key, body, **said)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryObjects, "put", somebody_asks_first)
    assert ask(objects, waiting("a" * 16, token="slower")).tokens == ["a-token", "faster", "slower"]
