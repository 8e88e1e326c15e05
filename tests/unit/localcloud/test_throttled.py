"""A call that Lambda refuses, because as many run as may, has the name in a state machine that it has on AWS."""

from __future__ import annotations

import json
import uuid

import pytest

from infra.asl.retries import THROTTLED
from localstack.process import wait_until

from .conftest import CommandLine

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def name() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


@pytest.fixture
def refused(cloud: CommandLine, name: str) -> str:
    """The ARN of a function none of which may run."""
    arn = cloud.create_function(name, "def handler(event, context):\n    return 1\n")
    cloud.client("lambda").put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    return arn


@pytest.fixture
def role(cloud: CommandLine, name: str) -> str:
    return cloud.create_role(name, "states.amazonaws.com")


def test_a_throttled_task_is_named_as_on_aws_whichever_way_the_function_is_called(cloud, name, refused, role):
    by_arn = {"Type": "Task", "Resource": refused, "End": True}
    invoke = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": refused},
        "End": True,
    }
    for number, task in enumerate((by_arn, invoke)):
        ended = cloud.run_machine(f"{name}-{number}", {"Call": task}, role)
        assert (ended["status"], ended["error"]) == ("FAILED", THROTTLED)
        assert "Rate Exceeded" in ended["cause"]


def test_a_function_that_fails_is_not_taken_for_one_that_is_throttled(cloud, name, role):
    arn = cloud.create_function(
        name, "def handler(event, context):\n    raise ValueError('TooManyRequestsException')\n"
    )
    ended = cloud.run_machine(name, {"Call": {"Type": "Task", "Resource": arn, "End": True}}, role)
    assert ended["error"] == "Runtime.HandlerError"
    assert "TooManyRequestsException" in ended["cause"]


def test_a_throttled_task_is_tried_again_until_there_is_room(cloud, name, refused, role):
    retry = {"ErrorEquals": [THROTTLED], "IntervalSeconds": 1, "BackoffRate": 1.1, "MaxAttempts": 20}
    client = cloud.client("stepfunctions")
    waiting = {"Type": "Task", "Resource": refused, "Retry": [retry], "End": True}
    definition = json.dumps({"StartAt": "Call", "States": {"Call": waiting}})
    machine = client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    arn = client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    assert wait_until(lambda: THROTTLED in str(client.get_execution_history(executionArn=arn)["events"]), 20)
    cloud.client("lambda").delete_function_concurrency(FunctionName=name)
    assert wait_until(lambda: client.describe_execution(executionArn=arn)["status"] == "SUCCEEDED", 30)
