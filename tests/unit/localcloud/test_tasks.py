"""Tasks of Fargate are processes here: with their role's credentials, their log, and an end like the one on AWS."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from .conftest import CommandLine, allow

pytestmark = pytest.mark.timeout(180)

PROGRAM = """
import os, sys
import boto3
print("says", *sys.argv[1:])
try:
    boto3.client("s3").list_objects_v2(Bucket=os.environ["ALLOWED"])
    boto3.client("s3").list_objects_v2(Bucket=os.environ["REFUSED"])
except Exception as error:
    print(error)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def name() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


def task_state(name: str, *command: str) -> dict[str, Any]:
    parameters = {
        "Cluster": name,
        "TaskDefinition": name,
        "Overrides": {"ContainerOverrides": [{"Name": "step", "Command": list(command)}]},
    }
    return {"Type": "Task", "Resource": "arn:aws:states:::ecs:runTask.sync", "Parameters": parameters, "End": True}


@pytest.fixture
def task(cloud: CommandLine, name: str) -> str:
    """The name of a cluster and a task definition; its role may list the one of two buckets."""
    s3 = cloud.client("s3")
    for bucket in (f"{name}-allowed", f"{name}-refused"):
        s3.create_bucket(Bucket=bucket)
    role = cloud.create_role(
        f"{name}-task", "ecs-tasks.amazonaws.com", allow("s3:ListBucket", f"arn:aws:s3:::{name}-allowed")
    )
    ecs = cloud.client("ecs")
    ecs.create_cluster(clusterName=name)
    cloud.client("logs").create_log_group(logGroupName=f"/aws/ecs/{name}")
    log = {"awslogs-group": f"/aws/ecs/{name}", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "task"}
    environment = {"ALLOWED": f"{name}-allowed", "REFUSED": f"{name}-refused"}
    ecs.register_task_definition(
        family=name,
        taskRoleArn=role,
        containerDefinitions=[
            {
                "name": "step",
                "image": "any",
                "entryPoint": ["/var/lang/bin/python3", "-c", PROGRAM],
                "environment": [{"name": key, "value": value} for key, value in environment.items()],
                "logConfiguration": {"logDriver": "awslogs", "options": log},
            }
        ],
    )
    return name


def test_a_task_runs_under_its_role_and_writes_its_log(cloud: CommandLine, name: str, task: str) -> None:
    role = cloud.create_role(name, "states.amazonaws.com")
    ended = cloud.run_machine(name, {"Run": task_state(task, "0", "fit")}, role)
    assert ended["status"] == "SUCCEEDED", ended
    arn = json.loads(ended["output"])["TaskArn"]
    stream = f"task/step/{arn.rsplit('/', 1)[1]}"
    events = cloud.client("logs").get_log_events(logGroupName=f"/aws/ecs/{task}", logStreamName=stream)["events"]
    said = [event["message"] for event in events]
    assert said[0] == "says 0 fit"
    assert len(said) == 2, "the bucket that the role may list is listed"
    assert "AccessDenied" in said[1]


def test_a_task_whose_process_fails_is_a_failed_task_with_its_description(
    cloud: CommandLine, name: str, task: str
) -> None:
    role = cloud.create_role(name, "states.amazonaws.com")
    ended = cloud.run_machine(name, {"Run": task_state(task, "3")}, role)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.TaskFailed")
    cause = json.loads(ended["cause"])
    assert cause["Containers"][0]["ExitCode"] == 3
    assert cause["TaskArn"].split("/")[-2] == task
