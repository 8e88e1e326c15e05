"""What is allowed though no test of ours is seen to need it, and why it stays."""

from __future__ import annotations

from infra.proof.grants import Grant

KEPT: dict[str, dict[str, str]] = {
    "FunctionRole": {
        "logs:CreateLogStream": "Lambda writes the function's log under its role.",
        "logs:PutLogEvents": "Lambda writes the function's log under its role.",
    },
    "ScoringFunctionRole": {
        "s3:AbortMultipartUpload": "An upload that was cut off is abandoned, or its parts are kept and billed unseen.",
    },
    "RegistryFunctionRole": {
        "s3:AbortMultipartUpload": "MLflow's client abandons an upload that was cut off.",
        "sagemaker:CallMlflowAppApi": "SageMaker asks for it on every call to its MLflow app.",
        "sagemaker-mlflow:": "Recorded on a real MLflow server: tests/unit/training/test_track_calls.py.",
    },
    "TrackingRole": {
        "s3:": "SageMaker's MLflow app reads and writes its artifacts: what its documentation asks for.",
    },
    "AccessLogRole": {
        "s3:": "Firehose delivers to S3: what its documentation asks for.",
    },
}
"""The end of a role's logical id -> an action, or the beginning of several -> the reason."""


def reason(grant: Grant) -> str:
    """Why a grant stays that nothing is seen to need; empty where there is no reason."""
    for role, actions in KEPT.items():
        for action, why in actions.items():
            if grant.who.endswith(role) and grant.action.startswith(action):
                return why
    return ""
