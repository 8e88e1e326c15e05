"""Runs the tasks of Fargate as processes of this machine: ministack runs them in Docker, or says they run and does not.

A task's process is the container's own entry point with this interpreter in the place of the image's, under the
credentials of the task's role, and its lines go to the log stream that the container's would. It ends as on AWS: a
task whose container failed is `States.TaskFailed`, with the description of the task as the cause.
"""

import json
import os
import subprocess
import sys
import tempfile
import uuid
from typing import Any

from ministack.core import lambda_runtime  # type: ignore[import-not-found]
from ministack.core.responses import get_account_id, get_region  # type: ignore[import-not-found]
from ministack.services import ecs, stepfunctions  # type: ignore[import-not-found]


def run(resource: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run the one container of a task and wait for its end; how ECS describes the task then."""
    family = str(parameters["TaskDefinition"])
    definition = ecs._task_defs.get(ecs._resolve_td_key(family))
    if definition is None:
        raise stepfunctions._ExecutionError("ECS.ClientException", f"Unable to find task definition: {family}")
    (container,) = definition["containerDefinitions"]
    (override,) = parameters["Overrides"]["ContainerOverrides"]
    region, task = get_region(), uuid.uuid4().hex
    arn = f"arn:aws:ecs:{region}:{get_account_id()}:task/{parameters['Cluster']}/{task}"
    variables = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        **{pair["name"]: str(pair["value"]) for pair in container["environment"]},
        **{pair["Name"]: pair["Value"] for pair in override.get("Environment", [])},
        **lambda_runtime.execution_credentials(
            {"FunctionArn": _as_function(arn), "FunctionName": task, "Role": definition["taskRoleArn"]}
        ),
    }
    command = [sys.executable, *container["entryPoint"][1:], *override["Command"]]
    with tempfile.TemporaryDirectory(prefix="task-") as folder:
        code = _process(command, {**variables, "TMPDIR": folder}, ecs._awslogs_config(container, task, task))
    described = {
        "TaskArn": arn,
        "LastStatus": "STOPPED",
        "StopCode": "EssentialContainerExited",
        "StoppedReason": "Essential container in task exited",
        "Containers": [{"Name": container["name"], "ExitCode": code if code >= 0 else 128 - code}],
        "Overrides": parameters["Overrides"],
    }
    if code != 0 and resource.endswith(".sync"):
        raise stepfunctions._ExecutionError("States.TaskFailed", json.dumps(described))
    return described


def _process(command: list[str], variables: dict[str, str], log: dict[str, Any] | None) -> int:
    process = subprocess.Popen(
        command,
        env=variables,
        cwd=variables["TMPDIR"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    kept = log is not None and ecs._ensure_awslogs_stream(log)
    for line in process.stdout:
        if kept:
            ecs._emit_awslogs_event(log, line.rstrip("\n"))
    return process.wait()


def _as_function(task: str) -> str:
    """The ARN of a function with the account and region of a task: ministack makes credentials for functions alone."""
    _, _, _, region, account, name = task.split(":", 5)
    return f"arn:aws:lambda:{region}:{account}:function:{name.replace('/', '-')}"
