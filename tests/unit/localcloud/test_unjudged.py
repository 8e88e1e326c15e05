"""What the local cloud does inside itself it does not judge, as `localstack/gaps.md` says: AWS refuses each of these.

So the roles and policies concerned are judged in the template, by `tests/infra`. A test that fails here is good news:
a gap has closed.
"""

from __future__ import annotations

import json
import uuid

import httpx
import pytest

from localstack.process import wait_until

from .conftest import allow

pytestmark = pytest.mark.timeout(120)

ANSWERS = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'called'}\n"


@pytest.fixture
def name() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


@pytest.fixture
def powerless(cloud, name):
    """Makes a role that a service may take and that may do nothing; returns its ARN."""
    return lambda service: cloud.create_role(f"{name}-{service}", f"{service}.amazonaws.com")


def test_a_machine_calls_a_function_that_its_role_may_not_call(cloud, name, powerless):
    call = {"Type": "Task", "Resource": cloud.create_function(name, ANSWERS), "End": True}
    assert cloud.run_machine(name, {"Call": call}, powerless("states"))["status"] == "SUCCEEDED"


def test_a_machine_publishes_and_starts_what_its_role_may_not(cloud, name, powerless):
    role = powerless("states")
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    inner = cloud.run_machine(f"{name}-inner", {"Pass": {"Type": "Pass", "End": True}}, role)["stateMachineArn"]
    states = {
        "Publish": {
            "Type": "Task",
            "Resource": "arn:aws:states:::sns:publish",
            "Parameters": {"TopicArn": topic, "Message": "said"},
            "Next": "Start",
        },
        "Start": {
            "Type": "Task",
            "Resource": "arn:aws:states:::states:startExecution",
            "Parameters": {"StateMachineArn": inner, "Input": {}},
            "End": True,
        },
    }
    assert cloud.run_machine(name, states, role)["status"] == "SUCCEEDED"


def test_a_distributed_map_reads_and_starts_what_its_role_may_not(cloud, name, powerless):
    storage = cloud.client("s3")
    storage.create_bucket(Bucket=name)
    storage.put_object(Bucket=name, Key="items.json", Body=b"[1, 2]")
    each = {
        "Type": "Map",
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": name, "Key": "items.json"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Same",
            "States": {"Same": {"Type": "Pass", "End": True}},
        },
        "End": True,
    }
    assert json.loads(cloud.run_machine(name, {"Each": each}, powerless("states"))["output"]) == [1, 2]


def test_a_rule_starts_a_machine_that_its_role_may_not_start(cloud, name, powerless):
    states, events = cloud.client("stepfunctions"), cloud.client("events")
    machine = cloud.run_machine(name, {"Pass": {"Type": "Pass", "End": True}}, powerless("states"))["stateMachineArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "machine", "Arn": machine, "RoleArn": powerless("events")}])
    events.put_events(Entries=[{"Source": name, "DetailType": "said", "Detail": "{}"}])
    assert wait_until(lambda: len(states.list_executions(stateMachineArn=machine)["executions"]) == 2, 10)


def test_a_rule_sends_to_a_queue_and_a_topic_that_take_nothing_from_it(cloud, name):
    sqs, sns, events = cloud.client("sqs"), cloud.client("sns"), cloud.client("events")
    queues = [sqs.create_queue(QueueName=f"{name}-{kind}")["QueueUrl"] for kind in ("direct", "topic")]
    direct, behind = (
        sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        for queue in queues
    )
    topic = sns.create_topic(Name=name)["TopicArn"]
    statement = allow("sqs:SendMessage", behind) | {"Principal": {"Service": "sns.amazonaws.com"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queues[1], Attributes={"Policy": document})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=behind)
    events.put_rule(Name=name, EventPattern=json.dumps({"source": [name]}))
    events.put_targets(Rule=name, Targets=[{"Id": "queue", "Arn": direct}, {"Id": "topic", "Arn": topic}])
    events.put_events(Entries=[{"Source": name, "DetailType": "said", "Detail": "{}"}])
    for queue in queues:
        assert sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=10).get("Messages")


def test_api_gateway_and_a_log_subscription_call_a_function_that_does_not_let_them(cloud, name):
    gateway, logs, storage = cloud.client("apigateway"), cloud.client("logs"), cloud.client("s3")
    function = cloud.create_function(name, ANSWERS)
    api = gateway.create_rest_api(name=name)["id"]
    where = {
        "restApiId": api,
        "resourceId": gateway.get_resources(restApiId=api)["items"][0]["id"],
        "httpMethod": "GET",
    }
    gateway.put_method(**where, authorizationType="NONE")
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
    gateway.put_integration(**where, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api, stageName="v1")
    answer = httpx.get(f"{gateway.meta.endpoint_url}/restapis/{api}/v1/_user_request_/")
    assert (answer.status_code, answer.text) == (200, "called")

    storage.create_bucket(Bucket=name)
    marks = (
        f"import boto3\ndef handler(event, context):\n    boto3.client('s3').put_object(Bucket='{name}', Key='told')\n"
    )
    receiver = cloud.create_function(f"{name}-receiver", marks)
    logs.create_log_group(logGroupName=name)
    logs.put_subscription_filter(logGroupName=name, filterName=name, filterPattern="", destinationArn=receiver)
    cloud.client("logs").create_log_stream(logGroupName=name, logStreamName=name)
    line = {"timestamp": 1_795_000_000_000, "message": "said"}
    logs.put_log_events(logGroupName=name, logStreamName=name, logEvents=[line])
    assert wait_until(lambda: storage.list_objects_v2(Bucket=name)["KeyCount"] > 0, 20)


def test_firehose_writes_to_a_bucket_that_its_role_may_not_write_to(cloud, name, powerless):
    storage, firehose = cloud.client("s3"), cloud.client("firehose")
    storage.create_bucket(Bucket=name)
    firehose.create_delivery_stream(
        DeliveryStreamName=name,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={
            "RoleARN": powerless("firehose"),
            "BucketARN": f"arn:aws:s3:::{name}",
            "BufferingHints": {"IntervalInSeconds": 1, "SizeInMBs": 1},
        },
    )
    firehose.put_record(DeliveryStreamName=name, Record={"Data": b"said"})
    assert wait_until(lambda: storage.list_objects_v2(Bucket=name)["KeyCount"] > 0, 30)
