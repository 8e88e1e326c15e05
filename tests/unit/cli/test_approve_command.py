"""`andamio approve`: the answer is written first, and then told to the execution that waits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import approve, history
from andamio.cli.models.serving import who
from andamio.errors import AccessRefused, AwsError, UsageError
from andamio.release.approval import ask, find_approval
from andamio.release.history import read_history
from andamio.storage import layout
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
    (record,) = read_history(account.models, "heart")
    assert (record.kind, record.by) == ("approved" if approved else "rejected", who())
    assert record.reason == ("it is fine" if approved else f"Declined by {who()}: it is fine")
    assert (record.release, record.before, record.at) == ("a" * 16, None, found.answer.at)
    assert (record.run, record.decision, record.numbers) == ("run-1", "0", {"roc_auc": 0.9})
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


@pytest.mark.parametrize("approved", [True, False])
def test_killed_before_the_record_the_same_command_writes_it_and_once(
    account: Account, monkeypatch: pytest.MonkeyPatch, approved: bool
) -> None:
    put(account, "a" * 16)
    put_new = MemoryObjects.put_new

    def dies(self: MemoryObjects, key: str, body: bytes, **said: Any) -> bool:
        if key.startswith(layout.DECISIONS):
            raise KeyboardInterrupt
        return put_new(self, key, body, **said)

    with monkeypatch.context() as patch:
        patch.setattr(MemoryObjects, "put_new", dies)
        with pytest.raises(KeyboardInterrupt):
            approve.respond(DEPLOYED, "a" * 16, approved=approved, reason="fine")
    assert account.told == [("token-0", {"approved": approved})]
    assert read_history(account.models, "heart") == []
    for reason in ("fine", "once more"):
        approve.respond(DEPLOYED, "a" * 16, approved=approved, reason=reason)
    (record,) = read_history(account.models, "heart")
    assert record.reason.endswith("fine"), "the first answer holds"


def test_an_answer_that_comes_too_late_is_told_so_and_writes_nothing(account: Account) -> None:
    """The clock of this machine may be ahead: that nobody answered in time is for those who waited to say."""
    ask(account.models, waiting("a" * 16, hours=-10_000))
    before = [info.etag for info in account.models.list("")]
    with pytest.raises(UsageError, match="The time to approve"):
        approve.respond(DEPLOYED, "a" * 16, approved=True, reason="")
    assert [info.etag for info in account.models.list("")] == before
    found = find_approval(account.models, "a" * 16)
    assert found is not None
    assert found.answer is None


@pytest.mark.parametrize("waits", [True, False])
def test_without_the_right_to_write_the_record_the_answer_holds_and_it_is_said_who_writes_it(
    account: Account, monkeypatch: pytest.MonkeyPatch, waits: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    put(account, "a" * 16)
    account.waits = waits
    put_new = MemoryObjects.put_new

    def refused(self: MemoryObjects, key: str, body: bytes, **said: Any) -> bool:
        if key.startswith(layout.DECISIONS):
            raise AccessRefused("s3:PutObject on decisions/ is not allowed")
        return put_new(self, key, body, **said)

    monkeypatch.setattr(MemoryObjects, "put_new", refused)
    approve.respond(DEPLOYED, "a" * 16, approved=True, reason="fine")
    said = " ".join(capsys.readouterr().err.split())
    assert "is approved: that holds. Its record" in said
    assert "s3:PutObject on decisions/" in said
    assert ("The training that waits writes it" in said) == waits
    assert ("The next training of the same data writes it" in said) != waits


def test_without_the_right_to_tell_who_waits_the_answer_and_its_record_are_written(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(account, "a" * 16)

    def refused(token: str, output: dict[str, Any]) -> bool:
        raise AwsError("Step Functions does not take the answer: AccessDeniedException")

    monkeypatch.setattr(account, "end_task", refused)
    with pytest.raises(AwsError, match=r"is declined: that holds. But .* AccessDenied.* after 20"):
        approve.respond(DEPLOYED, "a" * 16, approved=False, reason="no")
    assert [record.kind for record in read_history(account.models, "heart")] == ["rejected"]


def test_the_history_shows_an_approval_with_its_reason(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(account, "a" * 16)
    approve.respond(DEPLOYED, None, approved=True, reason="it was looked at")
    monkeypatch.setattr(history, "account_of", lambda deployed: account)
    history.show(DEPLOYED, 20, as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert f"approved {'a' * 16} by {who()}: it was looked at" in said
    assert "roc_auc 0.900" in said


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
