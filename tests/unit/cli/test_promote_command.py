"""`andamio promote`, `models` and `status`, where releases are intact and where they are not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from andamio.adapters.aws import Execution
from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.cli.models import api, serving, show
from andamio.cli.models.releases import list_releases
from andamio.errors import (
    AccessRefused,
    AwsError,
    ExecutionFailed,
    NotDeployed,
    ObjectNotFound,
    PreconditionFailed,
    ReleaseError,
    UsageError,
)
from andamio.release import pointer as pointers
from andamio.release.pointer import read_pointer
from andamio.storage import layout
from rollout import promote as promotion
from rollout.challenger import challenge
from rollout.rollback import roll_back
from rollout.rule import Evidence
from rollout.trial import look
from tests.support.releases import heart, linear_onnx, seal_release, serve


def promote(objects: MemoryObjects, problem: str, version: str, now: datetime) -> bool:
    return promotion.promote(objects, problem, version, now, by="ada", reason="a test")


NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
DEPLOYED = {"problem": "heart", "buckets": {"models": "models"}}


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects("models")


def two(objects: MemoryObjects) -> tuple[str, str]:
    """A release that serves, and one that does not."""
    other = seal_release(objects, heart(), linear_onnx(heart(), favour=1))
    return serve(objects, heart()), other


def test_an_intact_release_takes_the_place_of_a_damaged_champion(objects: MemoryObjects) -> None:
    damaged, intact = two(objects)
    objects.put(layout.release(damaged, "model.onnx"), b"damaged")
    assert promote(objects, "heart", intact, NOW)
    found, _ = read_pointer(objects, "heart")
    assert found.champion is not None
    assert found.previous is not None
    assert (found.champion.release, found.previous.release, found.revision) == (intact, damaged, 2)
    assert not promote(objects, "heart", intact, NOW), "once is enough"
    assert read_pointer(objects, "heart")[0] == found


@pytest.mark.parametrize("file", ["model.onnx", "reference.json", "manifest.json"])
def test_a_release_that_is_not_what_was_sealed_is_not_promoted(objects: MemoryObjects, file: str) -> None:
    champion, damaged = two(objects)
    objects.put(layout.release(damaged, file), b"damaged")
    with pytest.raises(ReleaseError) as error:
        promote(objects, "heart", damaged, NOW)
    assert (error.value.file, error.value.fault) == (file, "changed")
    with pytest.raises(ReleaseError) as error:
        promote(objects, "heart", "0123456789abcdef", NOW)
    assert (error.value.file, error.value.fault) == ("manifest.json", "absent")
    assert "andamio models" in str(error.value)
    found = read_pointer(objects, "heart")[0].champion
    assert found is not None
    assert found.release == champion


def test_of_two_promotions_at_once_one_is_told(objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch) -> None:
    _, other = two(objects)

    def somebody_was_faster(*_: object) -> None:
        raise PreconditionFailed("serving/heart.json")

    monkeypatch.setattr("rollout.promote.change_pointer", somebody_was_faster)
    with pytest.raises(UsageError, match="at the same moment"):
        promote(objects, "heart", other, NOW)
    assert pointers.read_pointer(objects, "heart")[0].revision == 1


def test_another_problem_s_release_is_not_promoted(objects: MemoryObjects) -> None:
    _, other = two(objects)
    with pytest.raises(UsageError, match="of problem 'heart', not 'pears'"):
        promote(objects, "pears", other, NOW)


def test_a_damaged_champion_is_listed_as_refused_with_what_to_do(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, other = two(objects)
    assert {each.version: each.refused for each in list_releases(objects, "heart")} == {champion: "", other: ""}
    objects.put(layout.release(champion, "model.onnx"), b"damaged")
    found = {each.version: each for each in list_releases(objects, "heart")}
    assert (found[champion].stage, found[other].refused) == ("champion", "")
    assert "model.onnx was changed" in found[champion].refused

    class Account:
        def objects(self, bucket: str) -> MemoryObjects:
            return objects

        def executions(self, machine: str, limit: int) -> list[object]:
            return []

    monkeypatch.setattr(show, "account_of", lambda deployed: Account())
    show.models(DEPLOYED)
    said = capsys.readouterr()
    assert "refused" in said.out + said.err
    assert "andamio promote VERSION" in " ".join((said.out + said.err).split())
    rows = dict(show._serving_rows(DEPLOYED))
    assert "refused" in rows["champion"]
    assert rows[""] == show.INSTEAD


class Functions:
    """An account whose registry function answers, or fails."""

    def __init__(self, answer: str | AwsError | None, *, repaired: bool = False) -> None:
        self.answer, self.repaired = answer, repaired
        self.called: list[tuple[str, object]] = []

    def invoke(self, function: str, payload: object, *, seconds: float) -> dict[str, object]:
        """Note a call."""
        self.called.append((function, payload))
        if isinstance(self.answer, AwsError):
            raise self.answer
        return {"mlflow_version": self.answer, "repaired": self.repaired}


@pytest.mark.parametrize(
    ("answer", "repaired", "said"),
    [
        ("7", False, "MLflow's alias 'champion' is at version 7, the model that serves."),
        ("7", True, "has followed: it is at version 7 now."),
        (None, False, "no version has the alias"),
        (AwsError("MLflow does not answer."), False, "did not follow: MLflow does not answer. Note that what serves"),
    ],
)
def test_mlflow_s_alias_follows_a_promotion_or_it_is_said_that_it_does_not(
    answer: str | AwsError | None, repaired: bool, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    functions = Functions(answer, repaired=repaired)
    serving.follow_in_mlflow({"problem": "heart", "system": "heart-prod"}, functions)  # type: ignore[arg-type]
    assert functions.called == [("andamio-heart-prod-registry", {"step": "follow", "problem": "heart"})]
    assert said in " ".join(capsys.readouterr().err.split())


def test_where_mlflow_is_down_promote_says_so_and_calls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    functions = Functions("7")
    deployed = {"problem": "heart", "system": "heart", "mlflow_own": True, "mlflow_url": "http://127.0.0.1:1"}
    serving.follow_in_mlflow(deployed, functions)  # type: ignore[arg-type]
    assert functions.called == []
    said = " ".join(capsys.readouterr().err.split())
    assert "andamio check --registry" in said
    assert said.endswith("andamio up")


class Telling:
    """An account with a bucket of models and a bus."""

    def __init__(self, models: MemoryObjects, *failures: Exception) -> None:
        self.models = models
        self.bus = MemoryEvents(*failures)

    def objects(self, bucket: str) -> MemoryObjects:
        """The one bucket."""
        return self.models

    def events(self) -> MemoryEvents:
        """The bus."""
        return self.bus


def test_a_change_by_hand_is_told_and_given_again_it_is_the_same_event(objects: MemoryObjects) -> None:
    champion, other = two(objects)
    account = Telling(objects)
    deployed = {**DEPLOYED, "system": "heart--prod"}
    for _ in range(2):
        promote(objects, "heart", other, NOW)
        serving.tell(deployed, account)  # type: ignore[arg-type]
    first, second = account.bus.sent
    assert first == second
    assert (first.kind, first.detail.release, first.detail.system) == ("Model promoted", other, "heart--prod")
    roll_back(objects, "heart", NOW, by="ada", reason="it is wrong")
    serving.tell(deployed, account)  # type: ignore[arg-type]
    last = account.bus.sent[-1]
    assert (last.kind, last.detail.release) == ("Model rolled back", champion)
    assert last.detail.id != first.detail.id
    assert "it is wrong" in last.detail.message


def test_what_the_gate_promoted_is_not_told_twice(objects: MemoryObjects) -> None:
    two(objects)
    account = Telling(objects)
    serving.tell({**DEPLOYED, "system": "heart"}, account)  # type: ignore[arg-type]
    assert not account.bus.sent


@pytest.mark.parametrize(("labels", "kind"), [(0, "promoted"), (100, "withdrawn")])
def test_what_ended_a_trial_by_itself_is_not_told_as_done_by_hand(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, labels: int, kind: str
) -> None:
    _, other = two(objects)
    begun = challenge(objects, "heart", other, NOW, by="ada", reason="a test", strategy="canary")
    found = Evidence(
        challenger_scored=1000, champion_labelled=labels, champion_right=labels, challenger_labelled=labels
    )
    monkeypatch.setattr("rollout.trial.gather", lambda *_: found)
    assert look(objects, objects, heart(), str(begun.rollout), NOW + timedelta(days=1)).status == kind
    champion = read_pointer(objects, "heart")[0].champion
    assert champion is not None
    account = Telling(objects)
    promote(objects, "heart", champion.release, NOW)
    serving.tell({**DEPLOYED, "system": "heart"}, account)  # type: ignore[arg-type]
    assert not account.bus.sent


def test_where_the_event_cannot_be_sent_it_is_said(objects: MemoryObjects, capsys: pytest.CaptureFixture[str]) -> None:
    _, other = two(objects)
    promote(objects, "heart", other, NOW)
    account = Telling(objects, AccessRefused("The caller may not events:PutEvents."))
    serving.tell({**DEPLOYED, "system": "heart"}, account)  # type: ignore[arg-type]
    assert "was not sent: The caller may not events:PutEvents." in " ".join(capsys.readouterr().err.split())


class Trials(Telling):
    """An account that starts executions, as often as it is asked."""

    def __init__(self, models: MemoryObjects) -> None:
        super().__init__(models)
        self.started: dict[str, object] = {}
        self.status = "RUNNING"

    def execution(self, arn: str) -> Execution:
        """One that was started."""
        name = arn.rsplit(":", 1)[1]
        if name not in self.started:
            raise ObjectNotFound(arn)
        return Execution(arn, name, self.status, NOW, None, {}, "")

    def start(self, machine: str, name: str, payload: object) -> str:
        """Start one; Step Functions takes a name once."""
        assert name not in self.started
        self.started[name] = payload
        return name

    def invoke(self, function: str, payload: object, *, seconds: float) -> dict[str, object]:
        """The registry's function."""
        return {"mlflow_version": "1", "repaired": False}


MACHINE = "arn:aws:states:eu-west-1:000000000000:stateMachine:andamio-heart-rollout"
WITH_TRIALS = {**DEPLOYED, "system": "heart", "stack": "andamio-heart", "state_machines": {"rollout": MACHINE}}


def trials(objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, champion: str, challenger: str) -> Trials:
    """An account whose API has loaded both."""
    account = Trials(objects)
    loaded = {"release": champion, "challenger": {"release": challenger, "loaded": True}}
    monkeypatch.setattr(serving, "account_of", lambda deployed: account)
    monkeypatch.setattr(api, "call", lambda deployed, method, path: loaded)
    return account


def test_a_trial_by_hand_starts_the_execution_that_ends_it_and_the_same_command_starts_it_once(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, other = two(objects)
    account, deployed = trials(objects, monkeypatch, champion, other), WITH_TRIALS
    for _ in range(2):
        serving.challenge(deployed, other, "canary", reason="to  see it", force=False)
    rollout = read_pointer(objects, "heart")[0].rollout
    assert account.started == {rollout: {"rollout": rollout, "mlflow_run": ""}}
    first, second = account.bus.sent
    assert first == second
    assert (first.kind, first.detail.release) == ("Model challenged", other)
    assert "is the challenger now, by hand" in first.detail.message
    assert first.detail.message.endswith("to see it")
    assert f"Release {other} is the challenger now, and answers 10% of the records." in capsys.readouterr().err


def test_where_the_execution_of_a_trial_is_over_and_the_trial_is_not_that_is_said(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    champion, other = two(objects)
    account = trials(objects, monkeypatch, champion, other)
    serving.challenge(WITH_TRIALS, other, "canary", reason="", force=False)
    account.status = "ABORTED"
    capsys.readouterr()
    with pytest.raises(
        ExecutionFailed, match=r"no execution judges its trial \(.*: aborted\).*Redrive.*andamio rollback"
    ):
        serving.challenge(WITH_TRIALS, other, "canary", reason="", force=False)
    assert "A rule ends its trial" not in capsys.readouterr().err
    assert len(account.started) == 1


def test_where_a_trial_ends_while_it_is_asked_for_again_that_is_said(
    objects: MemoryObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion, other = two(objects)
    account = trials(objects, monkeypatch, champion, other)
    serving.challenge(WITH_TRIALS, other, "canary", reason="", force=False)
    found = account.execution

    def once_it_is_over(arn: str) -> Execution:
        promote(objects, "heart", other, NOW)
        return replace(found(arn), status="SUCCEEDED")

    monkeypatch.setattr(account, "execution", once_it_is_over)
    with pytest.raises(ExecutionFailed, match="ended just now"):
        serving.challenge(WITH_TRIALS, other, "canary", reason="", force=False)


def test_a_system_that_was_deployed_without_trials_is_to_be_deployed_again(objects: MemoryObjects) -> None:
    with pytest.raises(NotDeployed, match="andamio deploy"):
        serving.challenge(
            {**DEPLOYED, "stack": "andamio-heart", "state_machines": {}}, "0" * 16, "canary", reason="", force=False
        )
