"""A trial from the gate's promotion to its end: every branch of the machine, and deaths in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from andamio import feedback
from andamio.adapters.events import BusEvents
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.feedback import Statement
from andamio.release.history import read_history
from andamio.release.pointer import read_pointer
from andamio.release.release import seal
from andamio.testing.tracker import MemoryTracker
from lambdas.registry import handler as registry_handler
from tests.support.capture import delivery, identity, prediction
from tests.support.datasets import SPLIT, heart_cells, publish
from tests.support.releases import challenge, heart, linear_onnx, promote, release_files, seal_release

from .cloud import Cloud, Killed, account
from .conftest import HEART, deploy_training, deploy_trials

LINEAR = {"families": ["logistic_regression"], "trials": 1}
MORE = {"ANDAMIO_TRACKING_URI": "memory", "ANDAMIO_LOCK": "10c" * 21 + "1"}
RULES = '\n[release]\nstrategy = "canary"\nshare = 0.2\nminutes = 1\nmin_requests = 20\n'


def failing(times: int, answers: Any) -> Any:
    """A function that fails so many times."""
    left = [times]

    def handler(event: dict[str, Any], context: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise ConnectionError("nobody home")
        return answers(event, context)

    return handler


class Trial:
    """An account with a challenger, and what is logged of it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        versions = [seal_release(cloud.models, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1)]
        self.champion, self.challenger = versions
        promote(cloud.models, "heart", self.champion)
        self.rollout = f"{self.challenger}-2"
        self.told: list[str] = []

    def begin(self, seconds_ago: float, strategy: Any = "canary") -> None:
        since = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        assert self.rollout == challenge(self.cloud.models, "heart", self.challenger, strategy, since=since.isoformat())

    def log(self, count: int = 100, faults: int = 0) -> None:
        now = datetime.now(UTC)
        lines = [
            prediction(
                number,
                at=now,
                release=self.champion if number % 2 else self.challenger,
                rollout=self.rollout,
                variant="champion" if number % 2 else "challenger",
                model_ms=0.2,
            )
            for number in range(count)
        ]
        lines += [
            {
                "event": "andamio.challenger.failed",
                "time": now.isoformat(),
                "rollout": self.rollout,
                "variant": "challenger",
                "code": "no-answer",
                "records": 1,
                "request": number,
            }
            for number in range(faults)
        ]
        self.cloud.answer("capture", delivery(lines), None)

    def run(self, **event: Any) -> Any:
        return self.cloud.run("rollout", event or {"rollout": self.rollout, "mlflow_run": "run-1"})

    def serving(self) -> tuple[str, str | None]:
        pointer, _ = read_pointer(self.cloud.models, "heart")
        assert pointer.champion is not None
        return pointer.champion.release, pointer.challenger.release if pointer.challenger else None


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> MemoryTracker:
    memory = MemoryTracker()
    monkeypatch.setattr("registry.mlflow.MlflowTracker", lambda *_: memory)
    return memory


@pytest.fixture
def trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: MemoryTracker) -> Iterator[Trial]:
    with account(HEART, tmp_path, monkeypatch, MORE) as cloud:
        cloud.contract((HEART / "problem.toml").read_text() + RULES)
        deploy_trials(cloud)
        made = Trial(cloud)
        put = BusEvents.put
        monkeypatch.setattr(BusEvents, "put", lambda bus, event: (made.told.append(event.kind), put(bus, event))[1])
        yield made


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracker: MemoryTracker) -> Iterator[Cloud]:
    """An account with a weak champion, data to train on, training, and a machine that stands in for the trial's."""
    with account(HEART, tmp_path, monkeypatch, MORE) as cloud:
        text = (HEART / "problem.toml").read_text() + RULES
        cloud.contract(text)
        deploy_training(cloud)
        contract = Contract.from_toml(text)
        publish(cloud.lake, contract, heart_cells())
        info = {"problem": "heart", "run": "another", "dataset": "old", "split": SPLIT, "threshold": 0.5}
        champion = seal(cloud.models, release_files(contract, linear_onnx(contract)), info)
        promote(cloud.models, "heart", champion)
        yield cloud


def test_what_the_gate_allows_becomes_the_challenger_and_its_trial_is_started_once(
    training: Cloud, tracker: MemoryTracker
) -> None:
    ended = training.run("train", LINEAR)
    assert ended.output["status"] == "challenged", ended.cause
    pointer, _ = read_pointer(training.models, "heart")
    assert pointer.challenger is not None
    assert (pointer.challenger.release, pointer.strategy, pointer.share) == (ended.output["release"], "canary", 0.2)
    assert ended.output["rollout"] == pointer.rollout
    assert tracker.aliases["challenger"] == ended.output["mlflow_version"]
    (started,) = training.executions("rollout")
    assert started.endswith(f":{pointer.rollout}")
    assert training.ended(started).output == {"rollout": pointer.rollout, "mlflow_run": ended.output["mlflow_run"]}
    last = read_history(training.models, "heart")[-1]
    assert (last.kind, last.by, last.decision) == ("challenged", "the gate", pointer.change and pointer.change.decision)
    assert last.numbers
    again = training.run("train", LINEAR)
    assert again.status == "SUCCEEDED"
    assert len(training.executions("rollout")) == 1


def test_a_good_challenger_is_promoted_when_its_minutes_are_over(
    trial: Trial, tracker: MemoryTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rollout.added.KEPT_FROM", 1)  # so that a look reads what the one before kept
    trial.log()
    trial.begin(seconds_ago=52)  # the first look must not come after the end, however busy the machine is
    feedback.keep(trial.cloud.lake, [Statement(identity(2), None, "1")], datetime.now(UTC), trial.champion)
    ended = trial.run()
    looks = [call.result for call in trial.cloud.calls if call.event.get("step") == "look"]
    assert ended.output["status"] == "promoted", ended.cause
    assert [one["status"] for one in looks][-1] == "promoted"
    assert looks[0]["status"] == "wait"
    assert looks[0]["seconds"] <= 8
    assert trial.serving() == (trial.challenger, None)
    assert read_history(trial.cloud.models, "heart")[-1].numbers["challenger_right"] == 1.0
    assert trial.told[-1] == "Model promoted"


def test_faults_withdraw_it_before(trial: Trial) -> None:
    trial.begin(seconds_ago=5)
    trial.log(faults=3)
    ended = trial.run()
    assert ended.output["status"] == "withdrawn"
    assert "It had no answer for 3 of 53 records" in ended.output["reason"]
    assert trial.serving() == (trial.champion, None)
    assert trial.told[-1] == "Model withdrawn"


def test_without_enough_records_it_ends_after_ten_times_its_minutes(trial: Trial) -> None:
    trial.begin(seconds_ago=601)
    trial.log(20)
    assert trial.run().output["status"] == "withdrawn"
    assert read_pointer(trial.cloud.models, "heart")[0].withdrawn == ()


def test_an_alarm_withdraws_it_at_once_and_the_waiting_execution_ends(trial: Trial) -> None:
    trial.begin(seconds_ago=5)
    raised = datetime.now(UTC).isoformat()
    for _ in range(2):
        ended = trial.run(alarm="andamio-heart-alarm-challenger-errors", raised=raised)
        assert ended.output["status"] == "withdrawn"
    assert trial.serving() == (trial.champion, None)
    assert trial.run().output["status"] == "withdrawn"


def test_an_alarm_of_an_earlier_trial_withdraws_nothing(trial: Trial) -> None:
    raised = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    trial.begin(seconds_ago=5)
    assert trial.run(alarm="andamio-heart-alarm-challenger-errors", raised=raised).output["status"] == "ended"
    assert trial.serving() == (trial.champion, trial.challenger)


def test_a_trial_that_is_over_ends_its_execution(trial: Trial) -> None:
    trial.begin(seconds_ago=5)
    rollout = trial.rollout
    promote(trial.cloud.models, "heart", trial.champion)
    assert trial.run(rollout=rollout, mlflow_run="run-1").output["status"] == "ended"


def test_a_trial_that_cannot_be_judged_for_ten_minutes_is_withdrawn_and_its_execution_fails(
    trial: Trial, tracker: MemoryTracker, waits: list[float]
) -> None:
    trial.begin(seconds_ago=61)
    trial.cloud.lake.put(f"trials/{trial.rollout}/part-{'0' * 32}.json", b"{}")
    tracker.record_release("2", trial.challenger)
    ended = trial.run()
    assert ended.status == "FAILED"
    assert "trials/" in ended.cause
    assert len([call for call in trial.cloud.calls if call.event.get("step") == "look"]) == 7
    assert trial.serving() == (trial.champion, None)
    assert read_pointer(trial.cloud.models, "heart")[0].withdrawn == (), "that says nothing of its model"
    last = read_history(trial.cloud.models, "heart")[-1]
    assert (last.kind, last.by) == ("withdrawn", "the rule of the trial")
    assert last.reason.startswith("Its trial could not be judged: DocumentError: trials/")
    assert tracker.verdicts["2"] == "withdrawn"
    assert trial.told == ["Model withdrawn"]


def test_a_look_that_failed_for_minutes_and_then_works_goes_on(trial: Trial, waits: list[float]) -> None:
    trial.begin(seconds_ago=61)
    trial.log()
    trial.cloud.fake_function("registry", failing(5, registry_handler.handler))
    assert trial.run().output["status"] == "promoted"
    assert trial.serving() == (trial.challenger, None)


def test_where_the_withdrawal_fails_too_it_is_tried_again(trial: Trial, waits: list[float]) -> None:
    trial.begin(seconds_ago=61)
    trial.cloud.fake_function("registry", failing(7 + 5, registry_handler.handler))
    ended = trial.run()
    assert (ended.status, "nobody home" in ended.cause) == ("FAILED", True)
    assert trial.serving() == (trial.champion, None)


def test_a_trial_that_cannot_be_started_is_withdrawn(training: Cloud) -> None:
    (machine,) = [
        machine["stateMachineArn"]
        for machine in boto3.client("stepfunctions").list_state_machines()["stateMachines"]
        if machine["name"].endswith("-rollout")
    ]
    boto3.client("stepfunctions").delete_state_machine(stateMachineArn=machine)
    ended = training.run("train", LINEAR)
    assert ended.status == "FAILED"
    pointer, _ = read_pointer(training.models, "heart")
    assert pointer.challenger is None
    kinds = [(record.kind, record.reason) for record in read_history(training.models, "heart")]
    assert [kind for kind, _ in kinds] == ["challenged", "withdrawn"]
    assert "StateMachineDoesNotExist" in kinds[-1][1]


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_killed_at_any_write_the_end_of_a_trial_is_right_when_started_again(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    trial.begin(seconds_ago=61)
    trial.log()
    left = [writes]
    puts = {name: getattr(S3Objects, name) for name in ("put", "put_new")}

    def dies(name: str) -> Any:
        def put(self: S3Objects, *args: Any, **more: Any) -> Any:
            made = puts[name](self, *args, **more)
            left[0] -= 1
            if left[0] == 0:
                raise Killed("after a write")
            return made

        return put

    for name in puts:
        monkeypatch.setattr(S3Objects, name, dies(name))
    ended = trial.run()
    assert ended.output["status"] == "promoted", ended.cause
    assert trial.serving() == (trial.challenger, None)
    kinds = [record.kind for record in read_history(trial.cloud.models, "heart")]
    assert kinds == ["challenged", "promoted"]
