"""What a verification creates and costs, said before anything is created."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.cli.cloud.target import Target
from andamio.contract import Contract

_CLUSTER, _MLFLOW, _ROLE = "AWS::ECS::Cluster", "AWS::SageMaker::MlflowApp", "AWS::IAM::Role"
_DASHBOARD = "AWS::CloudWatch::Dashboard"
_STREAM = "AWS::KinesisFirehose::DeliveryStream"
_TASKS = {_CLUSTER, "AWS::EC2::VPC"}

CREATED = {
    "AWS::S3::Bucket": "S3 buckets with about 30 MB",
    "AWS::Lambda::Function": "Lambda functions, with layers for their libraries",
    "AWS::StepFunctions::StateMachine": "Step Functions state machines",
    "AWS::ApiGateway::RestApi": "a REST API with a key, a usage plan and a stage",
    _STREAM: "a Firehose stream for the access log of the API",
    "AWS::DynamoDB::Table": "a DynamoDB table, on demand",
    _CLUSTER: "an ECS cluster, on which training starts a task only when its data are too large for a function",
    "AWS::EC2::VPC": "a VPC with two public subnets, without a gateway that costs money",
    _MLFLOW: "a SageMaker MLflow app",
    "AWS::Events::Rule": "EventBridge rules, with SQS queues for what cannot be delivered",
    "AWS::SNS::Topic": "SNS topics, with a KMS key",
    _ROLE: "IAM roles and policies",
    "AWS::Logs::LogGroup": "CloudWatch log groups",
    "AWS::CloudWatch::Alarm": "CloudWatch alarms",
    _DASHBOARD: "a CloudWatch dashboard",
}
"""Types of resources, and what a person calls them."""
_ALWAYS_TASKS = "an ECS cluster, on which training runs as Fargate tasks"

COST_DOLLARS = 0.20
"""An upper bound for a run on `problems/heart`: docs/verify.md has the arithmetic, item by item."""
MINUTES = 20
_LOCAL_MINUTES = 3


def created(contract: Contract, where: Target, context: Sequence[str]) -> dict[str, str]:
    """The types of resources that this deployment creates, and what a person calls them."""
    compute, own_role = contract.training.compute, given(context, "existing_role_arn")
    without: set[str] = {_ROLE} if own_role else set()
    if compute == "function" or own_role or _lacks_tasks(where):
        without |= _TASKS
    if where.local or given(context, "tracking_uri"):
        without.add(_MLFLOW)
    if where.local:
        without.add(_DASHBOARD)
    if where.local or own_role:
        without.add(_STREAM)
    phrases = CREATED | ({_CLUSTER: _ALWAYS_TASKS} if compute == "task" else {})
    return {kind: phrase for kind, phrase in phrases.items() if kind not in without}


def announcement(
    contract: Contract, system: str, where: Target, context: Sequence[str], *, conformance: bool
) -> list[str]:
    """The lines that a person reads before the question."""
    minutes = _LOCAL_MINUTES if where.local else MINUTES
    resources = created(contract, where, context)
    lines = [
        f"This deploys the system {system} {where}, uses it once, and deletes it with all its data: "
        f"about {minutes} minutes.",
        "It creates, with names that begin with andamio- and tags that name the stage:",
        *(f"  - {phrase}" for phrase in resources.values()),
    ]
    if conformance:
        lines.append("The conformance suite then creates small resources of its own and deletes them.")
    if not where.local:
        excluded = [
            *(["the MLflow app"] if _MLFLOW in resources else []),
            *(["Fargate tasks"] if contract.training.compute == "task" and _CLUSTER in resources else []),
        ]
        without = f", without {' and '.join(excluded)}" if excluded else ""
        lines.append(
            f"AWS charges less than ${COST_DOLLARS:.2f} for a problem of the size of problems/heart, by the prices of "
            f"us-east-1{without} (docs/verify.md). The KMS key waits seven days for its deletion, free of charge; the "
            "bundles stay in the bucket of the CDK, which costs about one cent a month."
        )
    return [*lines, *kept(context)]


def kept(context: Sequence[str]) -> list[str]:
    """What stays by intent after everything is deleted, a line each."""
    if not given(context, "tracking_uri"):
        return []
    return ["The runs and the registered model stay on the MLflow server that tracking_uri names."]


def given(context: Sequence[str], key: str) -> bool:
    """Whether the CDK context, pairs KEY=VALUE, sets a key to something."""
    return any(pair.partition("=")[0] == key and pair.partition("=")[2] for pair in context)


def _lacks_tasks(where: Target) -> bool:
    return where.recorded is not None and where.recorded.get("tasks") is False
