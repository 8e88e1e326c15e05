"""An AWS account, real or emulated, for the command line: stacks, executions, uploads, logs.

A call that fails for a reason that the user can fix raises a `CommandError` with advice.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
from boto3.exceptions import S3UploadFailedError
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
)

from andamio import names
from andamio.adapters.events import BusEvents
from andamio.adapters.s3 import S3Objects
from andamio.errors import AccountError, AwsError, LocalCloudError, NotDeployed, ObjectNotFound

NO_ROOM = "InsufficientStorage"
"""How the local cloud refuses data that its disk may not hold; the message says what to do."""


FULL_PAGE = 10_000
"""Log events of one answer, at most."""
API_ID = re.compile(r"([a-z0-9]+)\.execute-api|/restapis/([a-z0-9]+)/")
"""The id of an API in its address, AWS's or the emulator's."""
ServiceError = ClientError
"""What a service answers that refuses a call, for callers that go on without."""
GONE = re.compile("404|NotFound|DoesNotExist|NoSuch")
"""What services call it that a resource is not there."""


class NoAnswer(AwsError):
    """Nothing answers at the address, or not any more: what was stored is not in question."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution of a state machine; `output` is its JSON result, `cause` why it failed."""

    arn: str
    name: str
    status: str
    started: datetime
    stopped: datetime | None
    output: dict[str, Any]
    cause: str

    @property
    def running(self) -> bool:
        """Whether it is running."""
        return self.status in ("RUNNING", "PENDING_REDRIVE")


class _Client:
    """A boto3 client that raises `CommandError` for failures of connection and credentials."""

    def __init__(self, client: Any, where: str, *, local: bool) -> None:
        self._client = client
        self._where = where
        self._local = local

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self._client, operation)
        if not callable(call):
            return call

        def guarded(*args: Any, **kwargs: Any) -> Any:
            with self._command_errors():
                return call(*args, **kwargs)

        return guarded

    def pages(self, operation: str, **arguments: Any) -> Iterator[Any]:
        """The pages of a listing, whose calls are made while it is read."""
        with self._command_errors():
            yield from self._client.get_paginator(operation).paginate(**arguments)

    @contextmanager
    def _command_errors(self) -> Iterator[None]:
        try:
            yield
        except EndpointConnectionError:
            advice = (
                "Start the local cloud: andamio up"
                if self._local
                else "Check the region's name (AWS_REGION) and your connection."
            )
            raise NoAnswer(f"Nothing answers at {self._where}. {advice}") from None
        except NoCredentialsError:
            raise AccountError(
                "There are no AWS credentials. Configure them (aws configure, or AWS_PROFILE), or use the local "
                "cloud: andamio up"
            ) from None
        except (ConnectTimeoutError, ConnectionClosedError, ReadTimeoutError) as error:
            raise NoAnswer(f"{self._where} does not answer: {error}") from error
        except BotoCoreError as error:
            raise AwsError(f"{self._where} does not answer as expected: {error}") from error
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != NO_ROOM:
                raise
            raise LocalCloudError(str(error.response["Error"]["Message"])) from None


class Account:
    """An AWS account and region, or the local cloud when `endpoint_url` is given."""

    def __init__(self, endpoint_url: str | None, region: str | None) -> None:
        self.endpoint_url = endpoint_url
        self.region = region
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"} if endpoint_url else {}
        try:
            self._session = boto3.Session(region_name=region, **keys)  # type: ignore[arg-type]
        except ProfileNotFound as error:
            raise AccountError(f"AWS_PROFILE names a profile that your AWS configuration lacks: {error}.") from None

    def client(self, service: str, *, read_timeout: float = 60, retries: int | None = None) -> Any:
        """A client of one service, with retries; addresses buckets by path, as emulators need."""
        if retries is None:
            # A local cloud that does not answer is most likely down: waiting long would not help.
            retries = 3 if self.endpoint_url else 4
        config = Config(
            retries={"mode": "standard", "max_attempts": retries},
            connect_timeout=5,
            read_timeout=read_timeout,
            s3={"addressing_style": "path"} if self.endpoint_url else {},
        )
        return self._session.client(service, endpoint_url=self.endpoint_url, config=config)  # type: ignore[call-overload]

    def guarded(self, service: str, **more: Any) -> Any:
        """A client that raises `CommandError` for failures of connection and credentials."""
        where = self.endpoint_url or f"AWS {self.region or ''}".strip()
        return _Client(self.client(service, **more), where, local=self.endpoint_url is not None)

    @cached_property
    def _cloudformation(self) -> Any:
        return self.guarded("cloudformation")

    @cached_property
    def _states(self) -> Any:
        return self.guarded("stepfunctions")

    @cached_property
    def _s3(self) -> Any:
        return self.guarded("s3")

    def number(self) -> str:
        """The number of the account that the credentials belong to."""
        try:
            return str(self.guarded("sts").get_caller_identity()["Account"])
        except ClientError as error:
            raise AccountError(f"AWS does not accept the credentials: {error}") from error

    def objects(self, bucket: str) -> S3Objects:
        """A bucket behind the `Objects` port."""
        return S3Objects(bucket, self._s3)

    def events(self) -> BusEvents:
        """The default bus behind the `Events` port."""
        return BusEvents(self.guarded("events"))

    # Stacks

    def stack_outputs(self, stack: str) -> dict[str, str] | None:
        """A stack's outputs, or None when there is no such stack."""
        try:
            reply = self._cloudformation.describe_stacks(StackName=stack)
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise AwsError(f"Stack {stack} cannot be read: {error}") from error
        found = reply["Stacks"][0]
        if found["StackStatus"].startswith("DELETE"):
            return None
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def lacking(self, deployed: Mapping[str, Any]) -> list[str]:
        """What of a deployed system is not there, in words: buckets, functions, machines, table, API."""
        named = [names.resource(deployed["system"], part) for part in names.FUNCTIONS]
        api = API_ID.search(deployed["api_url"])
        looks = [
            *(("bucket", name, "s3", "head_bucket", "Bucket") for name in deployed["buckets"].values()),
            *(("function", name, "lambda", "get_function_configuration", "FunctionName") for name in named),
            *(
                ("state machine", arn, "stepfunctions", "describe_state_machine", "stateMachineArn")
                for arn in deployed["state_machines"].values()
            ),
            ("table", deployed["predictions_table"], "dynamodb", "describe_table", "TableName"),
            *([("API", api[1] or api[2], "apigateway", "get_rest_api", "restApiId")] if api else []),
        ]
        return [
            f"{what} {name.rsplit(':', 1)[-1]}"
            for what, name, service, call, key in looks
            if not self._is_there(service, call, {key: name})
        ]

    def _is_there(self, service: str, call: str, asked: dict[str, str]) -> bool:
        """Whether a resource exists; true when the credentials do not allow reading it."""
        try:
            getattr(self.guarded(service), call)(**asked)
        except ClientError as error:
            return GONE.search(error.response["Error"]["Code"]) is None
        return True

    def has_role(self, name: str) -> bool | None:
        """Whether a role of IAM exists; None where the credentials do not allow reading it."""
        try:
            self.guarded("iam").get_role(RoleName=name)
        except ClientError as error:
            return False if error.response["Error"]["Code"] == "NoSuchEntity" else None
        return True

    def api_key(self, key_id: str) -> str:
        """The value of an API key."""
        return str(self.guarded("apigateway").get_api_key(apiKey=key_id, includeValue=True)["value"])

    def set_variable(self, function: str, name: str, value: str) -> None:
        """Change one environment variable of a function where it differs, in place."""
        client = self.guarded("lambda")
        try:
            current = client.get_function_configuration(FunctionName=function)
            variables = current.get("Environment", {}).get("Variables", {})
            if variables.get(name) != value:
                client.update_function_configuration(
                    FunctionName=function, Environment={"Variables": {**variables, name: value}}
                )
        except ClientError as error:
            raise AwsError(f"{name} of {function} could not be set: {error}") from error

    def invoke(self, function: str, payload: dict[str, Any], *, seconds: float) -> dict[str, Any]:
        """Call a function once and return what it returns; raises `AwsError` with its message where it fails."""
        client = self.guarded("lambda", read_timeout=seconds, retries=0)
        try:
            reply = client.invoke(FunctionName=function, Payload=json.dumps(payload).encode())
        except ClientError as error:
            raise AwsError(f"{function} could not be called: {error}") from error
        result: dict[str, Any] = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            raise AwsError(str(result.get("errorMessage") or f"{function} failed"))
        return result

    # Executions

    def start(self, machine: str, name: str, payload: dict[str, Any]) -> str:
        """Start an execution and return its ARN."""
        reply = self._states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(payload))
        return str(reply["executionArn"])

    def end_task(self, token: str, output: Mapping[str, Any]) -> bool:
        """Return the result of a task that waits for it; False where it waits no more."""
        try:
            self._states.send_task_success(taskToken=token, output=json.dumps(output))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("TaskTimedOut", "TaskDoesNotExist", "InvalidToken"):
                return False
            raise AwsError(f"Step Functions does not take the answer: {error}") from error
        return True

    def executions(self, machine: str, *, limit: int = 100) -> list[Execution]:
        """The latest executions of a machine, newest first, without their outputs."""
        reply = self._states.list_executions(stateMachineArn=machine, maxResults=limit)
        return [
            Execution(
                item["executionArn"],
                item["name"],
                item["status"],
                item["startDate"],
                item.get("stopDate"),
                {},
                "",
            )
            for item in reply["executions"]
        ]

    def execution(self, arn: str) -> Execution:
        """One execution with its result; raises `ObjectNotFound` when there is none of that ARN."""
        try:
            item = self._states.describe_execution(executionArn=arn)
        except ClientError as error:
            raise ObjectNotFound(f"there is no execution {arn}") from error
        return Execution(
            arn,
            item["name"],
            item["status"],
            item["startDate"],
            item.get("stopDate"),
            json.loads(item.get("output") or "{}"),
            str(item.get("cause") or item.get("error") or ""),
        )

    def current_state(self, arn: str) -> str:
        """The state that an execution entered last, or "" before the first."""
        reply = self._states.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=100)
        for event in reply["events"]:
            details = event.get("stateEnteredEventDetails")
            if details:
                return str(details["name"])
        return ""

    def state_output(self, arn: str, state: str) -> dict[str, Any] | None:
        """The output of one of the first states of an execution, or None before it is through."""
        reply = self._states.get_execution_history(executionArn=arn, maxResults=100)
        for event in reply["events"]:
            details = event.get("stateExitedEventDetails")
            if details and details["name"] == state and details.get("output"):
                output: dict[str, Any] = json.loads(details["output"])
                return output
        return None

    # Objects

    def upload(self, bucket: str, key: str, file: Path) -> bool:
        """Upload a file; returns False when the object already has the same bytes."""
        body = file.read_bytes()
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        try:
            current = self._s3.head_object(Bucket=bucket, Key=key)
            if current.get("Metadata", {}).get("sha256") == digest:
                return False
        except ClientError:
            pass  # not there yet, which is the usual case
        self._s3.put_object(Bucket=bucket, Key=key, Body=body, Metadata={"sha256": digest})
        return True

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object; a bucket with versions keeps them, behind a delete marker."""
        self._s3.delete_object(Bucket=bucket, Key=key)

    def send(self, bucket: str, key: str, file: Path, progress: Callable[[int], None]) -> None:
        """Upload a file of any size, in parts; `progress` receives the number of new bytes, from any thread."""
        try:
            self._s3.upload_file(str(file), bucket, key, Callback=progress)
        except S3UploadFailedError as error:
            raise AwsError(f"{file.name} could not be sent to s3://{bucket}/{key}: {error}") from error

    def empty(self, bucket: str) -> None:
        """Delete every version of every object of a bucket."""
        for page in self._s3.pages("list_object_versions", Bucket=bucket):
            items = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in items]
            if keys:
                errors = self._s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors")
                if errors:
                    first = errors[0]
                    raise AwsError(f"s3://{bucket}/{first['Key']} cannot be deleted: {first.get('Message')}")

    # Logs

    def log_lines(self, group: str, since: int) -> Iterator[tuple[int, str]]:
        """Log events after `since` (milliseconds since 1970), oldest first, each with its time."""
        logs = self.guarded("logs")
        printed = 0  # events of the time `since` that were returned already
        try:
            while True:
                events: list[dict[str, Any]] = []
                for page in logs.pages("filter_log_events", logGroupName=group, startTime=since):
                    events = page["events"]
                    for event in events[printed:]:
                        yield event["timestamp"], event["message"].rstrip("\n")
                    printed = 0
                # The emulator ends after a full page: the rest is asked for by time. See localstack/gaps.md.
                if len(events) < FULL_PAGE:
                    return
                since = events[-1]["timestamp"]
                printed = sum(event["timestamp"] == since for event in events)
                if printed == len(events):
                    since, printed = since + 1, 0
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                raise NotDeployed(f"There is no log group {group} yet: deploy first (andamio deploy)") from None
            raise
