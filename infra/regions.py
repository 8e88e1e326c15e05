"""Where CloudFormation can make SageMaker's MLflow app.

Read off CloudFormation's schemas, which cfn-lint carries for each region; a test holds this list
against the installed cfn-lint, so that a new version of it says what has changed.
"""

from __future__ import annotations

MLFLOW_APP = frozenset({
    "ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1",
    "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
})  # fmt: skip
"""Regions of AWS's public partition that have it."""

NO_MLFLOW_APP = frozenset({
    "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-3", "ap-southeast-4",
    "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "cn-north-1", "cn-northwest-1", "eu-central-2",
    "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "mx-central-1", "us-gov-east-1", "us-gov-west-1",
})  # fmt: skip
"""Regions that do not."""


def lacks_mlflow_app(region: str) -> bool:
    """Whether a region is known to be without it; one that is in neither list may have it."""
    return region in NO_MLFLOW_APP
