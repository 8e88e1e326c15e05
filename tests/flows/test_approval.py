"""A promotion that waits for a person: approved, declined, not answered, asked again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from andamio.contract import Contract
from andamio.errors import UsageError
from andamio.release.approval import Answer, Approval, answer, find_approval, open_approvals
from andamio.release.history import read_history
from andamio.release.pointer import read_pointer
from andamio.testing.tracker import MemoryTracker
from infra import asl
from lambdas.registry import handler as registry_handler
from lambdas.search import handler as search_handler
from lambdas.train import handler as train_handler
from tests.support.datasets import heart_cells, publish

from . import tasks
from .cloud import FUNCTION_SECONDS, Cloud, account
from .conftest import HEART

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
        seconds = getattr(request, "param", 60)
        values: dict[str, str | int] = {"Parallel": 1, "ApprovalSeconds": seconds, **tasks.VALUES}
        for name, module in {"Train": train_handler, "Search": search_handler, "Registry": registry_handler}.items():
            values[f"{name}Function"] = deployed.function(name.lower(), module)
            values |= asl.task_seconds(f"{name}Function", FUNCTION_SECONDS)
        deployed.machine("train", asl.FOLDER / "train.asl.json", values)
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
        token = answer(cloud.models, release, given, now).token
        boto3.client("stepfunctions").send_task_success(
            taskToken=token, output='{"approved": true}' if approved else '{"approved": false}'
        )

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
    (record,) = read_history(cloud.models, "heart")
    assert (record.kind, record.by) == ("promoted", "the gate, approved by ada")
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
    with pytest.raises(UsageError, match=r"was declined by the approval at .*: the time was over"):
        say_yes(cloud, release)
    assert open_approvals(cloud.models, "heart", datetime.now(UTC)) == []


def test_a_training_that_ended_while_it_waited_is_asked_again_by_the_same_command(cloud: Cloud) -> None:
    arn = cloud.start("train", LINEAR)
    first = asked(cloud)
    boto3.client("stepfunctions").stop_execution(executionArn=arn)

    def second() -> None:
        tick = threading.Event()
        while (found := find_approval(cloud.models, first.release)) is None or found.token == first.token:
            tick.wait(0.1)
        say(cloud, approved=True)()

    assert run_while(cloud, second).output["status"] == "promoted"
