"""What registration asks of MLflow's REST API on every way through, against what its role may ask of SageMaker's.

SageMaker names an action for nearly every method of MLflow's services, after the method. The methods and
their paths are read off MLflow's own descriptors, the calls are recorded on a real server.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import mlflow
import pytest
from mlflow.models import Model
from mlflow.protos import databricks_pb2
from mlflow.protos.model_registry_pb2 import ModelRegistryService
from mlflow.protos.service_pb2 import MlflowService
from mlflow.tracking import MlflowClient

from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.contract import Contract
from infra.constructs.tracker import ACTIONS
from registry.mlflow import MlflowTracker
from registry.news import News
from registry.record import Origin
from registry.register import ATTEMPTS, promote, register
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.mlflow_server import recording, server
from tests.support.releases import promote as point_at
from tests.support.runs import copied, evaluated, planned
from training.evaluate.decide import decide
from training.fit import fit

pytestmark = pytest.mark.slow

FRUIT = Contract.load(FRUIT_FOLDER)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ORIGIN = Origin("s3://lake/datasets/", lock="10c" * 21 + "1")
NEWS = News(MemoryEvents(), "heart")

NAMED_OTHERWISE = {
    # What AWS's list of actions has for a method whose name is not on it.
    "getModelVersionDownloadUri": "GetDownloadURIForModelVersionArtifacts",
    "getLatestVersions": "GetLatestModelVersions",
    "createLoggedModel": "LogModel",
}


def action(method: str, path: str) -> str:
    """What SageMaker calls a request."""
    for service in (MlflowService, ModelRegistryService):
        for rpc in service.DESCRIPTOR.methods:
            for endpoint in rpc.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                if endpoint.method == method and matches(endpoint.path, path):
                    return NAMED_OTHERWISE.get(rpc.name, rpc.name[0].upper() + rpc.name[1:])
    raise AssertionError(f"MLflow's services have no {method} {path}")


def matches(pattern: str, path: str) -> bool:
    literal = pattern.replace("{model_id}", "m-0")
    return re.sub(r"/m-[0-9a-f]+", "/m-0", path) == literal


@pytest.fixture(scope="module")
def trained():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, FRUIT, fruit_cells())
    run, _ = evaluated(lake, models, FRUIT, families=("logistic_regression",))
    return lake, models, run, decide(lake, models, run).decision


@pytest.fixture(scope="module")
def called(trained, tmp_path_factory):
    """The actions of all calls, on every way through both machines that ends in MLflow."""
    folder = tmp_path_factory.mktemp("server")
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    with server(folder) as url, recording(url) as recorder:
        client = MlflowClient(url, url)
        client.search_experiments()
        recorder.seen.clear()
        walk(
            trained,
            lambda system: lambda problem: MlflowTracker(url, system, f"file://{folder}/kept"),
            client,
            recorder,
        )
        seen = set(recorder.seen)
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])
    return {action(*request) for request in seen}


def walk(trained, trackers, client, recorder) -> None:
    lake, kept, run, decision = trained
    models, tracker = copied(kept), trackers("fruit")

    # A first model, promoted; the same again, as after a call whose answer was lost.
    assert register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW).status == "promoted"
    assert promote(models, run, decision, tracker, NEWS, NOW).status == "promoted"
    forgotten = copied(kept)
    assert register(lake, forgotten, run, decision, ORIGIN, tracker, NEWS, NOW).status == "promoted"
    assert promote(forgotten, run, decision, tracker, NEWS, NOW).status == "promoted"

    # A second run, rejected: the challenger. Then it is promoted after all, and the alias moves.
    second, _ = evaluated(lake, models, FRUIT, families=("gradient_boosting",))
    judged = decide(lake, models, second).decision
    assert register(lake, models, second, judged, ORIGIN, tracker, NEWS, NOW).status == "rejected"
    tracker("fruit").unpoint("challenger", "2")

    # A run without a model.
    def broken(fitted):
        raise RuntimeError("cannot be converted")

    lost = MemoryObjects("models")
    without = planned(lake, lost, FRUIT)
    fit(lake, lost, without, exporter=broken)
    assert register(lake, lost, without, None, ORIGIN, tracker, NEWS, NOW).status == "no_parity"

    # Somebody else is promoted between decision and swap, three times.
    others, conflicted = copied(kept), trackers("conflict")
    register(lake, others, run, decision, ORIGIN, conflicted, NEWS, NOW)
    point_at(others, "fruit", "f" * 64)
    assert promote(others, run, decision, conflicted, NEWS, NOW, attempt=1).status == "conflict"
    assert promote(others, run, decision, conflicted, NEWS, NOW, attempt=ATTEMPTS).status == "rejected"

    # A call that was cut off while it logged the model, and one while it registered it.
    for place, owner in {"log": Model, "register_model": mlflow}.items():
        cut, system = copied(kept), trackers(f"cut-{place}")
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(owner, place, broken_call)
            with pytest.raises(ConnectionError):
                register(lake, cut, run, decision, ORIGIN, system, NEWS, NOW)
        assert register(lake, cut, run, decision, ORIGIN, system, NEWS, NOW).status == "promoted"

    # Two that register the same run at once: what both have made is found, and the later one goes.
    doubled(lake, copied(kept), run, decision, trackers("double"), client, recorder)

    # An experiment that somebody deleted, and one whose bucket went with an earlier stack.
    seen = set(recorder.seen)
    client.delete_experiment(client.get_experiment_by_name("fruit").experiment_id)
    client.create_experiment("early", artifact_location="s3://andamio-early-models1234-abcd/mlflow")
    recorder.seen.clear()
    recorder.seen |= seen
    trackers("fruit")("fruit")
    trackers("early")("fruit")
    assert client.get_experiment_by_name("early").artifact_location.startswith("file://")


def broken_call(*args, **kwargs):
    raise ConnectionError("the function ended")


def doubled(lake, models, run, decision, tracker, client, recorder) -> None:
    """Two calls at once: the other one's runs appear after this one has looked."""
    real = MlflowClient.search_runs
    state = {"calls": 0}

    def blind(self, *args, **kwargs):
        state["calls"] += 1
        found = real(self, *args, **kwargs)
        return type(found)([], None) if state["calls"] in (1, 3) else found

    register(lake, copied(models), run, decision, ORIGIN, tracker, NEWS, NOW)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MlflowClient, "search_runs", blind)
        register(lake, copied(models), run, decision, ORIGIN, tracker, NEWS, NOW)


def test_every_call_is_one_that_the_role_may_make(called):
    assert called - set(ACTIONS) == set()


def test_every_action_that_the_role_has_is_called(called):
    assert set(ACTIONS) - called == set()


def test_the_metrics_history_is_among_them(called):
    """`log_model` asks for it inside a run, which no code of ours shows."""
    assert "GetMetricHistory" in called


def test_a_model_is_of_its_system_and_a_data_set_of_its_problem(trained, tmp_path):
    lake, kept, run, decision = trained
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    try:
        for system in ("fruit", "fruit--prod"):
            models = copied(kept)
            tracker = MlflowTracker(uri, system, f"file://{tmp_path}/{system}")
            register(lake, models, run, decision, ORIGIN, lambda problem, tracker=tracker: tracker, NEWS, NOW)
            promote(models, run, decision, lambda problem, tracker=tracker: tracker, NEWS, NOW)
        client = MlflowClient(uri, uri)
        assert {model.name for model in client.search_registered_models()} == {"fruit", "fruit--prod"}
        for system in ("fruit", "fruit--prod"):
            experiment = client.get_experiment_by_name(system)
            assert experiment.artifact_location == f"file://{tmp_path}/{system}"
            assert str(client.get_model_version_by_alias(system, "champion").version) == "1"
            (parent,) = client.search_runs([experiment.experiment_id], "tags.`andamio.kind` = 'training'")
            assert parent.inputs.dataset_inputs[0].dataset.name == "fruit"
    finally:
        mlflow.set_tracking_uri(before[0])
        mlflow.set_registry_uri(before[1])
