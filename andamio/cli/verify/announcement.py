"""What a verification creates and costs, said before anything is created."""

from __future__ import annotations

from andamio.cli.cloud.target import Target

CREATED = {
    "AWS::S3::Bucket": "S3 buckets with about 30 MB",
    "AWS::Lambda::Function": "Lambda functions, with layers for their libraries",
    "AWS::StepFunctions::StateMachine": "Step Functions state machines",
    "AWS::ApiGateway::RestApi": "a REST API with a key, a usage plan and a stage",
    "AWS::KinesisFirehose::DeliveryStream": "a Firehose stream for the access log of the API",
    "AWS::DynamoDB::Table": "a DynamoDB table, on demand",
    "AWS::ECS::Cluster": "an ECS cluster, on which data of this size start no task",
    "AWS::EC2::VPC": "a VPC with two public subnets, without a gateway that costs money",
    "AWS::SageMaker::MlflowApp": "a SageMaker MLflow app (not on the local cloud)",
    "AWS::Events::Rule": "EventBridge rules, with SQS queues for what cannot be delivered",
    "AWS::SNS::Topic": "SNS topics, with a KMS key",
    "AWS::IAM::Role": "IAM roles and policies",
    "AWS::Logs::LogGroup": "CloudWatch log groups",
}
"""Types of resources, and what a person calls them."""

COST_DOLLARS = 0.20
"""An upper bound for a run on `problems/heart`: docs/verify.md has the arithmetic, item by item."""
MINUTES = 20
_LOCAL_MINUTES = 3


def announcement(system: str, where: Target, *, conformance: bool) -> list[str]:
    """The lines that a person reads before the question."""
    minutes = _LOCAL_MINUTES if where.local else MINUTES
    lines = [
        f"This deploys the system {system} {where}, uses it once, and deletes it with all its data: "
        f"about {minutes} minutes.",
        "It creates, with names that begin with andamio- and tags that name the stage:",
        *(f"  - {phrase}" for phrase in CREATED.values()),
    ]
    if conformance:
        lines.append("The conformance suite then creates small resources of its own and deletes them.")
    if not where.local:
        lines.append(
            f"AWS charges less than ${COST_DOLLARS:.2f} for it, by the prices of us-east-1, without the MLflow app "
            "(docs/verify.md). The KMS key waits seven days for its deletion, free of charge; the bundles stay in the "
            "bucket of the CDK, which costs about one cent a month."
        )
    return lines
