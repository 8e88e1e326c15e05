"""A trial as one chain: training starts it, the API's own lines are what it is judged by, and its machine ends it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds_path import SecondsPath

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.release.history import read_history
from andamio.release.pointer import read_pointer
from andamio.release.release import seal
from andamio.testing.tracker import MemoryTracker
from lambdas.registry import handler as registry_handler
from rollout.challenge import RULE
from tests.support.api import Api
from tests.support.capture import PATIENT, delivery
from tests.support.datasets import SPLIT, heart_cells, publish
from tests.support.releases import linear_onnx, promote, release_files

from .cloud import Cloud, account
from .conftest import HEART, deploy_training, deploy_trials
from .test_approval import LINEAR, MORE, say

RECORDS = 200
CANARY = 'strategy = "canary"\nshare = 0.5\n'
SHADOW = 'strategy = "shadow"\nmax_disagreement = 1.0\napprove = "manual"\n'
RULES = "\n[gate]\nmax_latency_ms = 1000.0\n[release]\nminutes = 1\nmin_requests = 20\n"


class Minutes:
    """The time of a trial: its machine waits until the test lets the minutes pass, and then they have passed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.passed = timedelta()
        self._may_pass = threading.Event()
        minutes = self

        class Later(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Later:
                return cls.fromtimestamp((datetime.now(tz) + minutes.passed).timestamp(), tz)

        def wait(_: SecondsPath, env: Any, wait_seconds: int) -> None:
            while env.is_running() and not minutes._may_pass.wait(0.1):
                pass
            minutes.passed += timedelta(seconds=wait_seconds)

        monkeypatch.setattr(registry_handler, "datetime", Later)
        monkeypatch.setattr(SecondsPath, "_wait_interval", wait)

    def pass_by(self) -> None:
        """Let the machine go on."""
        self._may_pass.set()


@pytest.fixture
def cloud(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An account with a weak champion, data, training, captures and trials, under the rules of `param`."""
    tracker = MemoryTracker()
    monkeypatch.setattr("registry.mlflow.MlflowTracker", lambda *_: tracker)
    with account(HEART, tmp_path, monkeypatch, MORE) as deployed:
        text = (HEART / "problem.toml").read_text() + RULES + request.param
        deployed.contract(text)
        deploy_training(deployed, deploy_trials(deployed))
        contract = Contract.from_toml(text)
        publish(deployed.lake, contract, heart_cells())
        info = {"problem": "heart", "run": "another", "dataset": "old", "split": SPLIT, "threshold": 0.5}
        champion = seal(deployed.models, release_files(contract, linear_onnx(contract)), info)
        promote(deployed.models, "heart", champion)
        yield deployed


def asked(cloud: Cloud, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """Who answered each record of a client, whose log lines the account was delivered."""
    api = Api(
        objects=S3Objects(cloud.models.bucket),  # type: ignore[arg-type]
        table=DynamoPredictionStore(cloud.table.table),  # type: ignore[arg-type]
    )
    api.clock.time = datetime.now(UTC)
    capfd.readouterr()
    records = [{"features": PATIENT, "id": f"visit-{one}"} for one in range(RECORDS)]
    answered = api.post("/predict/batch", {"records": records})
    assert answered.status == 200, answered.text
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("{") and '"rollout"' in line]
    cloud.answer("capture", delivery(lines), None)
    return [one["model"]["version"] for one in answered.json["predictions"]]


def concluded(cloud: Cloud, minutes: Minutes, trained: Any) -> list[tuple[str, str]]:
    """Kinds and authors of the history, once the execution that training started has promoted its challenger."""
    minutes.pass_by()
    (started,) = cloud.executions("rollout")
    assert started.endswith(f":{trained['rollout']}")
    ended = cloud.ended(started)
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "promoted"), ended.cause or ended.output
    pointer, _ = read_pointer(cloud.models, "heart")
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.challenger) == (trained["release"], None)
    return [(record.kind, record.by) for record in read_history(cloud.models, "heart")]


@pytest.mark.parametrize("cloud", [CANARY], ids=["canary"], indirect=True)
def test_the_execution_that_training_started_promotes_what_answered_its_share(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    minutes = Minutes(monkeypatch)
    trained = cloud.run("train", LINEAR).output
    assert trained["status"] == "challenged"
    answers = asked(cloud, capfd)
    history = concluded(cloud, minutes, trained)
    assert history == [("challenged", "the gate"), ("promoted", RULE)]
    challenged, promoted = read_history(cloud.models, "heart")
    assert promoted.numbers["challenger_scored"] == answers.count(trained["release"]) > 20
    assert promoted.numbers["champion_scored"] == answers.count(str(challenged.before)) > 20
    assert promoted.decision == challenged.decision


@pytest.mark.parametrize("cloud", [SHADOW], ids=["shadow"], indirect=True)
def test_what_a_person_approved_is_a_shadow_first_and_is_judged_by_the_pairs_that_the_api_logged(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    minutes = Minutes(monkeypatch)
    arn = cloud.start("train", LINEAR)
    say(cloud, approved=True)()
    trained = cloud.ended(arn).output
    assert trained["status"] == "challenged"
    assert trained["release"] not in asked(cloud, capfd), "a shadow answers nobody"
    assert concluded(cloud, minutes, trained) == [
        ("approved", "ada"),
        ("challenged", "the gate, approved by ada"),
        ("promoted", RULE),
    ]
    promoted = read_history(cloud.models, "heart")[-1]
    assert promoted.numbers["challenger_scored"] == promoted.numbers["champion_scored"] == RECORDS
    assert f"of {RECORDS}" in promoted.reason
    assert 0 <= promoted.numbers["disagreement"] <= 1
