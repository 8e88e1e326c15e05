"""What it takes to log to an MLflow server."""

from __future__ import annotations

from infra.constructs.role import Permission

# What `training/track.py` does through the MLflow client, as SageMaker names it. Deleted are an alias that moves, and
# a run that was made twice at once; updated is the name of an earlier stack's experiment.
ACTIONS = (
    "CreateExperiment",
    "CreateModelVersion",
    "CreateRegisteredModel",
    "CreateRun",
    "DeleteRegisteredModelAlias",
    "DeleteRun",
    "FinalizeLoggedModel",
    "GetDownloadURIForModelVersionArtifacts",
    "GetExperiment",
    "GetExperimentByName",
    "GetLoggedModel",
    "GetModelVersion",
    "GetModelVersionByAlias",
    "GetRegisteredModel",
    "GetRun",
    "ListArtifacts",
    "ListLoggedModelArtifacts",
    "LogBatch",
    "LogInputs",
    "LogLoggedModelParams",
    "LogMetric",
    "LogModel",
    "LogOutputs",
    "LogParam",
    "RestoreExperiment",
    "SearchExperiments",
    "SearchLoggedModels",
    "SearchModelVersions",
    "SearchRegisteredModels",
    "SearchRuns",
    "SetExperimentTag",
    "SetLoggedModelTags",
    "SetModelVersionTag",
    "SetRegisteredModelAlias",
    "SetRegisteredModelTag",
    "SetTag",
    "UpdateExperiment",
    "UpdateModelVersion",
    "UpdateRegisteredModel",
    "UpdateRun",
)

NOT_CALLED: dict[str, str] = {}

def may_track(uri: str) -> list[Permission]:
    """What a client needs to log to an MLflow server: nothing for a URL, these actions for an ARN of SageMaker's."""
    # The ARN of an app made here is not known yet, a given one is text.
    if "://" in uri:
        return []
    data = tuple(f"sagemaker-mlflow:{action}" for action in ACTIONS)
    return [Permission(("sagemaker:CallMlflowAppApi", *data), (uri,))]
