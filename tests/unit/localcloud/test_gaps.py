"""What the emulator does not do, as `localstack/gaps.md` says: a test that fails here is good news.

Then a gap has closed: say so there, and see whether something was built around it.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import httpx
import pytest

from localstack.process import wait_until

from .conftest import CommandLine, allow

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def name() -> str:
    return f"x{uuid.uuid4().hex[:12]}"


def run_machine(cloud: CommandLine, name: str, states: dict[str, Any], event: Any = None) -> dict[str, Any]:
    """Run a state machine, which may do anything, to its end; returns what DescribeExecution says."""
    role = cloud.create_role(f"{name}-machine", "states.amazonaws.com", allow("*", "*"))
    return cloud.run_machine(name, states, role, event)


def test_the_type_of_an_exception_is_lost(cloud, name):
    cloud.create_function(name, "def handler(event, context):\n    raise ValueError('no')\n")
    assert cloud.invoke(name)["errorType"] == "Runtime.HandlerError"


def test_a_payload_of_more_than_six_megabytes_is_accepted(cloud, name):
    cloud.create_function(name, "def handler(event, context):\n    return len(event)\n")
    assert cloud.invoke(name, "x" * (7 << 20)) == 7 << 20


def test_the_weights_of_an_alias_are_stored_and_not_used(cloud, name):
    functions = cloud.client("lambda")
    cloud.create_function(name, "def handler(event, context):\n    return context.function_version\n")
    first = functions.publish_version(FunctionName=name)["Version"]
    functions.update_function_configuration(FunctionName=name, Description="second")
    second = functions.publish_version(FunctionName=name)["Version"]
    weights = {"AdditionalVersionWeights": {second: 0.9}}
    functions.create_alias(FunctionName=name, Name="live", FunctionVersion=first, RoutingConfig=weights)
    assert {cloud.invoke(f"{name}:live") for _ in range(40)} == {first}


def test_a_presigned_address_works_after_it_has_expired(cloud, name):
    storage = cloud.client("s3")
    storage.create_bucket(Bucket=name)
    storage.put_object(Bucket=name, Key="a", Body=b"1")
    url = storage.generate_presigned_url("get_object", Params={"Bucket": name, "Key": "a"}, ExpiresIn=1)
    time.sleep(1.2)  # the expiry itself is what is waited for
    assert httpx.get(url).status_code == 200


def test_a_range_of_a_version_is_the_whole_version(cloud, name):
    storage = cloud.client("s3")
    storage.create_bucket(Bucket=name)
    storage.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    version = storage.put_object(Bucket=name, Key="a", Body=b"0123456789")["VersionId"]
    http_get = {"Bucket": name, "Key": "a", "Range": "bytes=2-4"}
    assert storage.get_object(**http_get)["Body"].read() == b"234"
    assert storage.get_object(**http_get, VersionId=version)["Body"].read() == b"0123456789"


def test_the_event_of_a_new_object_has_no_version(cloud, name):
    storage, events = cloud.client("s3"), cloud.client("events")
    queue = cloud.client("sqs").create_queue(QueueName=name)["QueueUrl"]
    storage.create_bucket(Bucket=name)
    storage.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    storage.put_bucket_notification_configuration(
        Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}))
    events.put_targets(Rule=name, Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:us-east-1:000000000000:{name}"}])
    storage.put_object(Bucket=name, Key="raw/a", Body=b"1")
    message = cloud.client("sqs").receive_message(QueueUrl=queue, WaitTimeSeconds=10)["Messages"][0]
    assert "version-id" not in json.loads(message["Body"])["detail"]["object"]


def test_a_task_that_calls_s3_itself_is_not_implemented(cloud, name):
    cloud.client("s3").create_bucket(Bucket=name)
    parameters = {"Bucket": name, "Key": "a", "Body": "1"}
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:s3:putObject", "Parameters": parameters, "End": True}
    assert run_machine(cloud, name, {"Put": task})["status"] == "FAILED"


def test_items_of_a_distributed_map_are_not_batched(cloud, name):
    states = {
        "Each": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemBatcher": {"MaxItemsPerBatch": 2},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "Same",
                "States": {"Same": {"Type": "Pass", "End": True}},
            },
            "End": True,
        }
    }
    done = run_machine(cloud, name, states, {"items": [1, 2, 3, 4]})
    assert json.loads(done["output"]) == [1, 2, 3, 4]


def test_a_subject_of_more_than_a_hundred_characters_is_accepted(cloud, name):
    client = cloud.client("sns")
    topic = client.create_topic(Name=name)["TopicArn"]
    assert client.publish(TopicArn=topic, Subject="x" * 101, Message="m")["MessageId"]


def test_a_table_takes_whatever_comes_however_fast(cloud, name):
    client = cloud.client("dynamodb")
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
    )
    for batch in range(20):
        requests = [{"PutRequest": {"Item": {"id": {"S": f"{batch}-{number}"}}}} for number in range(25)]
        assert client.batch_write_item(RequestItems={name: requests})["UnprocessedItems"] == {}


def test_a_name_that_has_run_is_refused_even_with_the_same_input_while_it_runs(cloud, name):
    client = cloud.client("stepfunctions")
    definition = json.dumps({"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 2, "End": True}}})
    role = cloud.create_role(f"{name}-machine", "states.amazonaws.com")
    machine = client.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    client.start_execution(stateMachineArn=machine, name="once", input="{}")
    with pytest.raises(client.exceptions.ExecutionAlreadyExists):
        client.start_execution(stateMachineArn=machine, name="once", input="{}")


def test_a_subscription_by_json_pattern_delivers_nothing_and_one_by_phrase_does(cloud, name):
    logs, storage = cloud.client("logs"), cloud.client("s3")
    storage.create_bucket(Bucket=name)
    cloud.create_function(name, 'def handler(event, context):\n    print(\'{"event": "andamio.prediction"}\')\n')
    group = f"/aws/lambda/{name}"
    logs.create_log_group(logGroupName=group)
    for kind, pattern in (("json", '{ $.event = "andamio.prediction" }'), ("phrase", '"andamio.prediction"')):
        write = f"boto3.client('s3').put_object(Bucket='{name}', Key='{kind}', Body=b'')"
        receiver = cloud.create_function(f"{name}-{kind}", f"import boto3\ndef handler(event, context):\n    {write}\n")
        logs.put_subscription_filter(
            logGroupName=group, filterName=kind, filterPattern=pattern, destinationArn=receiver
        )
    cloud.invoke(name)
    assert wait_until(lambda: storage.list_objects_v2(Bucket=name)["KeyCount"] > 0, 20)
    assert [found["Key"] for found in storage.list_objects_v2(Bucket=name)["Contents"]] == ["phrase"]


def test_a_path_named_health_is_the_emulators_own(cloud):
    recorded = json.loads((cloud.home / "cloud.json").read_text())
    answer = httpx.get(f"{recorded['endpoint_url']}/health", headers={"host": "abc.execute-api.localhost"})
    assert answer.status_code == 200
    assert "services" in answer.json()
