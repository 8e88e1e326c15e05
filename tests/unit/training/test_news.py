"""What the registry tells: the notice to the person who approves carries what the gate has decided on."""

from __future__ import annotations

from andamio.adapters.memory import MemoryEvents
from andamio.release.approval import Approval
from registry.news import News

APPROVAL = Approval(
    problem="heart",
    release="1e6d4125e04befe0",
    run="run-1",
    decision="d1",
    champion="5c6028fec1d43b95",
    reason="On 61 rows that no training run saw, roc_auc is 0.912, 0.031 above the champion's.",
    numbers={"roc_auc": 0.9123, "probability": 0.973},
    tokens=["a-secret-token"],
    asked="2026-11-27T18:00:00+00:00",
    expires="2026-11-28T18:00:00+00:00",
)


def test_the_notice_of_an_approval_says_what_to_do_until_when_why_and_by_which_numbers() -> None:
    events = MemoryEvents()
    News(events, "heart").asked(APPROVAL)
    (event,) = events.sent
    assert (event.kind, event.detail.release) == ("Approval needed", APPROVAL.release)
    for said in (f"andamio approve {APPROVAL.release}", APPROVAL.expires, APPROVAL.reason, "roc_auc 0.912", "0.97"):
        assert said in event.detail.message
    assert "a-secret-token" not in repr(event)


def test_the_notice_is_sent_once_a_question_and_again_when_it_is_asked_again() -> None:
    events = MemoryEvents()
    News(events, "heart").asked(APPROVAL)
    News(events, "heart").asked(APPROVAL)
    later = APPROVAL.model_copy(update={"asked": "2026-11-29T18:00:00+00:00"})
    News(events, "heart").asked(later)
    first, second, third = (event.detail.id for event in events.sent)
    assert first == second != third
