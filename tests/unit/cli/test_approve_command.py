"""`andamio approve`: the answer is written first, and then told to the execution that waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import approve
from andamio.errors import UsageError
from andamio.release.approval import ask, find_approval
from tests.unit.core.test_approval import waiting

DEPLOYED = {"problem": "heart", "buckets": {"models": "models"}}


class Account:
    """An account whose executions wait for a token, or no more."""

    def __init__(self, *, waits: bool = True) -> None:
        self.models = MemoryObjects("models")
        self.waits = waits
        self.told: list[tuple[str, Any]] = []

    def objects(self, bucket: str) -> MemoryObjects:
        return self.models

    def end_task(self, token: str, output: dict[str, Any]) -> bool:
        self.told.append((token, output))
        return self.waits


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Account:
    found = Account()
    monkeypatch.setattr(approve, "account_of", lambda deployed: found)
    return found


def put(account: Account, *releases: str) -> None:
    hours = round((datetime.now(UTC) - datetime(2026, 11, 27, 9, tzinfo=UTC)) / timedelta(hours=1))
    for number, release in enumerate(releases):
        ask(account.models, waiting(release, hours=hours, token=f"token-{number}"))


@pytest.mark.parametrize("approved", [True, False])
def test_the_only_one_that_waits_is_answered(
    account: Account, approved: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    put(account, "a" * 16)
    approve.respond(DEPLOYED, None, approved=approved, reason="  it is\n fine ")
    assert account.told == [("token-0", {"approved": approved})]
    found = find_approval(account.models, "a" * 16)
    assert found is not None
    assert found.answer is not None
    assert (found.answer.approved, found.answer.reason) == (approved, "it is fine")
    assert f"Release {'a' * 16} is {'approved' if approved else 'declined'}" in " ".join(
        capsys.readouterr().err.split()
    )


def test_of_several_one_has_to_be_named(account: Account) -> None:
    put(account, "a" * 16, "b" * 16)
    with pytest.raises(UsageError, match=r"2 releases wait for approval: name one(.|\n)*aaaa(.|\n)*bbbb"):
        approve.respond(DEPLOYED, None, approved=True, reason="")
    assert account.told == []
    approve.respond(DEPLOYED, "b" * 16, approved=True, reason="")
    assert account.told == [("token-1", {"approved": True})]


def test_where_nothing_waits_it_is_said_how_it_would(account: Account) -> None:
    with pytest.raises(UsageError, match='approve = "manual" in \\[release\\]'):
        approve.respond(DEPLOYED, None, approved=True, reason="")


def test_a_training_that_waits_no_more_is_said(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    put(account, "a" * 16)
    account.waits = False
    approve.respond(DEPLOYED, None, approved=True, reason="")
    said = " ".join(capsys.readouterr().err.split())
    assert "no training waits for it any more" in said
    assert "it serves in a moment" not in said


def test_status_names_what_waits_with_the_command(account: Account, capsys: pytest.CaptureFixture[str]) -> None:
    put(account, "a" * 16)
    approve.show_open(DEPLOYED)
    said = " ".join(capsys.readouterr().err.split())
    assert f"andamio approve {'a' * 16} --decline" in said
    assert "better than the majority class" in said


def test_a_reason_of_a_page_is_refused(account: Account) -> None:
    put(account, "a" * 16)
    with pytest.raises(UsageError, match="up to 500 characters"):
        approve.respond(DEPLOYED, None, approved=True, reason="x" * 501)
    assert account.told == []
