"""What it takes to log to an MLflow server."""

from __future__ import annotations

from infra.constructs.role import Permission

ACTIONS = (
    "CreateExperiment",
    "CreateModelVersion",
    "CreateRegisteredModel",
    "CreateRun",
    "DeleteRegisteredModelAlias",
    "DeleteRun",
    "FinalizeLoggedModel",
    "GetExperimentByName",
    "GetLoggedModel",
    "GetMetricHistory",
    "GetModelVersion",
    "GetModelVersionByAlias",
    "GetRegisteredModel",
    "GetRun",
    "LogBatch",
    "LogInputs",
    "LogModel",
    "LogOutputs",
    "RestoreExperiment",
    "SearchLoggedModels",
    "SearchModelVersions",
    "SearchRuns",
    "SetLoggedModelTags",
    "SetModelVersionTag",
    "SetRegisteredModelAlias",
    "SetTag",
    "UpdateExperiment",
    "UpdateModelVersion",
    "UpdateRun",
)
"""What `registry/mlflow.py` asks of MLflow, as SageMaker names it; a test records every call and allows no other.

Deleted are an alias that moves, and a run that was made twice at once; updated is the name of an earlier
stack's experiment. `GetMetricHistory` is asked by MLflow itself when a model is logged inside a run.
AWS's list has no action of its own for making a logged model, so `LogModel` stands for it.
"""

CALL_APP = "sagemaker:CallMlflowAppApi"
"""What a call to an MLflow app needs besides; a tracking server needs nothing more."""


def may_track(uri: str) -> list[Permission]:
    """What a client needs to log to an MLflow server: nothing for a URL, these actions for an ARN of SageMaker's."""
    # The ARN of an app made here is not known yet, a given one is text.
    if "://" in uri:
        return []
    data = tuple(f"sagemaker-mlflow:{action}" for action in ACTIONS)
    return [Permission(data if ":mlflow-tracking-server/" in uri else (CALL_APP, *data), (uri,))]
