"""A promotion that waits for a person: approved, declined, not answered, asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from andamio.contract import Contract
from andamio.errors import UsageError
from andamio.release.approval import Answer, Approval, answer, find_approval, open_approvals
from andamio.release.history import read_history, record_approval
from andamio.release.pointer import read_pointer
from andamio.testing.tracker import MemoryTracker
from rollout.promote import promote
from tests.support.datasets import heart_cells, publish

from .cloud import Cloud, account
from .conftest import HEART, deploy_training

LINEAR = {"families": ["logistic_regression"], "trials": 1}
MORE = {"ANDAMIO_TRACKING_URI": "memory", "ANDAMIO_LOCK": "10c" * 21 + "1"}


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> MemoryTracker:
    memory = MemoryTracker()
    monkeypatch.setattr("registry.mlflow.MlflowTracker", lambda *_: memory)
    return memory


@pytest.fixture
def cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: MemoryTracker
) -> Iterator[Cloud]:
    """An account with training deployed under a contract that asks for approval; `param`: how many seconds it waits."""
    with account(HEART, tmp_path, monkeypatch, MORE) as deployed:
        text = (HEART / "problem.toml").read_text() + '\n[release]\napprove = "manual"\n'
        deployed.contract(text)
        deploy_training(deployed, approval_seconds=getattr(request, "param", 60))
        publish(deployed.lake, Contract.from_toml(text), heart_cells())
        yield deployed


def asked(cloud: Cloud) -> Approval:
    """What waits for an answer, as soon as something does."""
    deadline, tick = 120, threading.Event()
    for _ in range(deadline * 10):
        if waiting := open_approvals(cloud.models, "heart", datetime.now(UTC)):
            return waiting[0]
        tick.wait(0.1)
    raise AssertionError("nothing was asked")


def say(cloud: Cloud, *, approved: bool) -> Callable[[], Any]:
    """Answer as `andamio approve` does."""

    def answered() -> None:
        release = asked(cloud).release
        now = datetime.now(UTC)
        given = Answer(approved=approved, by="ada", at=now.isoformat(timespec="seconds"), reason="she has looked")
        for token in answer(cloud.models, release, given, now).tokens:
            with suppress(ClientError):  # of an execution that ended
                boto3.client("stepfunctions").send_task_success(taskToken=token, output="{}")

    return answered


def run_while(cloud: Cloud, does: Callable[[], Any]) -> Any:
    arn = cloud.start("train", LINEAR)
    does()
    return cloud.ended(arn)


def test_what_is_approved_serves_and_the_history_says_by_whom(cloud: Cloud, tracker: MemoryTracker) -> None:
    ended = run_while(cloud, say(cloud, approved=True))
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "promoted")
    champion = read_pointer(cloud.models, "heart")[0].champion
    assert champion is not None
    assert champion.release == ended.output["release"]
    approved, promoted = read_history(cloud.models, "heart")
    assert (approved.kind, approved.by, approved.reason) == ("approved", "ada", "she has looked")
    assert (promoted.kind, promoted.by) == ("promoted", "the gate, approved by ada")
    for name in ("release", "before", "run", "decision", "numbers"):
        assert getattr(approved, name) == getattr(promoted, name), name
    assert tracker.aliases == {"champion": "1"}


def test_nothing_serves_while_it_waits_and_what_is_declined_does_not_serve(
    cloud: Cloud, tracker: MemoryTracker
) -> None:
    def declined() -> None:
        approval = asked(cloud)
        assert read_pointer(cloud.models, "heart")[0].champion is None
        assert "majority class" in approval.reason
        assert approval.numbers["roc_auc"] > 0.8
        say(cloud, approved=False)()
        with pytest.raises(UsageError, match=r"was declined by ada at .*: she has looked"):
            say_yes(cloud, approval.release)

    ended = run_while(cloud, declined)
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "rejected")
    assert ended.output["reason"] == "Declined by ada: she has looked"
    assert read_pointer(cloud.models, "heart")[0].champion is None
    (record,) = read_history(cloud.models, "heart")
    assert (record.kind, record.by, record.release) == ("rejected", "ada", ended.output["release"])
    approval = find_approval(cloud.models, record.release)
    assert approval is not None
    assert record_approval(cloud.models, approval) == record, "andamio approve writes the same one"
    assert tracker.aliases == {"challenger": "1"}
    assert set(tracker.outcomes.values()) == {"rejected"}


def say_yes(cloud: Cloud, release: str) -> Approval:
    now = datetime.now(UTC)
    return answer(cloud.models, release, Answer(approved=True, by="bob", at=now.isoformat(), reason=""), now)


@pytest.mark.parametrize("cloud", [2], indirect=True)
def test_without_an_answer_it_is_rejected_and_a_late_one_is_told_so(cloud: Cloud) -> None:
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "rejected"
    release = ended.output["release"]
    assert f"andamio promote {release}" in ended.output["reason"]
    assert read_pointer(cloud.models, "heart")[0].champion is None
    with pytest.raises(UsageError, match=r"The time to approve .* was over"):
        say_yes(cloud, release)
    assert open_approvals(cloud.models, "heart", datetime.now(UTC)) == []
    approval = find_approval(cloud.models, release)
    assert approval is not None
    assert approval.lapsed
    (record,) = read_history(cloud.models, "heart")
    assert (record.kind, record.by) == ("rejected", "the approval")
    assert record == record_approval(cloud.models, approval)


@pytest.mark.parametrize("cloud", [8], indirect=True)
def test_a_time_that_was_over_while_nothing_waited_is_in_the_history_once_it_is_asked_again(cloud: Cloud) -> None:
    arn = cloud.start("train", LINEAR)
    first = asked(cloud)
    boto3.client("stepfunctions").stop_execution(executionArn=arn)
    tick = threading.Event()
    while first.is_open(datetime.now(UTC)):
        tick.wait(0.1)
    assert read_history(cloud.models, "heart") == []

    def second() -> None:
        for _ in range(1200):
            if (found := find_approval(cloud.models, first.release)) is not None and found.tokens != first.tokens:
                break
            tick.wait(0.1)
        else:
            raise AssertionError("nothing was asked again")
        record, *_ = read_history(cloud.models, "heart")
        assert (record.kind, record.by) == ("rejected", "the approval")
        assert first.expires in record.reason

    run_while(cloud, second)


@pytest.mark.parametrize("cloud", [4], indirect=True)
def test_an_answer_that_never_reached_its_execution_counts_when_the_time_is_over(cloud: Cloud) -> None:
    def answered_and_killed() -> None:
        say_yes(cloud, asked(cloud).release)  # and no token is returned

    assert run_while(cloud, answered_and_killed).output["status"] == "promoted"
    assert [(one.kind, one.by) for one in read_history(cloud.models, "heart")] == [
        ("approved", "bob"),
        ("promoted", "the gate, approved by bob"),
    ]


def test_of_two_trainings_that_ask_one_answer_ends_both_and_nothing_is_rejected(
    cloud: Cloud, tracker: MemoryTracker
) -> None:
    first = cloud.start("train", LINEAR)
    asked(cloud)

    def second() -> None:
        tick = threading.Event()
        while len(asked(cloud).tokens) < 2:
            tick.wait(0.1)
        say(cloud, approved=True)()

    assert run_while(cloud, second).output["status"] == "promoted"
    assert cloud.ended(first).output["status"] == "promoted"
    assert [record.kind for record in read_history(cloud.models, "heart")] == ["approved", "promoted"]
    assert tracker.aliases == {"champion": "1"}
    assert tracker.verdicts == {"1": "promoted"}


def test_what_was_promoted_by_hand_while_it_waited_is_not_rejected(cloud: Cloud, tracker: MemoryTracker) -> None:
    def by_hand() -> None:
        release = asked(cloud).release
        promote(cloud.models, "heart", release, datetime.now(UTC), by="ada", reason="it is urgent")
        for token in asked(cloud).tokens:
            boto3.client("stepfunctions").send_task_success(taskToken=token, output="{}")

    assert run_while(cloud, by_hand).output["status"] == "promoted"
    assert [record.by for record in read_history(cloud.models, "heart")] == ["ada"]
    assert tracker.verdicts == {"1": "promoted"}


def test_a_training_that_ended_while_it_waited_is_asked_again_by_the_same_command(cloud: Cloud) -> None:
    arn = cloud.start("train", LINEAR)
    first = asked(cloud)
    boto3.client("stepfunctions").stop_execution(executionArn=arn)

    def second() -> None:
        tick = threading.Event()
        while (found := find_approval(cloud.models, first.release)) is None or found.tokens == first.tokens:
            tick.wait(0.1)
        say(cloud, approved=True)()

    assert run_while(cloud, second).output["status"] == "promoted"


def test_an_approval_is_kept_for_the_next_training_where_none_waits_any_more(cloud: Cloud) -> None:
    arn = cloud.start("train", LINEAR)
    release = asked(cloud).release
    boto3.client("stepfunctions").stop_execution(executionArn=arn)
    say_yes(cloud, release)
    assert cloud.run("train", LINEAR).output["status"] == "promoted"
