"""The local cloud refuses what AWS refuses: a call that the caller's role, or the resource's policy, does not allow."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from botocore.exceptions import ClientError

from localstack.emulator import FUNCTIONS_AT_ONCE
from localstack.process import wait_until

from .conftest import allow, policy

pytestmark = pytest.mark.timeout(120)

LISTS = """
import boto3
def handler(event, context):
    boto3.client("s3").list_object_versions(Bucket=event)
    return 1
"""
WAITS = """
import time
import boto3
def handler(event, context):
    s3 = boto3.client("s3")
    deadline = time.monotonic() + 100
    while "Contents" not in s3.list_objects_v2(Bucket=event, Prefix="go"):
        assert time.monotonic() < deadline
        time.sleep(0.2)
"""
READS = """
import boto3
def as_plain_http(request, **_):
    if {plain}:
        request.headers.add_header("X-Forwarded-Proto", "http")
def handler(event, context):
    s3 = boto3.client("s3")
    s3.meta.events.register("before-sign.s3", as_plain_http)
    return s3.get_object(Bucket=event, Key="a")["ETag"]
"""


@pytest.fixture
def name() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


@pytest.fixture
def bucket(cloud, name) -> str:
    cloud.client("s3").create_bucket(Bucket=name)
    return name


def test_a_function_may_do_what_its_role_allows(cloud, name, bucket):
    role = cloud.create_role(name, "lambda.amazonaws.com", allow("s3:ListBucketVersions", f"arn:aws:s3:::{bucket}"))
    cloud.create_function(name, LISTS, role=role)
    assert cloud.invoke(name, bucket) == 1


def test_what_its_role_does_not_allow_is_refused_in_the_words_of_aws(cloud, name, bucket):
    role = cloud.create_role(name, "lambda.amazonaws.com", allow("s3:ListBucket", f"arn:aws:s3:::{bucket}"))
    cloud.create_function(name, LISTS, role=role)
    said = cloud.invoke(name, bucket)["errorMessage"]
    assert "AccessDenied" in said
    assert f":assumed-role/{name}/{name} is not authorized to perform: s3:ListBucketVersions" in said


def test_the_same_action_on_another_resource_is_refused(cloud, name, bucket):
    role = cloud.create_role(name, "lambda.amazonaws.com", allow("s3:ListBucketVersions", "arn:aws:s3:::another"))
    cloud.create_function(name, LISTS, role=role)
    assert "s3:ListBucketVersions" in cloud.invoke(name, bucket)["errorMessage"]


def test_a_function_needs_a_role_that_is_there(cloud, name):
    with pytest.raises(ClientError, match="role"):
        cloud.create_function(name, LISTS, role="arn:aws:iam::000000000000:role/nobody")


def test_a_bucket_that_takes_tls_only_takes_functions_calls_and_refuses_plain_http(cloud, name, bucket):
    """Requests count as TLS on loopback, unless whoever ends TLS says that one was not."""
    s3 = cloud.client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=policy(deny))
    role = cloud.create_role(name, "lambda.amazonaws.com", allow("s3:GetObject", f"arn:aws:s3:::{bucket}/*"))
    cloud.create_function(name, READS.format(plain=False), role=role)
    cloud.create_function(f"{name}-plain", READS.format(plain=True), role=role)
    assert cloud.invoke(name, bucket) == s3.head_object(Bucket=bucket, Key="a")["ETag"]
    assert "explicit deny" in cloud.invoke(f"{name}-plain", bucket)["errorMessage"]


def test_a_queue_takes_from_a_topic_what_its_policy_allows(cloud, name):
    sns, sqs = cloud.client("sns"), cloud.client("sqs")
    topic = sns.create_topic(Name=name)["TopicArn"]
    queues = {suffix: sqs.create_queue(QueueName=f"{name}-{suffix}")["QueueUrl"] for suffix in ("closed", "open")}
    for suffix, queue in queues.items():
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        if suffix == "open":
            statement = allow("sqs:SendMessage", arn) | {"Principal": {"Service": "sns.amazonaws.com"}}
            sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy(statement)})
    sns.publish(TopicArn=topic, Message="said")

    def holds(suffix: str) -> bool:
        return bool(sqs.receive_message(QueueUrl=queues[suffix], VisibilityTimeout=0).get("Messages"))

    assert wait_until(lambda: holds("open"), 10)
    assert not holds("closed"), "it was subscribed first, so its message would have come first"


def test_as_many_calls_run_at_once_as_in_a_new_account(cloud, name, bucket):
    cloud.create_function(name, WAITS)
    functions = cloud.client("lambda", retries={"total_max_attempts": 1}, max_pool_connections=FUNCTIONS_AT_ONCE + 3)

    def call(_: int) -> str:
        try:
            functions.invoke(FunctionName=name, Payload=json.dumps(bucket))
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "done"

    with ThreadPoolExecutor(FUNCTIONS_AT_ONCE + 3) as pool:
        calls = [pool.submit(call, number) for number in range(FUNCTIONS_AT_ONCE + 3)]
        # Those that run wait for a sign, so that what has ended before it was refused.
        assert wait_until(lambda: sum(call.done() for call in calls) == 3, 60)
        assert {call.result() for call in calls if call.done()} == {"TooManyRequestsException"}
        cloud.client("s3").put_object(Bucket=bucket, Key="go")
        outcomes = [call.result() for call in calls]
    assert outcomes.count("done") == FUNCTIONS_AT_ONCE


def test_iam_can_be_switched_off_and_on_and_what_is_there_stays(new_cloud, name):
    cloud = new_cloud()
    values = cloud.ok("up", "--no-iam", "--emulator-port", "0", "--mlflow-port", "0")
    assert values["iam"] is False
    cloud.client("s3").create_bucket(Bucket=name)
    role = cloud.create_role(name, "lambda.amazonaws.com")
    cloud.create_function(name, LISTS, role=role)
    assert cloud.invoke(name, name) == 1
    before = cloud.pids()["emulator"]
    assert cloud.ok("up")["iam"] is False, "a plain up leaves what runs as it is"
    assert cloud.pids()["emulator"] == before
    assert cloud.ok("up", "--iam")["iam"] is True
    assert cloud.pids()["emulator"] != before
    assert "s3:ListBucketVersions" in cloud.invoke(name, name)["errorMessage"]
    cloud.ok("down")
    assert cloud.ok("up")["iam"] is True, "it is enforced unless told"


def test_a_plain_request_without_a_key_is_refused(cloud, bucket):
    endpoint = cloud.client("s3").meta.endpoint_url
    assert httpx.get(f"{endpoint}/{bucket}").status_code == 403
