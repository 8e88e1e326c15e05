"""What tests make in a target, all under one prefix, and delete again."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from tests.conformance.targets import Target
from tests.conformance.verdicts import Missing

ACTOR = """
import os, time
def handler(event, context):
    match event.get("do"):
        case "fail":
            raise ValueError("no")
        case "fail first":
            if event["attempt"] < 2:
                raise ValueError("no")
        case "sleep":
            time.sleep(event["seconds"])
        case "exit":
            os._exit(3)
        case "return":
            return "x" * event["bytes"]
        case "environment":
            return dict(os.environ)
    return event
"""
"""A function that does what its event says."""
PREFIX = "andamio-conf-"


def eventually[T](probe: Callable[[], T], seconds: float, pause: float = 0.1) -> T:
    """What a probe returns as soon as that is something, or what it returns at the end."""
    deadline = time.monotonic() + seconds
    while not (found := probe()) and time.monotonic() < deadline:
        time.sleep(pause)
    return found


def allow(actions: str | list[str], *resources: str) -> dict[str, Any]:
    """A statement of a policy."""
    return {"Effect": "Allow", "Action": actions, "Resource": list(resources)}


def policy(*statements: Mapping[str, Any]) -> str:
    """A policy document of statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue that takes what rules and topics send."""

    url: str
    arn: str


@dataclass
class Account:
    """A target as one test sees it; `session` is the account that all tests share, for what costs time to make."""

    target: Target
    prefix: str = field(default_factory=lambda: PREFIX + uuid.uuid4().hex[:8])
    session: Account | None = None
    cleanup: ExitStack = field(default_factory=ExitStack)
    made: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, **config: Any) -> Any:
        """A client of the target."""
        return self.target.client(service, **config)

    def name(self) -> str:
        """A name that nothing else has."""
        return f"{self.prefix}-{uuid.uuid4().hex[:8]}"

    def once[T](self, key: str, make: Callable[[Account], T]) -> T:
        """What is made once for all tests, at its first use."""
        shared = self.session or self
        if key not in shared.made:
            shared.made[key] = make(shared)
        found: T = shared.made[key]
        return found

    def later(self, call: Callable[..., Any], **arguments: Any) -> None:
        """Delete something at the end; only AWS must really be rid of it."""

        def delete() -> None:
            try:
                call(**arguments)
            except ClientError:
                if self.target.is_aws:
                    raise

        self.cleanup.callback(delete)

    # Storage and messages

    def bucket(self) -> str:
        """A bucket that keeps versions."""
        s3, name = self.client("s3"), self.name()
        where = {"CreateBucketConfiguration": {"LocationConstraint": self.target.region}}
        s3.create_bucket(Bucket=name, **(where if self.target.region != "us-east-1" else {}))
        self.later(s3.delete_bucket, Bucket=name)
        self.later(lambda: _empty(s3, name))
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        return name

    def table(self, **more: Any) -> str:
        """A table whose items are found by `id`."""
        dynamodb, name = self.client("dynamodb"), self.name()
        description = {
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        }
        dynamodb.create_table(TableName=name, **(description | more))
        self.later(dynamodb.delete_table, TableName=name)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
        return name

    def queue(self, *, closed: bool = False) -> Queue:
        """A queue that takes from rules and topics, or, closed, from nobody but its owner."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=self.name())["QueueUrl"]
        self.later(sqs.delete_queue, QueueUrl=url)
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if not closed:
            senders = {"Principal": {"Service": ["sns.amazonaws.com", "events.amazonaws.com"]}}
            open_to = policy(allow("sqs:SendMessage", arn) | senders)
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": open_to})
        return Queue(url, arn)

    def topic(self, *queues: Queue) -> str:
        """A topic whose messages go to these queues, as they were published."""
        sns = self.client("sns")
        arn: str = sns.create_topic(Name=self.name())["TopicArn"]
        self.later(sns.delete_topic, TopicArn=arn)
        for queue in queues:
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue.arn, Attributes={"RawMessageDelivery": "true"})
        return arn

    def message(
        self, queue: Queue, wanted: Callable[[Any], bool] = lambda _: True, seconds: float | None = None
    ) -> Any:
        """The first message of a queue that is wanted, read as JSON where it is; raises `Missing` where none comes."""
        sqs = self.client("sqs")

        def receive() -> list[Any]:
            reply = sqs.receive_message(QueueUrl=queue.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
            return [it for it in (_read(message["Body"]) for message in reply.get("Messages", [])) if wanted(it)]

        seconds = self.target.patience if seconds is None else seconds
        found = eventually(receive, seconds)
        if not found:
            raise Missing("nothing came")
        return found[0]

    # Functions

    def role(self, service: str, *statements: Mapping[str, Any]) -> str:
        """A role that a service may take, and that may do what the statements say; returns its ARN."""
        iam, name = self.client("iam"), self.name()
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": f"{service}.amazonaws.com"}}
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        self.later(iam.delete_role, RoleName=name)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="permissions", PolicyDocument=policy(*statements))
            self.later(iam.delete_role_policy, RoleName=name, PolicyName="permissions")
        return arn

    def usual_role(self, service: str) -> str:
        """A role that may do, with what has this account's prefix, whatever these tests do."""
        shared = self.session or self
        mine = f"{shared.prefix}*"
        return self.once(
            f"role of {service}",
            lambda it: it.role(
                service,
                allow(["lambda:InvokeFunction"], f"arn:aws:lambda:*:*:function:{mine}"),
                allow(["sns:Publish", "sqs:SendMessage"], f"arn:aws:sns:*:*:{mine}", f"arn:aws:sqs:*:*:{mine}"),
                allow(
                    ["s3:GetObject", "s3:PutObject", "s3:ListBucket"], f"arn:aws:s3:::{mine}", f"arn:aws:s3:::{mine}/*"
                ),
                allow(["states:*"], f"arn:aws:states:*:*:*:{mine}"),
                allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], "*"),
                allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], "*"),
            ),
        )

    def function(self, source: str = ACTOR, *, role: str = "", **more: Any) -> str:
        """A function of one module; returns its name, which is its log group's too."""
        functions, name = self.client("lambda"), self.name()
        if "runtime" in self.target.lacks:
            module: dict[str, Any] = {}
            exec(source, module)
            self.target.functions[name] = module["handler"]
        arguments = {
            "FunctionName": name,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Role": role or self.usual_role("lambda"),
            "Code": {"ZipFile": zipped(index=source)},
        }
        self.accepted(functions.create_function, **arguments, **more)
        logs = self.client("logs")
        self.later(lambda: _forget_log(logs, f"/aws/lambda/{name}"))
        self.later(functions.delete_function, FunctionName=name)
        self.settled(name)
        return name

    def accepted(self, call: Callable[..., Any], **arguments: Any) -> Any:
        """Make a call, again and again for a while on AWS: a new role is not known everywhere at once."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return call(**arguments)
            except ClientError as error:
                said = error.response["Error"].get("Message", "").lower()
                if not self.target.is_aws or "role" not in said or time.monotonic() > deadline:
                    raise
                time.sleep(3)

    def settled(self, function: str) -> None:
        """Wait until a function is as it was asked for."""
        functions = self.client("lambda")
        functions.get_waiter("function_active_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})
        functions.get_waiter("function_updated_v2").wait(FunctionName=function, WaiterConfig={"Delay": 1})

    def actor(self) -> str:
        """The name of a function, shared by all tests, that does what its event says."""
        return self.once("actor", lambda it: it.function(ACTOR, Timeout=30))

    def invoke(self, function: str, event: Any = None) -> Any:
        """What a function answers, or the description of its error."""
        reply = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        return json.loads(reply["Payload"].read())

    def arn(self, function: str) -> str:
        """The ARN of a function."""
        found: str = self.client("lambda").get_function(FunctionName=function)["Configuration"]["FunctionArn"]
        return found

    # State machines

    def machine(self, states: Mapping[str, Any], *, role: str = "", **top: Any) -> str:
        """A state machine that begins with the first of its states; returns its ARN."""
        client = self.client("stepfunctions")
        definition = json.dumps({"StartAt": next(iter(states)), "States": states, **top})
        role = role or self.usual_role("states")
        reply = self.accepted(client.create_state_machine, name=self.name(), definition=definition, roleArn=role)
        arn: str = reply["stateMachineArn"]
        self.later(client.delete_state_machine, stateMachineArn=arn)
        return arn

    def run(self, states: Mapping[str, Any], event: Any = None, **more: Any) -> dict[str, Any]:
        """Run states to their end; returns what DescribeExecution says."""
        client = self.client("stepfunctions")
        machine = self.machine(states, **more)
        execution = client.start_execution(stateMachineArn=machine, input=json.dumps(event or {}))["executionArn"]
        return self.ended(execution)

    def ended(self, execution: str) -> dict[str, Any]:
        """Wait for the end of an execution; raises `Missing` where it does not end."""
        client = self.client("stepfunctions")

        def describe() -> dict[str, Any] | None:
            said: dict[str, Any] = client.describe_execution(executionArn=execution)
            return said if said["status"] != "RUNNING" else None

        said = eventually(describe, max(30.0, self.target.patience))
        if said is None:
            raise Missing("the execution does not end")
        return said


def zipped(**modules: str) -> bytes:
    """An archive of modules, by name."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        for name, source in modules.items():
            code.writestr(f"{name.replace('__', '/')}.py", source)
    return archive.getvalue()


def outcome(said: Mapping[str, Any]) -> Any:
    """The output of an execution that succeeded; else its status and its error, as in "FAILED States.Timeout"."""
    if said["status"] == "SUCCEEDED":
        return json.loads(said["output"])
    return " ".join(filter(None, (said["status"], said.get("error"))))


def _read(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _empty(s3: Any, bucket: str) -> None:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])


def _forget_log(logs: Any, group: str) -> None:
    try:
        logs.delete_log_group(logGroupName=group)
    except logs.exceptions.ResourceNotFoundException:
        return
