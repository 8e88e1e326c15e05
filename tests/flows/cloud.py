"""An account in this process: buckets, a table, state machines and functions, with our own handlers behind them.

moto interprets the state machines and keeps the buckets; without Docker its functions only echo, so
each is answered by the handler that the deployed one would run, in its thread, with what went in and
out checked against Lambda's and Step Functions' limits, which no emulator enforces.

    cloud.put("raw/heart.csv", body)
    cloud.run("etl", cloud.landed("raw/heart.csv")).output
"""

from __future__ import annotations

import json
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.awslambda_simple.models import LambdaSimpleBackend
from moto.s3.responses import S3Response
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)

from andamio import names
from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from infra import asl
from tests.support.recording import calling, watch

from . import tasks

REGION = "us-east-1"
ACCOUNT = "123456789012"
EVENTS = Path(__file__).parents[1] / "events"
FUNCTION_SECONDS = 900
"""What a function may take here, whichever it is."""
STATE_DATA_LIMIT = 256 * 1024
_DEADLINE_SECONDS = 120.0

Handler = Callable[[dict[str, Any], Any], Any]
Throttled = type("Lambda.TooManyRequestsException", (Exception,), {})
"""What a call that Lambda refuses comes to in Step Functions, where as many run as the account may have."""


class Killed(BaseException):
    """A function's process was killed: nothing in it can catch that."""


@dataclass(frozen=True)
class Call:
    """One invocation of a function."""

    function: str
    event: dict[str, Any]
    result: Any


@dataclass(frozen=True)
class Execution:
    """An execution that ended: its status, its output (when it succeeded), its error and cause (when it did not)."""

    arn: str
    status: str
    output: dict[str, Any]
    error: str
    cause: str


@dataclass
class Cloud:
    """What tests hold of the account. Functions are named as deployed: `andamio-PROBLEM-PART`."""

    problem: str
    layer: Path
    lake: S3Objects
    models: S3Objects
    batch: S3Objects
    table: DynamoPredictionStore
    calls: list[Call] = field(default_factory=list)
    fargate: tasks.RunsTask = field(default=partial(tasks.in_process, killed=Killed))
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _modules: list[ModuleType] = field(default_factory=list)
    _machines: dict[str, str] = field(default_factory=dict)

    # Deploying

    def contract(self, text: str) -> None:
        """Deploy another problem.toml: functions start cold."""
        (self.layer / names.PROBLEM_FILE).write_text(text, encoding="utf-8")
        for module in self._modules:
            _forget(module)

    def function(self, part: str, module: ModuleType) -> str:
        """Deploy a handler module as the function of a part; returns its ARN."""
        _forget(module)
        self._modules.append(module)
        return self.fake_function(part, module.handler)

    def fake_function(self, part: str, handler: Handler) -> str:
        """Deploy any callable as the function of a part, or put it in the place of the one there; returns its ARN."""
        name = names.resource(self.problem, part)
        if part not in self._handlers:
            boto3.client("lambda").create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=f"arn:aws:iam::{ACCOUNT}:role/flows",
                Handler="handler.handler",
                Code={"ZipFile": b"the handler is in this process"},
            )
        self._handlers[part] = handler
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"

    def machine(self, part: str, definition: Path | Mapping[str, Any], values: Mapping[str, str | int]) -> str:
        """Deploy a state machine from its file, placeholders filled in as the stack does; returns its ARN."""
        source = asl.load(definition) if isinstance(definition, Path) else dict(definition)
        reply = boto3.client("stepfunctions").create_state_machine(
            name=names.resource(self.problem, part),
            definition=json.dumps(asl.render(source, values)),
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/flows",
        )
        self._machines[part] = reply["stateMachineArn"]
        return self._machines[part]

    # Using

    def put(self, key: str, body: bytes | str) -> None:
        """Drop a file into the lake."""
        self.lake.put(key, body.encode() if isinstance(body, str) else body)

    def landed(self, key: str, bucket: S3Objects | None = None) -> dict[str, Any]:
        """The event that EventBridge sends for the latest version of an object (of the lake, unless told)."""
        bucket = bucket or self.lake
        info = bucket.head(key)
        event = sample_event("s3-object-created")
        event["detail"]["bucket"]["name"] = bucket.bucket
        event["detail"]["object"] |= {
            "key": key,
            "size": info.size,
            "etag": info.etag.strip('"'),
            "version-id": info.version,
        }
        return event

    def start(self, part: str, event: Mapping[str, Any]) -> str:
        """Start an execution; returns its ARN."""
        reply = boto3.client("stepfunctions").start_execution(
            stateMachineArn=self._machines[part], name=uuid.uuid4().hex, input=json.dumps(event)
        )
        return str(reply["executionArn"])

    def run(self, part: str, event: Mapping[str, Any]) -> Execution:
        """Start an execution and wait for its end."""
        return self.ended(self.start(part, event))

    def ended(self, arn: str) -> Execution:
        """Wait for the end of an execution."""
        states = boto3.client("stepfunctions")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while (said := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} did not end"
            threading.Event().wait(0.01)
        return Execution(
            arn, said["status"], json.loads(said.get("output") or "{}"), said.get("error", ""), said.get("cause", "")
        )

    def executions(self, part: str) -> list[str]:
        """The ARNs of all executions of a machine."""
        reply = boto3.client("stepfunctions").list_executions(stateMachineArn=self._machines[part])
        return [item["executionArn"] for item in reply["executions"]]

    def history(self, arn: str) -> list[str]:
        """The names of the states that an execution entered, in order."""
        reply = boto3.client("stepfunctions").get_execution_history(executionArn=arn)
        details = (event.get("stateEnteredEventDetails") for event in reply["events"])
        return [detail["name"] for detail in details if detail]

    # Answering

    def invoke(self, name: str, body: str | bytes) -> tuple[bytes, bool]:
        """What Lambda answers to an invocation, and whether it is an error."""
        part = name.rsplit(":", 1)[-1].removeprefix(names.resource(self.problem, ""))
        assert len(body) < STATE_DATA_LIMIT, f"{part} was given {len(body)} bytes: state data hold 256 KB"
        event = json.loads(body)
        try:
            with calling(part, str(event.get("step", ""))):
                result = self._handlers[part](event, _context(name))
        except (Exception, Killed) as error:  # as Lambda's runtime does
            said = {
                "errorType": type(error).__name__,
                "errorMessage": str(error),
                "stackTrace": traceback.format_exc().splitlines(),
            }
            self.calls.append(Call(part, event, said))
            return json.dumps(said).encode(), True
        self.calls.append(Call(part, event, result))
        payload = json.dumps(result, allow_nan=False).encode()
        assert len(payload) < STATE_DATA_LIMIT, f"{part} returned {len(payload)} bytes: state data hold 256 KB"
        return payload, False

    def run_task(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run a task of Fargate's in this process, noted as a call of the function `task`."""
        described = self.fargate(parameters)
        command = parameters["Overrides"]["ContainerOverrides"][0]["Command"]
        self.calls.append(Call("task", {"step": command[0], "parameters": parameters}, described))
        return described


@contextmanager
def account(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: Mapping[str, str] | None = None
) -> Iterator[Cloud]:
    """An empty account for the problem in a folder: buckets, the contract's layer, and no functions yet.

    Functions share this process's environment; `more` adds what one of them needs besides the buckets.
    """
    contract = Contract.load(folder)
    problem = contract.problem.name
    layer = tmp_path / "layer" / names.PROBLEM_PACKAGE
    layer.mkdir(parents=True)
    (layer / "__init__.py").write_text("")
    (layer / names.PROBLEM_FILE).write_bytes((folder / names.PROBLEM_FILE).read_bytes())
    monkeypatch.syspath_prepend(layer.parent)
    monkeypatch.delitem(sys.modules, names.PROBLEM_PACKAGE, raising=False)
    buckets = {part: names.resource(problem, part) for part in ("lake", "models", "batch")}
    table = names.resource(problem, "predictions")
    environment = {
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "ANDAMIO_PROBLEM": problem,
        "ANDAMIO_SYSTEM": problem,
        "ANDAMIO_TABLE": table,
        "ANDAMIO_COMPUTE": "auto",
        **{f"ANDAMIO_{part.upper()}": bucket for part, bucket in buckets.items()},
        **(more or {}),
    }
    for variable in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}):  # type: ignore[arg-type]
        s3 = boto3.client("s3")  # a test's own, so made before calls are watched
        places = {name: part.capitalize() for part, name in {**buckets, "predictions": table}.items()}
        watch(monkeypatch, {**places, tasks.LOG: "TasksLogs"})
        for bucket in buckets.values():
            s3.create_bucket(Bucket=bucket)
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        boto3.client("iam").create_role(RoleName="flows", AssumeRolePolicyDocument="{}")
        _create_table(table)
        lake, models, batch = (S3Objects(bucket, s3) for bucket in buckets.values())
        cloud = Cloud(problem, layer, lake, models, batch, DynamoPredictionStore(table))

        def invoke(
            backend: object, function_name: str, qualifier: object, body: Any, headers: object, response: dict[str, Any]
        ) -> bytes:
            payload, failed = cloud.invoke(function_name, body)
            if failed:
                response["x-amz-function-error"] = "Unhandled"
            return payload

        monkeypatch.setattr(LambdaSimpleBackend, "invoke", invoke)
        monkeypatch.setattr(StateTaskServiceSfn, "_eval_service_task", _nested)
        tasks.install(monkeypatch, cloud.run_task)
        monkeypatch.setattr(S3Response, "put_object", _one_at_a_time(S3Response.put_object))
        yield cloud
        for module in cloud._modules:
            _forget(module)


def throttled(times: int, answers: Handler, *steps: str) -> Handler:
    """A function that Lambda does not let run when one of the steps is asked for, so many times each."""
    left = dict.fromkeys(steps, times)

    def handler(event: dict[str, Any], context: Any) -> Any:
        if left.get(event["step"], 0) > 0:
            left[event["step"]] -= 1
            raise Throttled("Rate Exceeded.")
        return answers(event, context)

    return handler


def sample_event(name: str) -> dict[str, Any]:
    """tests/events/NAME.json."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return content


def _create_table(name: str) -> None:
    """The predictions table as `infra/constructs/table.py` makes it."""
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "prediction_id", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": key, "AttributeType": "S"} for key in ("prediction_id", "record_id", "created")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": names.BY_RECORD,
                "KeySchema": [
                    {"AttributeName": "record_id", "KeyType": "HASH"},
                    {"AttributeName": "created", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
    )


def _one_at_a_time(write: Callable[..., Any]) -> Callable[..., Any]:
    """A conditional write that is one step, as S3's is: moto looks first, and writes when it has seen nothing."""
    lock = threading.Lock()

    def locked(*args: Any, **kwargs: Any) -> Any:
        with lock:
            return write(*args, **kwargs)

    return locked


def _nested(task: StateTaskServiceSfn, env: Any, normalised_parameters: dict[str, Any], **_context: object) -> None:
    """`states:startExecution` and its kin: moto hands boto3 the state language's spelling, which it does not know."""
    call = getattr(boto3.client("stepfunctions"), task._get_boto_service_action())
    reply = call(**{name[0].lower() + name[1:]: value for name, value in normalised_parameters.items()})
    env.stack.append({name[0].upper() + name[1:]: reply[name] for name in reply if name != "ResponseMetadata"})


def _context(function: str) -> Any:
    return SimpleNamespace(
        function_name=function, aws_request_id="request", get_remaining_time_in_millis=lambda: 900_000
    )


def _forget(module: ModuleType) -> None:
    """Make a handler module cold again: what it cached belongs to another account."""
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
