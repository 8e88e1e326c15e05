"""MLflow's record, on a real MLflow: complete, and the same however often it is written."""

import hashlib
from datetime import UTC, datetime

import mlflow
import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.runs import copied, evaluated, planned
from training.decide import decide
from training.fit import fit
from training.register import promote, read_record, register
from training.runs import Run
from training.track import MlflowTracker

FRUIT = Contract.load(FRUIT_FOLDER)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
SOURCE = "s3://lake/datasets/"
FAMILIES = ("logistic_regression", "gradient_boosting")


@pytest.fixture(scope="module")
def trained():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, FRUIT, fruit_cells())
    run, _ = evaluated(lake, models, FRUIT, families=FAMILIES)
    return lake, models, run, decide(lake, models, run)["decision"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


class Mlflow:
    """A tracker of one test: problems get a name of their own in a database that tests share."""

    def __init__(self, folder, prefix):
        self.uri, self.artifacts, self.prefix = f"sqlite:///{folder}/mlflow.db", f"file://{folder}/artifacts", prefix
        self.client = MlflowClient(self.uri, self.uri)

    def __call__(self, problem):
        return MlflowTracker(self.uri, self.name, self.artifacts)

    @property
    def name(self):
        return f"fruit-{self.prefix}"

    def runs(self, kind):
        experiment = self.client.get_experiment_by_name(self.name)
        return self.client.search_runs([experiment.experiment_id], f"tags.`andamio.kind` = '{kind}'")

    def versions(self):
        return self.client.search_model_versions(f"name = '{self.name}'")


@pytest.fixture
def tracker(store, request):
    return Mlflow(store, hashlib.sha256(request.node.name.encode()).hexdigest()[:8])


@pytest.fixture
def record(trained):
    _, models, run, decision = trained
    return read_record(Run(run, models), decision, SOURCE)


def test_one_parent_run_has_a_nested_run_for_each_trial(tracker, record):
    tracked = tracker(None).log(record)
    (parent,) = tracker.runs("training")
    trials = tracker.runs("trial")
    assert parent.info.run_id == tracked.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {tracked.run_id}
    assert {run.data.params["family"] for run in trials} == set(FAMILIES)
    assert all(
        {"cv_log_loss", "cv_log_loss_standard_error", "fold_log_loss"} <= set(run.data.metrics) for run in trials
    )
    assert len(tracker.client.get_metric_history(trials[0].info.run_id, "fold_log_loss")) == 5
    assert {run.info.status for run in [parent, *trials]} == {"FINISHED"}


def test_the_parent_run_says_what_was_decided_on_which_data(tracker, record):
    tracker(None).log(record)
    (parent,) = tracker.runs("training")
    assert parent.data.tags["andamio.decision"] == "promoted"
    assert parent.data.tags["andamio.run"] == record.run
    assert parent.data.tags["andamio.dataset"] == record.plan["dataset"]
    assert {"holdout_log_loss", "holdout_log_loss_low", "holdout_log_loss_high"} <= set(parent.data.metrics)
    (used,) = parent.inputs.dataset_inputs
    assert (used.dataset.digest, used.dataset.source_type) == (record.plan["dataset"], "s3")
    assert f"s3://lake/datasets/{record.plan['dataset']}/" in used.dataset.source


def test_the_logged_model_is_the_one_that_was_proven_with_its_signature(tracker, record, tmp_path):
    tracked = tracker(None).log(record)
    version = tracker.client.get_model_version(tracker.name, tracked.version)
    folder = mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path))
    assert (tmp_path / "model.onnx").read_bytes() == record.onnx
    model = mlflow.models.Model.load(folder)
    assert "onnx" in model.flavors
    assert [spec.name for spec in model.signature.inputs.inputs] == ["numbers", "categories"]
    assert [spec.name for spec in model.signature.outputs.inputs] == ["probabilities"]
    assert model.saved_input_example_info is not None
    assert tracked.mlmodel == (tmp_path / "MLmodel").read_bytes()
    requirements = (tmp_path / "requirements.txt").read_text()
    assert "onnxruntime==" in requirements
    assert "scikit-learn" not in requirements


def test_mlflow_itself_can_score_with_it(tracker, record):
    tracked = tracker(None).log(record)
    scored = mlflow.pyfunc.load_model(f"models:/{tracker.name}/{tracked.version}").predict(
        {
            "numbers": np.zeros((2, len(record.contract.number_columns)), dtype=np.float32),
            "categories": np.full((2, len(record.contract.category_columns)), "green"),
        }
    )
    assert np.asarray(scored["probabilities"]).shape == (2, 3)


def test_logging_again_adds_nothing(tracker, record):
    first = tracker(None).log(record)
    assert tracker(None).log(record) == first
    assert (len(tracker.runs("training")), len(tracker.runs("trial")), len(tracker.versions())) == (1, 2, 1)
    assert len(tracker.runs("training")[0].inputs.dataset_inputs) == 1


@pytest.mark.parametrize("place", ["log_model", "register_model", "log_batch"])
def test_a_call_that_was_cut_off_is_completed_without_doubles(tracker, record, monkeypatch, place):
    owner = {"log_model": mlflow.onnx, "register_model": mlflow, "log_batch": MlflowClient}[place]

    class CutOff(Exception):
        pass

    def cut(*args, **kwargs):
        raise CutOff

    with monkeypatch.context() as patched:
        patched.setattr(owner, place, cut)
        with pytest.raises(CutOff):
            tracker(None).log(record)
    tracked = tracker(None).log(record)
    assert (len(tracker.runs("training")), len(tracker.runs("trial")), len(tracker.versions())) == (1, 2, 1)
    (parent,) = tracker.runs("training")
    assert parent.info.status == "FINISHED"
    assert len(parent.inputs.dataset_inputs) == 1
    assert len(tracker.client.get_metric_history(tracked.run_id, "holdout_log_loss")) == 1


def test_registering_and_promoting_set_alias_tags_and_release(tracker, trained):
    _, kept, run, decision = trained
    models = copied(kept)
    result = register(models, run, decision, SOURCE, tracker)
    assert promote(models, run, decision, tracker, NOW)["status"] == "promoted"
    champion = tracker.client.get_model_version_by_alias(tracker.name, "champion")
    assert str(champion.version) == result["mlflow_version"]
    assert champion.tags["andamio.release"] == result["release"]
    assert champion.tags["andamio.decision"] == "promoted"
    assert b"flavors:" in models.get(f"releases/{result['release']}/MLmodel").body


def test_a_second_model_that_is_rejected_is_the_challenger(tracker, trained):
    lake, kept, run, decision = trained
    models = copied(kept)
    register(models, run, decision, SOURCE, tracker)
    promote(models, run, decision, tracker, NOW)
    second, _ = evaluated(lake, models, FRUIT, families=("gradient_boosting",))
    result = register(models, second, decide(lake, models, second)["decision"], SOURCE, tracker)
    assert result["status"] == "rejected"
    aliases = {
        alias: str(tracker.client.get_model_version_by_alias(tracker.name, alias).version)
        for alias in ("champion", "challenger")
    }
    assert aliases == {"champion": "1", "challenger": "2"}


def test_a_run_without_a_model_is_on_record_all_the_same(tracker, trained):
    def broken(fitted):
        raise RuntimeError("cannot be converted")

    lake, models = trained[0], MemoryObjects("models")
    run = planned(lake, models, FRUIT)
    fit(lake, models, run, exporter=broken)
    assert register(models, run, None, SOURCE, tracker)["status"] == "no_parity"
    (parent,) = tracker.runs("training")
    assert parent.data.tags["andamio.decision"] == "no_parity"
    assert not tracker.versions()


def test_an_experiment_that_somebody_deleted_is_brought_back(tracker, record):
    tracker(None).log(record)
    tracker.client.delete_experiment(tracker.client.get_experiment_by_name(tracker.name).experiment_id)
    tracker(None).log(record)
    assert tracker.client.get_experiment_by_name(tracker.name).lifecycle_stage == "active"


def test_an_experiment_whose_bucket_went_with_an_earlier_stack_is_set_aside(tracker, record):
    bucket = f"andamio-{tracker.name}-models1234-abcd"
    before = tracker.client.create_experiment(tracker.name, artifact_location=f"s3://{bucket}/mlflow")
    lost = tracker.client.create_run(before, tags={"andamio.run": record.run, "andamio.kind": "training"})
    tracker.client.create_registered_model(tracker.name)
    tracker.client.create_model_version(
        tracker.name, "s3://gone/model", lost.info.run_id, tags={"andamio.run": record.run}
    )
    tracked = tracker(None).log(record)
    assert tracker.client.get_experiment(before).name == f"{tracker.name} ({bucket})"
    assert tracker.client.get_experiment_by_name(tracker.name).artifact_location == tracker.artifacts
    assert tracked.version == "2"
    assert tracker(None).log(record) == tracked


def test_an_experiment_that_somebody_keeps_elsewhere_is_used_as_it_is(tracker, tmp_path):
    before = tracker.client.create_experiment(tracker.name, artifact_location=f"file://{tmp_path}/elsewhere")
    tracker(None)
    assert tracker.client.get_experiment_by_name(tracker.name).experiment_id == before
