"""From a data version to a served model, through the whole state machine, MLflow included."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import mlflow
import pytest
from mlflow.tracking import MlflowClient
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from andamio.contract import Contract
from andamio.release import release as releases
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from lambdas.registry import handler as registry_handler
from lambdas.search import handler as search_handler
from lambdas.train import handler as train_handler
from tests.support.datasets import heart_cells, publish
from tests.support.releases import linear_onnx, promote, release_files
from training.evaluate.decide import decide

from .cloud import Cloud, account, throttled
from .conftest import HEART, deploy_training
from .faults import timing_out

LINEAR = {"families": ["logistic_regression"], "trials": 1}
FAST = {"families": ["logistic_regression", "gradient_boosting"], "trials": 2}
CONTRACT = Contract.load(HEART)


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tracking: str) -> Iterator[Cloud]:
    """An account with training deployed and a data version of heart."""
    with account(
        HEART, tmp_path, monkeypatch, {"ANDAMIO_TRACKING_URI": tracking, "ANDAMIO_LOCK": "10c" * 21 + "1"}
    ) as deployed:
        deploy_training(deployed, parallel=2)
        publish(deployed.lake, CONTRACT, heart_cells())
        yield deployed
    client = MlflowClient(tracking, tracking)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id]):
            client.delete_run(run.info.run_id)
        if experiment.name != "Default":
            client.rename_experiment(experiment.experiment_id, f"done-{experiment.experiment_id}")


def somebody_else(cloud: Cloud, favour: int = -1) -> str:
    """Another model is promoted; returns its release."""
    split = json.loads(cloud.lake.get(f"datasets/{current(cloud)}/manifest.json").body)["split"]
    info = {"problem": "heart", "run": "another", "dataset": "old", "split": split, "threshold": 0.5}
    files = release_files(CONTRACT, linear_onnx(CONTRACT, favour=favour))
    version = releases.seal(cloud.models, files, info)
    promote(cloud.models, "heart", version)
    return version


def current(cloud: Cloud) -> str:
    version: str = json.loads(cloud.lake.get("datasets/current.json").body)["version"]
    return version


def test_a_model_that_beats_the_majority_class_is_served_and_on_record(cloud: Cloud, tracking: str) -> None:
    ended = cloud.run("train", FAST)
    assert ended.status == "SUCCEEDED", ended.cause
    assert ended.output["status"] == "promoted"
    champion = read_pointer(cloud.models, "heart")[0].champion
    assert champion is not None
    assert champion.release == ended.output["release"]
    release = Release.open(cloud.models, champion.release)
    assert release.json("decision.json")["outcome"] == "promoted"
    assert release.info["dataset"] == current(cloud)
    version = MlflowClient(tracking, tracking).get_model_version_by_alias("heart", "champion")
    assert version.tags["andamio.release"] == champion.release
    trials = [call for call in cloud.calls if call.event.get("step") == "trial"]
    assert {call.event["trial"] for call in trials} == {"majority_class", *FAST["families"]}
    assert all(call.result == {} for call in trials)


def test_training_again_on_the_same_data_ties_and_writes_nothing_new(cloud: Cloud) -> None:
    cloud.run("train", LINEAR)
    before = read_pointer(cloud.models, "heart")
    kept = {info.key for info in cloud.models.list("releases/")}
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "tied"
    assert read_pointer(cloud.models, "heart") == before
    assert {info.key for info in cloud.models.list("releases/")} == kept
    assert "Register" not in cloud.history(ended.arn)


def test_a_model_no_better_than_the_champion_is_on_record_and_not_served(cloud: Cloud, tracking: str) -> None:
    queue = listening("andamio.heart")
    champion = cloud.run("train", LINEAR).output["release"]
    ended = cloud.run("train", {"families": ["gradient_boosting"], "trials": 1})
    assert ended.output["status"] == "rejected"
    told = [json.loads(message) for message in received(queue)]
    assert [(event["detail-type"], event["detail"]["release"]) for event in told] == [
        ("Model promoted", champion),
        ("Model rejected", ended.output["release"]),
    ]
    pointer = read_pointer(cloud.models, "heart")[0]
    assert pointer.champion is not None
    assert pointer.champion.release == champion
    challenger = MlflowClient(tracking, tracking).get_model_version_by_alias("heart", "challenger")
    assert challenger.tags["andamio.decision"] == "rejected"


def listening(source: str) -> str:
    """A queue that all events of a source come to; its address."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    address: str = sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=address, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="told", EventPattern=json.dumps({"source": [source]}))
    events.put_targets(Rule="told", Targets=[{"Id": "queue", "Arn": arn}])
    return address


def received(address: str) -> list[str]:
    """The bodies of the messages in a queue, in order."""
    reply = boto3.client("sqs").receive_message(QueueUrl=address, MaxNumberOfMessages=10)
    return [message["Body"] for message in reply.get("Messages", [])]


def racing(cloud: Cloud, times: int) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The registry function, where another model is promoted just before each of the first promotions."""
    left = list(range(times))

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        if event["step"] == "promote" and left:
            somebody_else(cloud, favour=left.pop() % 2)
        return registry_handler.handler(event, context)

    return handler


def test_the_alias_follows_a_promotion_by_hand(cloud: Cloud, tracking: str) -> None:
    first = cloud.run("train", LINEAR).output["release"]
    mlflow_client = MlflowClient(tracking, tracking)
    version = mlflow_client.get_model_version_by_alias("heart", "champion").version
    mlflow_client.delete_registered_model_alias("heart", "champion")
    said, is_error = cloud.invoke("registry", json.dumps({"step": "follow", "problem": "heart"}))
    assert not is_error
    assert json.loads(said) == {"release": first, "mlflow_version": str(version), "repaired": True}
    assert mlflow_client.get_model_version_by_alias("heart", "champion").version == version


def test_a_promotion_that_comes_between_is_decided_again(cloud: Cloud) -> None:
    cloud.fake_function("registry", racing(cloud, 1))
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "promoted"
    assert cloud.history(ended.arn).count("Decide") == 2
    pointer = read_pointer(cloud.models, "heart")[0]
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.revision) == (ended.output["release"], 2)


def test_after_three_conflicts_the_model_is_rejected(cloud: Cloud) -> None:
    cloud.fake_function("registry", racing(cloud, 9))
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "rejected"
    assert "Another model was promoted during this run" in ended.output["reason"]
    assert cloud.history(ended.arn).count("Decide") == 3


def test_a_run_without_an_exact_export_ends_with_no_model(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(fitted: object) -> bytes:
        raise RuntimeError("cannot be converted")

    monkeypatch.setattr(train_handler.fit, "fit", partial(train_handler.fit.fit, exporter=broken))
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "no_parity"
    assert read_pointer(cloud.models, "heart")[0].champion is None


def without(trial: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The training function, which ends without a result for one trial."""

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        if event["step"] == "trial" and event["trial"] == trial:
            raise MemoryError("out of memory")
        return train_handler.handler(event, context)

    return handler


def without_trials(event: dict[str, Any], context: object) -> dict[str, Any]:
    """The training function, which ends without a result for every trial."""
    if event["step"] == "trial":
        raise MemoryError("out of memory")
    return train_handler.handler(event, context)


def test_a_trial_that_needs_more_memory_is_recorded_as_failed_and_the_others_go_on(
    cloud: Cloud, waits: list[float]
) -> None:
    cloud.fake_function("train", without("gradient_boosting"))
    ended = cloud.run("train", FAST)
    assert ended.output["status"] == "promoted", ended.cause
    said = json.loads(cloud.models.get(f"runs/{ended.output['run']}/trials/gradient_boosting.json").body)
    assert (said["status"], said["why"]) == ("failed", "MemoryError: out of memory")
    assert "Lost" in cloud.history(ended.arn)


def killed(trial: str, times: int) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """The training function, whose process is killed so many times in the middle of one trial."""
    left = list(range(times))

    def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
        if event["step"] == "trial" and event["trial"] == trial and left:
            left.pop()
            raise ConnectionError("Runtime exited with error: signal: killed")
        return train_handler.handler(event, context)

    return handler


def test_a_trial_whose_worker_is_killed_runs_again(cloud: Cloud, waits: list[float]) -> None:
    cloud.fake_function("train", killed("gradient_boosting", 2))
    ended = cloud.run("train", FAST)
    assert ended.output["status"] == "promoted", ended.cause
    said = json.loads(cloud.models.get(f"runs/{ended.output['run']}/trials/gradient_boosting.json").body)
    assert said["status"] == "done"
    assert "Lost" not in cloud.history(ended.arn)


def test_a_trial_that_no_worker_survives_fails_the_run_and_the_same_command_goes_on(
    cloud: Cloud, waits: list[float]
) -> None:
    cloud.fake_function("train", killed("gradient_boosting", 3))
    ended = cloud.run("train", FAST)
    assert ended.status == "FAILED"
    assert "gradient_boosting: ConnectionError: Runtime exited" in ended.cause
    assert "train again" in ended.cause
    again = cloud.run("train", FAST)
    assert again.output["status"] == "promoted", again.cause
    said = json.loads(cloud.models.get(f"runs/{again.output['run']}/trials/gradient_boosting.json").body)
    assert said["status"] == "done"


def test_a_throttled_trial_is_waited_for_and_not_lost(cloud: Cloud, waits: list[float]) -> None:
    cloud.fake_function("train", throttled(25, train_handler.handler, "trial"))
    ended = cloud.run("train", LINEAR)
    assert ended.output["status"] == "promoted", ended.cause
    assert "Lost" not in cloud.history(ended.arn)
    assert len(waits) == 25
    assert max(waits) <= 120


def test_that_a_trial_is_lost_is_noted_even_where_noting_it_is_throttled(cloud: Cloud, waits: list[float]) -> None:
    cloud.fake_function("train", without("gradient_boosting"))
    cloud.fake_function("search", throttled(25, search_handler.handler, "lost"))
    ended = cloud.run("train", FAST)
    assert ended.output["status"] == "promoted", ended.cause
    said = json.loads(cloud.models.get(f"runs/{ended.output['run']}/trials/gradient_boosting.json").body)
    assert (said["status"], said["why"]) == ("failed", "MemoryError: out of memory")
    assert len(waits) == 25 + 2, "the trial is tried three times"


@pytest.mark.parametrize("step", ["plan", "lost"])
def test_a_step_that_times_out_fails_the_execution_by_its_name(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, waits: list[float], step: str
) -> None:
    """A timeout has no cause, or an empty one: a Fail state that shows nothing else would hide what happened."""
    monkeypatch.setattr(StateTaskLambda, "_eval_parameters", timing_out(step))
    # None of them: one that went on would outlast the execution, which ends with the first that is not noted.
    cloud.fake_function("train", without_trials)
    ended = cloud.run("train", LINEAR)
    assert (ended.status, ended.error) == ("FAILED", "Andamio.Fault")
    assert "States.Timeout" in ended.cause


def test_a_refusal_that_mlflow_quotes_ends_the_run_in_our_words(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise RuntimeError("403: User: arn:aws:sts::1:assumed-role/registry/x is not authorized to perform: a:LogBatch")

    monkeypatch.setattr(registry_handler.register, "register", refused)
    ended = cloud.run("train", LINEAR)
    assert ended.status == "FAILED"
    assert "Role registry may not a:LogBatch" in ended.cause


def test_a_run_whose_trials_all_died_fails_and_says_of_what(cloud: Cloud, waits: list[float]) -> None:
    cloud.fake_function("train", without_trials)
    ended = cloud.run("train", LINEAR)
    assert ended.status == "FAILED"
    assert "out of memory" in ended.cause
    cloud.fake_function("train", train_handler.handler)
    assert cloud.run("train", LINEAR).output["status"] == "promoted", "what failed by accident can be started again"


def test_the_search_goes_on_round_by_round_and_a_second_execution_finds_it_done(cloud: Cloud) -> None:
    asked = {"families": ["logistic_regression"], "trials": 6}
    first = cloud.run("train", asked)
    assert first.output["status"] == "promoted", first.cause
    states = cloud.history(first.arn)
    assert states.count("Ask") == states.count("Tell") == 2, "three trials side by side, then the other three"
    run = first.output["run"]
    kept = [info.key for info in cloud.models.list(f"runs/{run}/trials/") if info.key.endswith(".json")]
    assert len(kept) == 6 + 1, "six trials, and the majority class"
    before = {(info.key, info.version) for info in cloud.models.list(f"runs/{run}/")}
    second = cloud.run("train", asked)
    assert second.output["status"] == "tied"
    added = {(info.key, info.version) for info in cloud.models.list(f"runs/{run}/")} - before
    assert all("/decisions/" in key for key, _ in added), "only the gate looked again, at the new champion"


def test_without_data_the_execution_fails_with_what_to_do(cloud: Cloud) -> None:
    ended = cloud.run("train", {"dataset": "0123456789abcdef"})
    assert ended.status == "FAILED"
    assert "0123456789abcdef" in ended.cause


def test_what_the_gate_decided_is_in_the_release_word_for_word(cloud: Cloud) -> None:
    ended = cloud.run("train", LINEAR)
    sealed = Release.open(cloud.models, ended.output["release"]).json("decision.json")
    first = json.loads(cloud.models.get(f"runs/{ended.output['run']}/decisions/{sealed['decision']}.json").body)
    assert sealed == first
    assert decide(cloud.lake, cloud.models, ended.output["run"]).outcome == "tied"
