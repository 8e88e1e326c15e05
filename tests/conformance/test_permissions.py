"""Who may do what: AWS judges each of these by a role or a policy. A call of a function is in `test_functions.py`."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from tests.conformance.account import Account, allow, eventually, policy, zipped
from tests.conformance.test_events import announcing
from tests.conformance.test_maps import distributed, items_of
from tests.conformance.verdicts import came, refusal

REFUSED = "refused"
PLAIN = """
import boto3, urllib.error, urllib.request
from botocore.config import Config
def handler(event, context):
    bucket, scheme = event
    style = {"addressing_style": "path"}
    s3 = boto3.client("s3", config=Config(signature_version="s3v4", s3=style))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    if scheme == "http":
        url = url.replace("https://", "http://")
    # On an emulator every request is plain; ministack counts it as TLS unless it says that it was not.
    request = urllib.request.Request(url, headers={"X-Forwarded-Proto": scheme})
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
"""
"""Reads an object over TLS or not; returns the status."""
QUIET_SECONDS = 5.0
"""How long a target that does not judge may take to do what it should refuse."""


def powerless(account: Account, service: str) -> str:
    """A role that a service may take, and that may do nothing."""
    return account.role(service)


def judged(said: Mapping[str, Any]) -> str:
    """Whether an execution failed for lack of a permission, failed in another way, or did what it should not."""
    if said["status"] == "FAILED":
        why = f"{said.get('error')} {said.get('cause')}"
        return (
            REFUSED if re.search("not authorized|access ?denied", why, re.IGNORECASE) else f"fails: {said.get('error')}"
        )
    return "done"


@pytest.mark.needs("runtime")
def test_a_bucket_that_takes_tls_only(account):
    """A bucket whose policy denies what does not come over TLS takes a function's calls, and refuses a plain one.

    Source: S3 User Guide, Security best practices; IAM User Guide, aws:SecureTransport.

    Here: `tests/infra/test_everywhere.py` holds the policy in the template.
    """
    s3, bucket = account.client("s3"), account.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    account.later(s3.delete_bucket_policy, Bucket=bucket)
    role = account.role("lambda", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    function = account.function(PLAIN, role=role, Timeout=20)
    came(account.invoke(function, [bucket, "https"]), 200)
    came(account.invoke(function, [bucket, "http"]), 403)


def test_a_request_that_nobody_signed(account):
    """A request without a signature to a bucket that is not public is refused with 403.

    Source: S3 User Guide, Blocking public access.

    Here: `tests/infra/test_everywhere.py` holds that every bucket is private.
    """
    s3, bucket = account.client("s3", signature_version="s3v4"), account.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a"})
    came(requests.get(url.split("?")[0], timeout=30).status_code, 403)


def test_a_topic_and_a_closed_queue(account):
    """A queue whose policy lets nobody in gets nothing from a topic.

    Source: SNS Developer Guide, Subscribing an Amazon SQS queue to an Amazon SNS topic.

    Here: `tests/infra/test_sufficient.py` holds policies of queues against the rules that send.
    """
    closed, opened = account.queue(closed=True), account.queue()
    account.client("sns").publish(TopicArn=account.topic(closed, opened), Message="1")
    account.message(opened)
    sqs = account.client("sqs")
    got = eventually(lambda: sqs.receive_message(QueueUrl=closed.url).get("Messages"), 1)
    came("delivered" if got else REFUSED, REFUSED)


def test_a_machine_that_may_not_call_a_function(account):
    """A machine whose role does not allow to call a function fails when it calls it.

    Source: Step Functions Developer Guide, Creating an IAM role for your state machine.

    Here: `tests/infra/test_machines.py` holds definitions against roles.
    """
    task = {"Type": "Task", "Resource": account.arn(account.actor()), "Parameters": {"do": "echo"}, "End": True}
    came(judged(account.run({"Work": task}, role=powerless(account, "states"))), REFUSED)


def test_a_machine_that_may_not_publish(account):
    """A machine whose role does not allow to publish fails when it does.

    Source: Step Functions Developer Guide, Creating an IAM role for your state machine.

    Here: `tests/infra/test_sufficient.py` holds definitions against roles.
    """
    parameters = {"TopicArn": account.topic(), "Message": "m"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::sns:publish", "Parameters": parameters, "End": True}
    came(judged(account.run({"Tell": task}, role=powerless(account, "states"))), REFUSED)


def test_a_machine_that_may_not_start_another(account):
    """A machine whose role does not allow to start another fails when it does.

    Source: Step Functions Developer Guide, IAM policies for integrated services.

    Here: `tests/infra/test_sufficient.py` holds definitions against roles.
    """
    inner = account.machine({"Pass": {"Type": "Pass", "End": True}})
    start = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution",
        "Parameters": {"StateMachineArn": inner, "Input": {}},
        "End": True,
    }
    came(judged(account.run({"Start": start}, role=powerless(account, "states"))), REFUSED)


def test_a_map_that_may_not_read_its_items(account):
    """A Distributed Map whose role allows neither its items nor its children fails.

    Source: Step Functions Developer Guide, IAM policies for using Distributed Map states.

    Here: `tests/infra/test_sufficient.py` takes each of these permissions away, and sees that it is missed.
    """
    each = distributed(account, items_of(account, [1]), {"Type": "Pass", "End": True})
    came(judged(account.run({"Each": each}, role=powerless(account, "states"))), REFUSED)


@pytest.mark.needs("events")
def test_a_rule_that_may_not_start_a_machine(account):
    """A rule whose role does not allow to start a machine starts none.

    Source: EventBridge User Guide, Using IAM roles for EventBridge targets.

    Here: `tests/infra/test_sufficient.py` holds roles of rules against their targets.
    """
    events, client, name = account.client("events"), account.client("stepfunctions"), account.name()
    machine, announced = account.machine({"Pass": {"Type": "Pass", "End": True}}), announcing(account)
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [announced.bucket]}}}
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    account.later(events.delete_rule, Name=name)
    role = powerless(account, "events")
    events.put_targets(Rule=name, Targets=[{"Id": "m", "Arn": machine, "RoleArn": role}])
    account.later(events.remove_targets, Rule=name, Ids=["m"])
    account.client("s3").put_object(Bucket=announced.bucket, Key="judged/a", Body=b"1")
    started = eventually(lambda: client.list_executions(stateMachineArn=machine)["executions"], QUIET_SECONDS)
    came("started" if started else REFUSED, REFUSED)


def test_a_rule_and_a_closed_queue(account):
    """A queue whose policy lets nobody in gets nothing from a rule.

    Source: EventBridge User Guide, Using resource-based policies.

    Here: `tests/infra/test_sufficient.py` holds policies of queues against the rules that send.
    """
    events, name, queue = account.client("events"), account.name(), account.queue(closed=True)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": queue.arn}])
    account.later(events.remove_targets, Rule=name, Ids=["q"])
    events.put_events(Entries=[{"Source": name, "DetailType": "t", "Detail": "{}"}])
    sqs = account.client("sqs")
    got = eventually(lambda: sqs.receive_message(QueueUrl=queue.url).get("Messages"), QUIET_SECONDS)
    came("delivered" if got else REFUSED, REFUSED)


def test_a_rule_and_a_topic_that_takes_nothing_from_it(account):
    """A topic whose policy does not let EventBridge publish gets nothing from a rule.

    Source: EventBridge User Guide, Using resource-based policies.

    Here: `tests/infra/test_sufficient.py` holds policies of topics against the rules that publish.
    """
    events, sqs, name, queue = account.client("events"), account.client("sqs"), account.name(), account.queue()
    topic = account.topic(queue)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    account.later(events.delete_rule, Name=name)
    events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": topic}])
    account.later(events.remove_targets, Rule=name, Ids=["t"])
    events.put_events(Entries=[{"Source": name, "DetailType": "t", "Detail": "{}"}])
    got = eventually(lambda: sqs.receive_message(QueueUrl=queue.url).get("Messages"), QUIET_SECONDS)
    came("delivered" if got else REFUSED, REFUSED)


@pytest.mark.needs("events")
def test_a_stream_that_may_not_write(account):
    """A Firehose stream whose role does not allow to write to its bucket writes nothing.

    Source: Firehose Developer Guide, Grant Firehose access to an Amazon S3 destination.

    Here: `tests/infra/test_sufficient.py` holds the stream's role against its bucket.
    """
    s3, firehose, bucket, name = account.client("s3"), account.client("firehose"), account.bucket(), account.name()
    account.accepted(
        firehose.create_delivery_stream,
        DeliveryStreamName=name,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": powerless(account, "firehose"),
            "BucketARN": f"arn:aws:s3:::{bucket}",
            "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1},
        },
    )
    account.later(firehose.delete_delivery_stream, DeliveryStreamName=name)

    def active() -> bool:
        described = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        return described["DeliveryStreamStatus"] == "ACTIVE"

    eventually(active, account.target.patience)
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"said"})
    quiet = 60.0 if account.target.is_aws else 2 * QUIET_SECONDS
    written = eventually(lambda: s3.list_objects_v2(Bucket=bucket)["KeyCount"], quiet)
    came("written" if written else REFUSED, REFUSED)


@pytest.mark.needs("gateway")
def test_an_api_that_may_not_call_its_function(account):
    """An API that the function's policy does not name is answered with 500.

    Source: API Gateway Developer Guide, Grant an API Gateway permission to invoke a Lambda function.

    Here: `tests/infra/test_sufficient.py` holds the function's policy against the API.
    """
    gateway, region = account.client("apigateway"), account.target.region
    function = account.function("def handler(event, context):\n    return {'statusCode': 200, 'body': 'called'}\n")
    uri = f"arn:aws:apigateway:{region}:lambda:path/2015-03-31/functions/{account.arn(function)}/invocations"
    made = gateway.create_rest_api(name=account.name())["id"]
    account.later(gateway.delete_rest_api, restApiId=made)
    root = gateway.get_resources(restApiId=made)["items"][0]["id"]
    where = {"restApiId": made, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**where, authorizationType="NONE")
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=made, stageName="v1")
    if account.target.is_aws:
        time.sleep(10)  # a new stage takes a moment
    came(requests.get(account.target.api_url(made, "v1") + "/", timeout=60).status_code, 500)


@pytest.mark.needs("runtime")
def test_a_subscription_that_may_not_call_its_function(account):
    """A subscription to a function whose policy does not let logs call it is refused.

    Source: CloudWatch Logs User Guide, Log group-level subscription filters.

    Here: the template gives `capture` its policy before the subscription, and the proof of permissions has it.
    """
    logs, group = account.client("logs"), account.name()
    logs.create_log_group(logGroupName=group)
    account.later(logs.delete_log_group, logGroupName=group)
    said = refusal(
        logs.put_subscription_filter,
        logGroupName=group,
        filterName="f",
        filterPattern='"x"',
        destinationArn=account.arn(account.function()),
    )
    came(said, "400 InvalidParameterException")


@pytest.mark.needs("runtime")
def test_a_function_with_a_role_that_is_not_there(account):
    """A function is not created with a role that does not exist.

    Source: Lambda API Reference, CreateFunction.

    Here: CloudFormation makes the roles; ministack refuses it.
    """
    arn = powerless(account, "lambda")
    said = refusal(
        account.client("lambda").create_function,
        FunctionName=account.name(),
        Runtime="python3.13",
        Handler="index.handler",
        Role=f"{arn}-of-nobody",
        Code={"ZipFile": zipped(index="")},
    )
    came(said, "400 InvalidParameterValueException")


@pytest.mark.needs("runtime")
def test_permissions_are_as_wide_as_they_say(account):
    """A permission on one bucket allows nothing on another.

    Source: IAM User Guide, Policy evaluation logic.

    Here: `python -m infra.proof` holds calls against the resources that roles name.
    """
    s3, bucket, other = account.client("s3"), account.bucket(), account.bucket()
    for name in (bucket, other):
        s3.put_object(Bucket=name, Key="a", Body=b"1")
    source = """
import boto3
def handler(event, context):
    return boto3.client("s3").get_object(Bucket=event, Key="a")["Body"].read().decode()
"""
    role = account.role("lambda", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    function = account.function(source, role=role, Timeout=20)
    came(account.invoke(function, bucket), "1")
    said = account.invoke(function, other)
    came(REFUSED if "AccessDenied" in str(said) else "done", REFUSED)
