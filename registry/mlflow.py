"""Runs and models in MLflow: one parent run per training run, a nested run per trial, one model version.

MLflow has no create-if-absent, so everything is found by its tags before it is made: a call that is repeated,
also after one that was cut off half-way, adds nothing. Nothing here is needed to serve.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

# Before the import: no usage data from inside a function, no lock file of whatever folder it runs in, and no two lines
# of log for each trial.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# A server that ends in the middle is told of within seconds, not after minutes of silence: 2 + 4 + 8 s of waiting.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_UV_AUTO_DETECT", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelStatus, Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model
from mlflow.tracking import MlflowClient

from andamio import names
from andamio.contract import Contract
from andamio.contract.own_code import deployed_source, prepare_digest
from andamio.dataset.version import REPORT
from andamio.errors import TrainingError
from registry import fields, flavor
from registry.record import Record, TrackedRun
from training.documents import FittedModel, ScoredTrial

# SageMaker's plugin, which is asked about every request, warns about every one that is not for SageMaker.
logging.getLogger("mlflow.tracking.request_header.registry").setLevel(logging.ERROR)

RUN, KIND, TRIAL = "andamio.run", "andamio.kind", "andamio.trial"
DATASET, DECISION, RELEASE = "andamio.dataset", "andamio.decision", "andamio.release"
SPLIT, LOCK, VERDICT, STATUS = "andamio.split", "andamio.lock", "andamio.verdict", "andamio.status"
CHOSEN, DATA_REPORT, BECAUSE = "andamio.chosen", "andamio.report", "andamio.because"
PARENT, NAME, NOTE = "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content"
KIND_OF_EXPERIMENT, MODELS = "mlflow.experimentKind", "custom_model_development"
"""What MLflow's page goes by: runs and models, not prompts and traces."""
PENDING = "pending"
"""The outcome of what the gate allows and the pointer does not name yet."""
ENDS = {"done": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}
"""How a trial's run ends in MLflow."""
_PAGE = 1000
_AT_ONCE = 8
"""How many trials are written side by side: what they take is mostly waiting for the server."""
_STACK_IN_BUCKET = 24
"""How much of a stack's name CloudFormation at least leaves in a bucket's name."""


class MlflowTracker:
    """A system's experiment and registered model, both named like it.

    `artifacts` is the URI under which a new experiment keeps files.
    """

    def __init__(self, tracking_uri: str, system: str, artifacts: str) -> None:
        mlflow.set_tracking_uri(tracking_uri)
        mlflow.set_registry_uri(tracking_uri)
        self.system = system
        self._client = MlflowClient(tracking_uri, tracking_uri)
        # A database in a file has one writer at a time.
        self._at_once = 1 if tracking_uri.startswith(("sqlite:", "file:")) else _AT_ONCE
        self._experiment = self._find_experiment(artifacts)

    def log(self, record: Record) -> TrackedRun:
        """Write the run, its trials, its data set and its model, or find them written."""
        run_id = self._parent(record)
        self._trials(record, run_id)
        version = mlmodel = None
        if isinstance(record.fit, FittedModel) and record.onnx is not None and record.contract is not None:
            model_id = self._model(record, record.contract, record.onnx, record.fit.serving, run_id)
            mlmodel = self._mlmodel(model_id, record.onnx)
            version = self._version(record, record.contract, model_id, run_id)
        outcome = record.decision.outcome if record.decision else record.fit.status
        # It is not promoted before the pointer names it, which may take a person's approval.
        self.conclude(run_id, version, PENDING if outcome == "promoted" else outcome)
        return TrackedRun(run_id, version, mlmodel)

    def record_release(self, tracked_version: str, release: str) -> None:
        """Note which release a model version became; decided on again, it becomes another one besides."""
        self._client.set_model_version_tag(self.system, tracked_version, RELEASE, release)
        self._client.set_model_version_tag(self.system, tracked_version, f"{RELEASE}.{release}", "true")

    def version_of(self, release: str) -> str | None:
        """The model version that became a release; None where there is none."""
        # Versions of before have no tag for each release.
        for tag in (f"tags.`{RELEASE}.{release}` = 'true'", f"tags.`{RELEASE}` = '{release}'"):
            found = self._client.search_model_versions(f"name = '{self.system}' and {tag}")
            if found:
                return str(min(int(version.version) for version in found))
        return None

    def point(self, alias: str, version: str) -> None:
        """Give a model version an alias, taking it from whichever had it."""
        self._client.set_registered_model_alias(self.system, alias, version)

    def unpoint(self, alias: str, version: str) -> None:
        """Take an alias from a model version, if it has it."""
        if alias in self._client.get_model_version(self.system, version).aliases:
            self._client.delete_registered_model_alias(self.system, alias)

    def version_with(self, alias: str) -> str | None:
        """The model version that has an alias; None where none has."""
        try:
            return str(self._client.get_model_version_by_alias(self.system, alias).version)
        except MlflowException as error:
            if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                raise
            return None

    def tag_outcome(self, version: str, outcome: str) -> None:
        """Record what became of a model version, and of the run that made it."""
        self._client.set_model_version_tag(self.system, version, DECISION, outcome)
        made_by = self._client.get_model_version(self.system, version).run_id
        try:
            self._client.set_tag(str(made_by), DECISION, outcome)
        except MlflowException as error:
            if error.error_code not in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"):
                raise
            # A person deleted the run, which its model outlives.

    def outcome_of(self, version: str) -> str:
        """What is on record as having become of a model version; "" where nothing is."""
        return str(self._client.get_model_version(self.system, version).tags.get(DECISION, ""))

    def conclude(self, run_id: str, version: str | None, outcome: str) -> None:
        """Record the outcome of a run and its model version."""
        if version is None:
            self._client.set_tag(run_id, DECISION, outcome)
        else:
            self.tag_outcome(version, outcome)

    # Experiment and runs

    def _find_experiment(self, artifacts: str) -> str:
        found = self._client.get_experiment_by_name(self.system)
        if found is not None and self._of_another_stack(found.artifact_location, artifacts):
            # Its files are in a bucket that was destroyed with its stack, or that we may not write to.
            self._client.rename_experiment(found.experiment_id, f"{self.system} ({_bucket(found.artifact_location)})")
            found = None
        if found is None:
            try:
                created: str = self._client.create_experiment(self.system, artifacts, {KIND_OF_EXPERIMENT: MODELS})
                return created
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            found = self._client.get_experiment_by_name(self.system)
        if found is None:
            raise TrainingError(f"MLflow neither has nor creates the experiment '{self.system}'")
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        experiment: str = found.experiment_id
        return experiment

    def _of_another_stack(self, location: str, artifacts: str) -> bool:
        """Whether an experiment keeps files in the bucket that an earlier stack of the system had."""
        is_ours = _bucket(location).startswith(names.stack(self.system)[:_STACK_IN_BUCKET])
        return is_ours and _bucket(location) != _bucket(artifacts)

    def _find_or_create(self, tags: Mapping[str, str], name: str, started: int) -> tuple[str, bool]:
        """The run with these tags, and whether it was finished; of two made at once, one counts."""
        query = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())

        def first() -> Any:
            runs = self._client.search_runs([self._experiment], query, order_by=["attributes.start_time ASC"])
            return min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)

        found = first()
        if found is None:
            made = self._client.create_run(self._experiment, start_time=started, tags={**tags, NAME: name})
            found = first() or made
            if found.info.run_id != made.info.run_id:
                self._client.delete_run(made.info.run_id)
        return found.info.run_id, found.info.status == "FINISHED"

    def _parent(self, record: Record) -> str:
        planned = round(datetime.fromisoformat(record.plan.started).timestamp() * 1000)
        run_id, finished = self._find_or_create({RUN: record.run, KIND: "training"}, record.run, planned)
        if not finished:
            self._log(run_id, fields.params(record), fields.figures(record), tags=_tags(record))
            version = record.plan.dataset
            source = Dataset(
                name=record.problem, digest=version, source_type="s3", source=f'{{"uri": "{record.source}"}}'
            )
            self._client.log_inputs(run_id, [DatasetInput(source, [InputTag("mlflow.data.context", "training")])])
            self._files(run_id, fields.files(record))
            self._client.set_terminated(run_id, "FINISHED")
        self._files(run_id, fields.decision_files(record))
        self._client.set_tag(run_id, NOTE, fields.note(record))
        if record.card is not None:
            self._client.set_tag(run_id, VERDICT, record.card.verdict.level)
        return run_id

    def _files(self, run_id: str, files: Mapping[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for name, body in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(body)
            if files:
                self._client.log_artifacts(run_id, folder)

    # Trials: there may be two thousand, so each takes three calls and no more, and several are written at once

    def _trials(self, record: Record, parent: str) -> None:
        known = self._trial_runs(record)
        left = []
        for trial in record.trials:
            found = next(iter(known.get(trial.id, [])), None)
            if found is None or found.info.status not in ENDS.values():
                left.append((trial, found))
        with ThreadPoolExecutor(self._at_once) as pool:
            list(pool.map(lambda item: self._trial(record, item[0], parent, item[1]), left))
        if any(found is None for _, found in left):  # of two that were made at once, the first one counts
            for runs in self._trial_runs(record).values():
                for double in runs[1:]:
                    self._client.delete_run(double.info.run_id)

    def _trial_runs(self, record: Record) -> dict[str, list[Any]]:
        """The runs of a run's trials, by trial, the oldest first."""
        query = f"tags.`{RUN}` = '{record.run}' and tags.`{KIND}` = 'trial'"
        found: dict[str, list[Any]] = {}
        token = None
        while True:
            page = self._client.search_runs([self._experiment], query, max_results=_PAGE, page_token=token)
            for run in page:
                found.setdefault(run.data.tags[TRIAL], []).append(run)
            token = page.token
            if not token:
                break
        for runs in found.values():
            runs.sort(key=lambda run: (run.info.start_time, run.info.run_id))
        return found

    def _trial(self, record: Record, trial: fields.Trial, parent: str, found: Any) -> None:
        took = round(1000 * (trial.seconds or 0))
        if found is None:
            tags = {RUN: record.run, KIND: "trial", TRIAL: trial.id, PARENT: parent}
            tags |= {DATASET: record.plan.dataset, STATUS: trial.status}
            tags |= {CHOSEN: "true"} if trial.id == fields.exported(record) else {}
            tags |= {NOTE: text} if (text := fields.trial_note(record, trial)) else {}
            started = round(time.time() * 1000) - took
            found = self._client.create_run(self._experiment, start_time=started, tags=tags, run_name=trial.id)
        started = found.info.start_time
        figures = fields.trial_figures(record, trial)
        folds = {f"fold_{record.plan.metric}": trial.folds if isinstance(trial, ScoredTrial) else []}
        self._client.log_batch(found.info.run_id, _points(started, figures, folds), _pairs(fields.trial_params(trial)))
        self._client.set_terminated(found.info.run_id, ENDS[trial.status], started + took)

    def _log(
        self, run_id: str, params: Mapping[str, Any], figures: Mapping[str, float], tags: Mapping[str, str]
    ) -> None:
        started = self._client.get_run(run_id).info.start_time
        labels = [RunTag(name, value) for name, value in tags.items()]
        self._client.log_batch(run_id, _points(started, figures), _pairs(params), labels)

    # Model and version

    def _model(self, record: Record, contract: Contract, body: bytes, serving: dict[str, object], run_id: str) -> str:
        """The id of the run's logged model; one that was not finished is logged again."""
        logged = self._client.search_logged_models([self._experiment], f"source_run_id = '{run_id}'")
        ready = [model for model in logged if model.status == LoggedModelStatus.READY]
        if ready:
            found: str = min(ready, key=lambda model: (model.creation_timestamp, model.model_id)).model_id
            return found
        with mlflow.start_run(run_id=run_id):
            info = Model.log(
                None,
                flavor,
                name=self.system,
                body=body,
                contract=contract,
                serving=serving,
                prepare=deployed_prepare(contract),
                metadata={"run": record.run, "dataset": record.plan.dataset, "model": hashlib.sha256(body).hexdigest()},
            )
        made: str = info.model_id
        return made

    def _mlmodel(self, model_id: str, body: bytes) -> bytes:
        """MLflow's description of the model; raises `TrainingError` when it keeps another graph than was proven."""
        location = self._client.get_logged_model(model_id).artifact_location
        with tempfile.TemporaryDirectory() as folder:
            stored = Path(mlflow.artifacts.download_artifacts(f"{location}/model.onnx", dst_path=folder)).read_bytes()
            mlmodel = Path(mlflow.artifacts.download_artifacts(f"{location}/MLmodel", dst_path=folder)).read_bytes()
        if hashlib.sha256(stored).digest() != hashlib.sha256(body).digest():
            raise TrainingError(f"MLflow's model {model_id} is not the graph that parity was proven for")
        return mlmodel

    def _version(self, record: Record, contract: Contract, model_id: str, run_id: str) -> str:
        problem = contract.problem
        description = "\n\n".join(text for text in (problem.title, problem.description, problem.objective) if text)
        try:
            self._client.create_registered_model(self.system, description=description or None)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = self._client.search_model_versions(f"name = '{self.system}' and tags.`{RUN}` = '{record.run}'")
        same = [version for version in found if version.run_id == run_id]  # not one of an earlier stack
        if same:
            version = str(min(same, key=lambda version: int(version.version)).version)
        else:
            tags = {RUN: record.run, **_tags(record)}
            made = mlflow.register_model(f"models:/{model_id}", self.system, tags=tags, await_registration_for=60)
            version = str(made.version)
        self._client.update_model_version(self.system, version, fields.note(record))
        return version


def _tags(record: Record) -> dict[str, str]:
    """What a run and a model version are found by: data version, split, lock file, why the watch started it."""
    found = {DATASET: record.plan.dataset, SPLIT: record.plan.split, LOCK: record.lock}
    found[BECAUSE] = record.plan.because or ""
    if record.report is not None:
        found[DATA_REPORT] = record.source + REPORT
    return {name: value for name, value in found.items() if value}


def _bucket(uri: str) -> str:
    """The bucket of an S3 URI, or "" of another one."""
    return uri.removeprefix("s3://").split("/")[0] if uri.startswith("s3://") else ""


def deployed_prepare(contract: Contract) -> bytes | None:
    """The deployed prepare.py, where a model needs it and was trained with it."""
    source = deployed_source() if contract.prepares else None
    return source if source is not None and prepare_digest(source) == contract.prepare else None


def _points(
    started: int, figures: Mapping[str, float], series: Mapping[str, Sequence[float | None]] | None = None
) -> list[Metric]:
    """Metrics at a fixed time, in ms: a point that is repeated is the same. A series has a step a value."""
    points = [Metric(name, value, started, 0) for name, value in figures.items()]
    for name, values in (series or {}).items():
        points += [Metric(name, value, started, step) for step, value in enumerate(values) if value is not None]
    return points


def _pairs(params: Mapping[str, Any]) -> list[Param]:
    return [Param(name, str(value)) for name, value in params.items()]
