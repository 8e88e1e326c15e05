"""MLflow's record, on a real MLflow: complete, and the same however often it is written."""

import dataclasses
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from andamio.adapters.memory import MemoryEvents, MemoryObjects
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.dataset.documents import DatasetAudit
from andamio.errors import TrainingError
from andamio.records.encode import encode
from andamio.records.from_json import parse_records
from andamio.release.model import Model
from andamio.release.pointer import PointerEntry, read_pointer, swap_pointer
from registry import card, flavor
from registry.follow import follow
from registry.mlflow import MlflowTracker
from registry.news import News
from registry.record import Origin, read_record
from registry.register import promote, register, with_card
from tests.support.datasets import FRUIT_FOLDER, fruit_cells, publish
from tests.support.runs import a_trial, copied, evaluated, planned
from training.documents import UnscoredTrial
from training.evaluate.decide import decide
from training.fit import fit
from training.run import Run

pytestmark = pytest.mark.slow

FRUIT = Contract.load(FRUIT_FOLDER)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)
ORIGIN = Origin("s3://lake/datasets/", lock="10c" * 21 + "1")
NEWS = News(MemoryEvents(), "heart")
FAMILIES = ("logistic_regression", "gradient_boosting")


@pytest.fixture(scope="module")
def trained():
    lake, models = MemoryObjects("lake"), MemoryObjects("models")
    publish(lake, FRUIT, fruit_cells())
    run, _ = evaluated(lake, models, FRUIT, families=FAMILIES)
    return lake, models, run, decide(lake, models, run).decision


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    before = mlflow.get_tracking_uri(), mlflow.get_registry_uri()
    yield tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(before[0])
    mlflow.set_registry_uri(before[1])


def fruit_records(rows):
    """Raw records as a notebook has them: numbers where texts write one, texts that mean no value among the rest."""
    cells = fruit_cells()
    numbers = [name for name, feature in FRUIT.inputs.items() if feature.type == "number"]

    def value(name, text):
        return float(text) if name in numbers and text not in FRUIT.data.missing else text

    return [{name: value(name, cells[name][row]) for name in FRUIT.inputs} for row in range(rows)]


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
    lake, models, run, decision = trained
    read = read_record(lake, Run(run, models), decision, ORIGIN)
    return with_card(Run(run, copied(models)), decision, read)


def test_one_parent_run_has_a_nested_run_for_each_trial(tracker, record):
    tracked = tracker(None).log(record)
    (parent,) = tracker.runs("training")
    trials = tracker.runs("trial")
    assert parent.info.run_id == tracked.run_id
    assert {run.data.tags["mlflow.parentRunId"] for run in trials} == {tracked.run_id}
    assert sorted(run.data.tags["andamio.trial"] for run in trials) == sorted(trial.id for trial in record.trials)
    assert {run.data.params["family"] for run in trials} >= set(FAMILIES)
    scored = [run for run in trials if run.data.tags["andamio.status"] == "done"]
    assert scored
    for run in scored:
        assert {"cv_log_loss", "cv_log_loss_standard_error", "fold_log_loss"} <= set(run.data.metrics)
    trial = next(trial for trial in record.trials if trial.id == scored[0].data.tags["andamio.trial"])
    history = tracker.client.get_metric_history(scored[0].info.run_id, "fold_log_loss")
    assert [point.value for point in sorted(history, key=lambda point: point.step)] == trial.folds
    assert parent.info.status == "FINISHED"


def test_the_parent_run_says_what_was_decided_on_which_data(tracker, record):
    tracker(None).log(record)
    (parent,) = tracker.runs("training")
    assert parent.data.tags["andamio.decision"] == "pending", "the pointer does not name it yet"
    assert parent.data.tags["andamio.run"] == record.run
    assert parent.info.start_time == datetime.fromisoformat(record.plan.started).timestamp() * 1000
    assert parent.data.tags["andamio.dataset"] == record.plan.dataset
    assert {"holdout_log_loss", "holdout_log_loss_low", "holdout_log_loss_high"} <= set(parent.data.metrics)
    (used,) = parent.inputs.dataset_inputs
    assert (used.dataset.digest, used.dataset.source_type) == (record.plan.dataset, "s3")
    assert f"s3://lake/datasets/{record.plan.dataset}/" in used.dataset.source


def test_the_parent_run_holds_card_decision_evaluation_importance_plots_and_audit(tracker, record, tmp_path):
    found = dataclasses.replace(
        record,
        plots={"roc": b"<svg/>"},
        audit=DatasetAudit(suspects=[], checked=[], findings=[]),
        report=b"<!doctype html>",
    )
    tracked = tracker(None).log(found)
    folder = Path(tracker.client.download_artifacts(tracked.run_id, "", str(tmp_path)))
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert kept >= {
        "card.md", "card.html", "decision.json", "evaluation.json", "fit.json", "plan.json", "importance.json",
        "plots/roc.svg", "data/manifest.json", "data/audit.json", "data/report.html",
    }  # fmt: skip
    assert (folder / "card.md").read_text() == record.card.markdown
    assert json.loads((folder / "decision.json").read_text())["outcome"] == "promoted"


def test_the_plots_of_the_evaluation_are_artifacts_and_in_the_card(tracker, record):
    tracked = tracker(None).log(record)
    listed = {item.path for item in tracker.client.list_artifacts(tracked.run_id, "plots")}
    assert listed >= {"plots/roc.svg", "plots/calibration.svg", "plots/confusion.svg", "plots/importance.svg"}
    assert record.card.html.count("data:image/svg+xml;base64,") == len(record.plots)


def test_run_and_version_are_described_by_the_card_and_name_the_lock_file(tracker, record):
    tracked = tracker(None).log(record)
    (parent,) = tracker.runs("training")
    version = tracker.client.get_model_version(tracker.name, tracked.version)
    for said in (parent.data.tags["mlflow.note.content"], version.description):
        assert said.startswith(record.card.summary)
    assert parent.data.tags["andamio.verdict"] == record.card.verdict.level
    for tags in (parent.data.tags, version.tags):
        assert tags["andamio.lock"] == ORIGIN.lock
        assert tags["andamio.dataset"] == record.plan.dataset
    assert tracker.client.get_registered_model(tracker.name).description


def test_run_and_version_say_why_the_watch_started_the_training(tracker, record):
    why = "Retraining: drift in 2 of the last 3 windows"
    tracked = tracker(None).log(dataclasses.replace(record, plan=record.plan.model_copy(update={"because": why})))
    (parent,) = tracker.runs("training")
    version = tracker.client.get_model_version(tracker.name, tracked.version)
    assert [tags.get("andamio.because") for tags in (parent.data.tags, version.tags)] == [why, why]


def test_a_trial_that_failed_or_was_pruned_ended_like_that_and_says_why(tracker, record):
    metric = record.plan.metric
    others = [
        UnscoredTrial(**a_trial("broken"), metric=metric, status="failed", why="it did not converge"),
        UnscoredTrial(**a_trial("large"), metric=metric, status="pruned", why="61 MB is more than 50", seconds=2.5),
    ]
    found = dataclasses.replace(record, trials=[*record.trials, *others])
    tracker(None).log(found)
    tracker(None).log(found)
    trials = {run.data.tags["andamio.trial"]: run for run in tracker.runs("trial")}
    assert len(trials) == len(found.trials) == len(tracker.runs("trial"))
    assert trials["broken"].info.status == "FAILED"
    assert trials["broken"].data.tags["mlflow.note.content"] == "failed: it did not converge"
    assert trials["large"].info.status == "KILLED"
    assert trials["large"].info.end_time - trials["large"].info.start_time == 2500
    chosen = [name for name, run in trials.items() if run.data.tags.get("andamio.chosen") == "true"]
    assert chosen == [record.fit.trial]


def test_a_second_decision_on_the_same_run_replaces_what_the_first_left(tracker, record, tmp_path):
    first = tracker(None).log(record)
    facts = record.facts()
    rejected = {"outcome": "rejected", "reason": "another came first"}
    facts = dataclasses.replace(facts, decision=facts.decision.model_copy(update=rejected))
    again = dataclasses.replace(record, decision=facts.decision, card=card.make(facts))
    assert tracker(None).log(again) == first
    (parent,) = tracker.runs("training")
    assert "did **not promote**" in parent.data.tags["mlflow.note.content"]
    assert parent.data.tags["andamio.decision"] == "rejected"
    kept = Path(tracker.client.download_artifacts(first.run_id, "card.md", str(tmp_path))).read_text()
    assert kept == again.card.markdown


def test_the_logged_model_is_the_one_that_was_proven_with_its_signature(tracker, record, tmp_path):
    tracked = tracker(None).log(record)
    version = tracker.client.get_model_version(tracker.name, tracked.version)
    folder = mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path))
    assert (tmp_path / "model.onnx").read_bytes() == record.onnx
    model = mlflow.models.Model.load(folder)
    assert "onnx" in model.flavors
    contract = record.contract
    assert model.signature.inputs.input_names() == list(contract.inputs)
    assert model.signature.inputs.optional_input_names() == []
    answer = ["label", "label_text", *(f"probability_{key}" for key in contract.classes)]
    assert model.signature.outputs.input_names() == answer
    assert list(model.load_input_example(folder).columns) == list(contract.inputs)
    assert tracked.mlmodel == (tmp_path / "MLmodel").read_bytes()
    requirements = (tmp_path / "requirements.txt").read_text()
    assert "onnxruntime==" in requirements
    assert "scikit-learn" not in requirements


def test_mlflow_itself_scores_raw_records_as_the_api_does(tracker, record):
    tracked = tracker(None).log(record)
    contract = record.contract
    records = [example_record(contract), *fruit_records(30)]
    loaded = mlflow.pyfunc.load_model(f"models:/{tracker.name}/{tracked.version}")
    scored = loaded.predict(pd.DataFrame(records, index=range(100, 100 + len(records))))
    expected = Model(contract, record.onnx).predict(encode(contract, parse_records(contract, records)))
    found = scored[[f"probability_{key}" for key in contract.classes]].to_numpy()
    assert np.abs(found - expected).max() <= 1e-6
    assert scored["label"].tolist() == [contract.classes[index] for index in expected.argmax(axis=1)]
    assert scored["label_text"].tolist() == [contract.texts[key] for key in scored["label"]]
    assert scored.index.tolist() == list(range(100, 100 + len(records)))


ELSEWHERE = """
import json, sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
import andamio.contract
found = model.predict(pd.DataFrame(json.loads(sys.argv[2])))
print(json.dumps({"code": andamio.contract.__file__, "found": found.to_dict("list")}))
"""


def test_a_model_that_was_downloaded_scores_with_the_code_that_came_with_it(tracker, record, tmp_path):
    tracked = tracker(None).log(record)
    version = tracker.client.get_model_version(tracker.name, tracked.version)
    folder = mlflow.artifacts.download_artifacts(version.source, dst_path=str(tmp_path))
    assert not [file for file in Path(folder).rglob("*") if file.suffix in (".pkl", ".pickle", ".pyc")]
    records = json.dumps(fruit_records(3))
    ran = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, folder, records], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    answer = json.loads(ran.stdout)
    assert Path(answer["code"]).is_relative_to(tmp_path)
    assert list(answer["found"]) == ["label", "label_text", *(f"probability_{key}" for key in record.contract.classes)]


def test_code_comes_from_the_sources_of_a_bundle_where_modules_are_bytecode(monkeypatch, tmp_path):
    expected = dict(flavor.code())
    for name, source in expected.items():
        (tmp_path / "sources" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "sources" / f"{name}.txt").write_bytes(source)
    monkeypatch.setattr(flavor, "ROOT", tmp_path)
    assert dict(flavor.code()) == expected
    (tmp_path / "sources" / "andamio" / "release" / "pyfunc.py.txt").unlink()
    with pytest.raises(TrainingError, match=r"source of andamio/release/pyfunc\.py is not there"):
        dict(flavor.code())


def test_a_raw_record_that_breaks_the_contract_is_told_so(tracker, record):
    tracked = tracker(None).log(record)
    loaded = mlflow.pyfunc.load_model(f"models:/{tracker.name}/{tracked.version}")
    wrong = {**example_record(record.contract), next(iter(record.contract.inputs)): [1]}
    with pytest.raises(Exception, match="record 0, field"):
        loaded.predict(pd.DataFrame([wrong]))


def test_logging_again_adds_nothing(tracker, record):
    first = tracker(None).log(record)
    assert tracker(None).log(record) == first
    assert (len(tracker.runs("training")), len(tracker.runs("trial")), len(tracker.versions())) == (
        1,
        len(record.trials),
        1,
    )
    assert len(tracker.runs("training")[0].inputs.dataset_inputs) == 1


@pytest.mark.parametrize("place", ["log", "register_model", "log_batch"])
def test_a_call_that_was_cut_off_is_completed_without_doubles(tracker, record, monkeypatch, place):
    owner = {"log": mlflow.models.Model, "register_model": mlflow, "log_batch": MlflowClient}[place]

    class CutOff(Exception):
        pass

    def cut(*args, **kwargs):
        raise CutOff

    with monkeypatch.context() as patched:
        patched.setattr(owner, place, cut)
        with pytest.raises(CutOff):
            tracker(None).log(record)
    tracked = tracker(None).log(record)
    assert (len(tracker.runs("training")), len(tracker.runs("trial")), len(tracker.versions())) == (
        1,
        len(record.trials),
        1,
    )
    (parent,) = tracker.runs("training")
    assert parent.info.status == "FINISHED"
    assert len(parent.inputs.dataset_inputs) == 1
    assert len(tracker.client.get_metric_history(tracked.run_id, "holdout_log_loss")) == 1


def test_registering_and_promoting_set_alias_tags_and_release(tracker, trained):
    lake, kept, run, decision = trained
    models = copied(kept)
    result = register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW)
    assert promote(models, run, decision, tracker, NEWS, NOW).status == "promoted"
    champion = tracker.client.get_model_version_by_alias(tracker.name, "champion")
    assert str(champion.version) == result.mlflow_version
    assert champion.tags["andamio.release"] == result.release
    assert champion.tags["andamio.decision"] == "promoted"
    assert b"flavors:" in models.get(f"releases/{result.release}/MLmodel").body


def test_a_second_model_that_is_rejected_is_the_challenger(tracker, trained):
    lake, kept, run, decision = trained
    models = copied(kept)
    register(lake, models, run, decision, ORIGIN, tracker, NEWS, NOW)
    promote(models, run, decision, tracker, NEWS, NOW)
    second, _ = evaluated(lake, models, FRUIT, families=("gradient_boosting",))
    result = register(lake, models, second, decide(lake, models, second).decision, ORIGIN, tracker, NEWS, NOW)
    assert result.status == "rejected"
    aliases = {
        alias: str(tracker.client.get_model_version_by_alias(tracker.name, alias).version)
        for alias in ("champion", "challenger")
    }
    assert aliases == {"champion": "1", "challenger": "2"}

    pointer, etag = read_pointer(models, FRUIT.problem.name)
    swap_pointer(models, pointer.promoted(PointerEntry(result.release, NOW.isoformat(), second)), etag)
    assert follow(models, FRUIT.problem.name, tracker).mlflow_version == "2"
    assert str(tracker.client.get_model_version_by_alias(tracker.name, "champion").version) == "2"
    assert tracker(None).version_of("0123456789abcdef") is None

    made_by = tracker.client.get_model_version(tracker.name, "2").run_id
    assert tracker.client.get_run(made_by).data.tags["andamio.decision"] == "promoted"
    assert tracker(None).outcome_of("2") == "promoted"
    tracker.client.delete_run(made_by)
    tracker(None).tag_outcome("2", "withdrawn")
    assert tracker(None).outcome_of("2") == "withdrawn", "a model outlives its run"


def test_a_run_without_a_model_is_on_record_all_the_same(tracker, trained):
    def broken(fitted):
        raise RuntimeError("cannot be converted")

    lake, models = trained[0], MemoryObjects("models")
    run = planned(lake, models, FRUIT)
    fit(lake, models, run, exporter=broken)
    assert register(lake, models, run, None, ORIGIN, tracker, NEWS, NOW).status == "no_parity"
    (parent,) = tracker.runs("training")
    assert parent.data.tags["andamio.decision"] == "no_parity"
    assert "cannot be converted" in parent.data.tags["mlflow.note.content"]
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
