"""Local clouds in folders of their own, started and stopped as people do it: by the command line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config

from localstack.process import wait_until

REPO = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class CommandLine:
    """`python -m localstack` for one home, on ports that nobody prefers."""

    home: Path

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "localstack", *arguments, "--home", str(self.home), "--json"],
            cwd=REPO,
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            timeout=300,  # a start may take 180 s
            check=False,
        )

    def ok(self, *arguments: str, **variables: str) -> dict[str, Any]:
        done = self.run(*arguments, **variables)
        assert done.returncode == 0, done.stderr
        values: dict[str, Any] = json.loads(done.stdout)
        return values

    def up(self, **variables: str) -> dict[str, Any]:
        ports = ("--emulator-port", "0", "--mlflow-port", "0") if not (self.home / "ports.json").exists() else ()
        return self.ok("up", *ports, **variables)

    def client(self, service: str, **config: Any) -> Any:
        recorded = json.loads((self.home / "cloud.json").read_text())
        return boto3.client(
            service,
            endpoint_url=recorded["endpoint_url"],
            region_name=recorded["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(proxies={}, s3={"addressing_style": "path"}, **config),
        )

    def create_role(self, name: str, service: str, *statements: dict[str, Any]) -> str:
        """Create a role that a service may take and that may do what the statements say; returns its ARN."""
        iam = self.client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy(*statements))
        return arn

    def create_function(self, name: str, source: str, *, role: str = "") -> str:
        """Create a function from the source of its one module; returns its ARN. Without a role it may do anything."""
        role = role or self.create_role(f"{name}-role", "lambda.amazonaws.com", allow("*", "*"))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as code:
            code.writestr("index.py", source)
        arn: str = self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handler",
            Role=role,
            Code={"ZipFile": archive.getvalue()},
        )["FunctionArn"]
        return arn

    def run_machine(self, name: str, states: dict[str, Any], role: str, event: Any = None) -> dict[str, Any]:
        """Run a state machine of these states to its end; returns what DescribeExecution says."""
        client = self.client("stepfunctions")
        definition = json.dumps({"StartAt": next(iter(states)), "States": states})
        machine = client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
        arn = client.start_execution(stateMachineArn=machine, input=json.dumps(event or {}))["executionArn"]
        assert wait_until(lambda: client.describe_execution(executionArn=arn)["status"] != "RUNNING", 20)
        result: dict[str, Any] = client.describe_execution(executionArn=arn)
        return result

    def invoke(self, name: str, event: Any = None) -> Any:
        return json.loads(self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))["Payload"].read())

    def pids(self) -> dict[str, int]:
        services = json.loads((self.home / "cloud.json").read_text())["services"]
        return {name: service["pid"] for name, service in services.items()}


def allow(action: str, *resources: str) -> dict[str, Any]:
    """A statement that allows one action, or those of a pattern."""
    return {"Effect": "Allow", "Action": action, "Resource": list(resources)}


def policy(*statements: dict[str, Any]) -> str:
    """A policy document of statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@pytest.fixture(scope="session")
def new_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], CommandLine]]:
    """Makes the command line of a home that does not exist yet; whatever it starts is stopped in the end."""
    made: list[CommandLine] = []

    def make() -> CommandLine:
        made.append(CommandLine(tmp_path_factory.mktemp("clone") / ".andamio"))
        return made[-1]

    yield make
    for cloud in made:
        cloud.ok("down", "--purge")


@pytest.fixture(scope="session")
def cloud(new_cloud: Callable[[], CommandLine]) -> CommandLine:
    """A cloud that runs, started from a shell with things in it that are nobody's business."""
    command_line = new_cloud()
    command_line.up(AWS_PROFILE="somebody", HTTP_PROXY="http://127.0.0.1:9", PYTHONPATH="/nowhere")
    return command_line


def runs(pid: int) -> bool:
    """Whether a process runs: one that has ended may be listed for a while, where init is slow to notice."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts a local cloud, so that `make unit` leaves it out."""
    for item in items:
        if "new_cloud" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.cloud)
