"""What a test holds of an account in its process: functions, state machines, executions, buckets and a table."""

from __future__ import annotations

import json
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import boto3

from andamio import names
from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.s3 import S3Objects
from andamio.testing.api import Reply, event_loop, proxy_event
from andamio.testing.failure import ExecutionFailure, describe
from infra import asl

REGION = "us-east-1"
ACCOUNT = "123456789012"
ROLE = "testing"
FUNCTION_SECONDS = 900
"""What a function may take here, whichever it is."""
STATE_DATA_LIMIT = 256 * 1024
_DEADLINE_SECONDS = 600.0
_POLL_SECONDS = 0.01

Handler = Callable[[dict[str, Any], Any], Any]


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
class LocalAws:
    """An account in this process. Functions are named as deployed: `andamio-PROBLEM-PART`.

    lake, models, batch   the buckets
    table                 the predictions table
    calls                 every invocation of a function so far, in order of their ends
    closed                whether the test is over: no function is called any more
    """

    problem: str
    layer: Path
    lake: S3Objects
    models: S3Objects
    batch: S3Objects
    table: DynamoPredictionStore
    calls: list[Call] = field(default_factory=list)
    _handlers: dict[str, Handler] = field(default_factory=dict)
    _modules: list[ModuleType] = field(default_factory=list)
    _machines: dict[str, str] = field(default_factory=dict)
    closed: bool = False
    _running: set[int] = field(default_factory=set)

    # Deploying

    def contract(self, text: str) -> None:
        """Deploy another problem.toml: functions start cold."""
        (self.layer / names.PROBLEM_FILE).write_text(text, encoding="utf-8")
        self._start_cold()

    def own_code(self, text: str) -> None:
        """Deploy another prepare.py, of a problem that has one: functions start cold."""
        (self.layer.parent / names.CODE_PACKAGE / names.PREPARE_FILE).write_text(text, encoding="utf-8")
        self._start_cold()

    def _start_cold(self) -> None:
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
                Role=f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
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
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/{ROLE}",
        )
        self._machines[part] = reply["stateMachineArn"]
        return self._machines[part]

    # Using

    def put(self, key: str, body: bytes | str, bucket: S3Objects | None = None) -> None:
        """Put an object into a bucket, the lake unless told. It starts nothing: `landed` makes the event."""
        (bucket or self.lake).put(key, body.encode() if isinstance(body, str) else body)

    def landed(self, key: str, bucket: S3Objects | None = None) -> dict[str, Any]:
        """The event that EventBridge sends for the latest version of an object (of the lake, unless told)."""
        bucket = bucket or self.lake
        info = bucket.head(key)
        return _created(
            bucket.bucket,
            {"key": key, "size": info.size, "etag": info.etag.strip('"'), "version-id": info.version},
        )

    def start(self, part: str, event: Mapping[str, Any]) -> str:
        """Start an execution; returns its ARN. Raises `LookupError` for a machine that is not deployed here."""
        if part not in self._machines:
            raise LookupError(f"Expected one of {', '.join(sorted(self._machines)) or 'no machine'}. Got '{part}'.")
        reply = boto3.client("stepfunctions").start_execution(
            stateMachineArn=self._machines[part], name=uuid.uuid4().hex, input=json.dumps(event)
        )
        return str(reply["executionArn"])

    def execute(self, part: str, event: Mapping[str, Any] | None = None) -> Execution:
        """Start an execution and wait for its end, whatever that is."""
        return self.ended(self.start(part, event or {}))

    def run(self, part: str, event: Mapping[str, Any] | None = None) -> Execution:
        """Start an execution and wait until it has succeeded.

        Raises `ExecutionFailure` (an `AssertionError`) that shows the state, its input and the handler's traceback.
        """
        ended = self.execute(part, event)
        if ended.status != "SUCCEEDED":
            raise ExecutionFailure(describe(part, ended.status, ended.error, ended.cause, self._events(ended.arn)))
        return ended

    def request(self, method: str, path: str, body: object = None, **query: str) -> Reply:
        """The API's answer to a request, such as `request("POST", "/predict", {"features": {...}})`."""
        if "api" not in self._handlers:
            from lambdas.api import handler  # here: a test that sends no request needs no FastAPI

            self.function("api", handler)
        with event_loop():
            answered = self.answer("api", proxy_event(method, path, body, query), _context("api"))
        return Reply(answered["statusCode"], answered["headers"], answered["body"])

    def ended(self, arn: str) -> Execution:
        """Wait for the end of an execution; raises `TimeoutError` after ten minutes."""
        states = boto3.client("stepfunctions")
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while (said := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            if time.monotonic() > deadline:
                last = (self.history(arn) or ["its start"])[-1]
                raise TimeoutError(f"{arn} did not end within {_DEADLINE_SECONDS:.0f} s. It is at {last}.")
            threading.Event().wait(_POLL_SECONDS)
        return Execution(
            arn, said["status"], json.loads(said.get("output") or "{}"), said.get("error", ""), said.get("cause", "")
        )

    def executions(self, part: str) -> list[str]:
        """The ARNs of all executions of a machine."""
        reply = boto3.client("stepfunctions").list_executions(stateMachineArn=self._machines[part])
        return [item["executionArn"] for item in reply["executions"]]

    def history(self, arn: str) -> list[str]:
        """The names of the states that an execution entered, in order."""
        details = (event.get("stateEnteredEventDetails") for event in self._events(arn))
        return [detail["name"] for detail in details if detail]

    def _events(self, arn: str) -> list[Mapping[str, Any]]:
        pages = boto3.client("stepfunctions").get_paginator("get_execution_history").paginate(executionArn=arn)
        return [event for page in pages for event in page["events"]]

    # Answering

    def answer(self, part: str, event: dict[str, Any], context: Any) -> Any:
        """What the function of a part returns for an event; raises what it raises."""
        return self._handlers[part](event, context)

    def invoke(self, name: str, body: str | bytes) -> tuple[bytes, bool]:
        """What Lambda answers to an invocation, and whether it is an error."""
        part = name.rsplit(":", 1)[-1].removeprefix(names.resource(self.problem, ""))
        assert len(body) < STATE_DATA_LIMIT, f"{part} was given {len(body)} bytes: state data hold 256 KB"
        event = json.loads(body)
        me = threading.get_ident()
        self._running.add(me)
        try:
            assert not self.closed, "the test is over"
            result = self.answer(part, event, _context(name))
        except (Exception, Killed) as error:  # as Lambda's runtime does
            said = {
                "errorType": type(error).__name__,
                "errorMessage": str(error),
                "stackTrace": _traceback(error),
            }
            self.calls.append(Call(part, event, said))
            return json.dumps(said).encode(), True
        finally:
            self._running.discard(me)
        self.calls.append(Call(part, event, result))
        payload = json.dumps(result, allow_nan=False).encode()
        assert len(payload) < STATE_DATA_LIMIT, f"{part} returned {len(payload)} bytes: state data hold 256 KB"
        return payload, False

    # Ending

    def close(self) -> None:
        """Stop what still runs and wait for it: no thread of this account outlives it, or its credentials."""
        self.closed = True
        states = boto3.client("stepfunctions")
        for machine in states.list_state_machines()["stateMachines"]:
            running = states.list_executions(stateMachineArn=machine["stateMachineArn"], statusFilter="RUNNING")
            for execution in running["executions"]:
                with suppress(states.exceptions.ClientError):  # it ended meanwhile
                    states.stop_execution(executionArn=execution["executionArn"])
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while self._running and time.monotonic() < deadline:
            threading.Event().wait(_POLL_SECONDS)
        for module in self._modules:
            _forget(module)


def _created(bucket: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """An event of EventBridge about an object that was created."""
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2026-11-21T10:00:00Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {**stored, "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": ACCOUNT,
            "source-ip-address": "192.0.2.10",
            "reason": "PutObject",
        },
    }


def _traceback(error: BaseException) -> list[str]:
    """The lines of a traceback, from the handler on."""
    at = error.__traceback__
    while at is not None and Path(at.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
        at = at.tb_next
    return "".join(traceback.format_exception(type(error), error, at)).splitlines()


def _context(function: str) -> Any:
    return SimpleNamespace(
        function_name=function, aws_request_id="request", get_remaining_time_in_millis=lambda: FUNCTION_SECONDS * 1000
    )


def _forget(module: ModuleType) -> None:
    """Make a handler module cold again: what it cached belongs to another account."""
    for value in vars(module).values():
        if hasattr(value, "cache_clear"):
            value.cache_clear()
