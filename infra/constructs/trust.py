"""Trust policies: one service for each role, restricted to its source where the service sends it.

Conditions stand where AWS documents that the service sends what they ask for. A condition on a value
that never comes refuses the service for good, and the first sign of it is a failed deployment or a
lost message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aws_cdk import ArnFormat, Aws, Stack
from constructs import Construct

Conditions = Mapping[str, Mapping[str, str | list[str]]]


@dataclass(frozen=True, slots=True)
class Trust:
    """A service that may take a role, and the conditions on it."""

    service: str
    conditions: Conditions = field(default_factory=dict)


FUNCTIONS = Trust("lambda.amazonaws.com")
"""Lambda. Its guide names no source that it sends when it takes an execution role, so nothing is asked for."""

TRACKING = Trust("sagemaker.amazonaws.com")
"""SageMaker. Its page on sources lists what sends them, and an MLflow app is not on it."""


def machine(scope: Construct, name: str) -> Trust:
    """Step Functions, for the state machine of this name and the runs of its Distributed Maps."""
    arn = _arn(scope, "states", "stateMachine", name, ArnFormat.COLON_RESOURCE_NAME)
    return Trust("states.amazonaws.com", _source("ArnLike", [arn, f"{arn}/*"]))


def rule(scope: Construct, name: str) -> Trust:
    """EventBridge, for the rule of this name on the default bus."""
    arn = _arn(scope, "events", "rule", name, ArnFormat.SLASH_RESOURCE_NAME)
    return Trust("events.amazonaws.com", _source("ArnEquals", arn))


def tasks(scope: Construct) -> Trust:
    """ECS, for the tasks of this account and region: ECS's guide names no narrower source."""
    arn = Stack.of(scope).format_arn(service="ecs", resource="*", arn_format=ArnFormat.NO_RESOURCE_NAME)
    return Trust("ecs-tasks.amazonaws.com", _source("ArnLike", arn))


def delivery() -> Trust:
    """Firehose, which sends the account of its stream as the external id."""
    return Trust("firehose.amazonaws.com", {"StringEquals": {"sts:ExternalId": Aws.ACCOUNT_ID}})


def _source(operator: str, arn: str | list[str]) -> Conditions:
    return {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}, operator: {"aws:SourceArn": arn}}


def _arn(scope: Construct, service: str, resource: str, name: str, form: ArnFormat) -> str:
    """By name: a role that refers to what refers to the role could not be deployed."""
    return Stack.of(scope).format_arn(service=service, resource=resource, resource_name=name, arn_format=form)
