"""The local cloud on LocalStack in place of ministack: started, told apart, switched and stopped like it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from botocore.exceptions import ClientError

from infra.asl.retries import THROTTLED
from localstack.emulator import FUNCTIONS_AT_ONCE
from localstack.process import wait_until

from .conftest import CommandLine, runs

pytestmark = pytest.mark.cloud
WAITS = """
import os, time
def handler(folder, context):
    open(f"{folder}/{context.aws_request_id}", "w").close()
    while not os.path.exists(f"{folder}/go"):
        time.sleep(0.01)
    return "done"
"""
ANYWHERE = ("--emulator-port", "0", "--mlflow-port", "0")


@pytest.fixture(scope="module")
def localstack(new_cloud) -> CommandLine:
    cloud = new_cloud()
    values = cloud.ok("up", "--emulator", "localstack", *ANYWHERE)
    assert (values["emulator"], values["iam"]) == ("localstack", False)
    return cloud


def test_a_plain_up_leaves_localstack_as_it_is(localstack):
    before = localstack.pids()
    values = localstack.ok("up")
    assert values["emulator"] == "localstack"
    assert localstack.pids() == before
    assert localstack.ok("status")["services"]["emulator"]["state"] == "running"


def test_localstack_is_not_asked_to_enforce_permissions(localstack):
    refused = localstack.run("up", "--iam")
    assert refused.returncode == 1
    assert "--emulator ministack" in refused.stderr


def test_a_table_takes_conditional_writes_without_java(localstack):
    tables = localstack.client("dynamodb")
    tables.create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    once = {"TableName": "table", "Item": {"id": {"S": "1"}}, "ConditionExpression": "attribute_not_exists(id)"}
    tables.put_item(**once)
    with pytest.raises(ClientError, match="ConditionalCheckFailed"):
        tables.put_item(**once)
    assert tables.get_item(TableName="table", Key={"id": {"S": "1"}})["Item"] == {"id": {"S": "1"}}


def test_the_repository_of_a_bootstrap_can_be_made(localstack):
    registry = localstack.client("ecr")
    registry.create_repository(repositoryName="assets")
    assert [it["repositoryName"] for it in registry.describe_repositories()["repositories"]] == ["assets"]


def test_an_event_of_s3_names_its_object_as_it_is_called(localstack):
    objects, events, queues = (localstack.client(it) for it in ("s3", "events", "sqs"))
    objects.create_bucket(Bucket="arrivals")
    on = {"EventBridgeConfiguration": {}}
    objects.put_bucket_notification_configuration(Bucket="arrivals", NotificationConfiguration=on)
    url = queues.create_queue(QueueName="arrivals")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="arrivals", EventPattern=json.dumps({"source": ["aws.s3"]}))
    events.put_targets(Rule="arrivals", Targets=[{"Id": "queue", "Arn": arn}])
    objects.put_object(Bucket="arrivals", Key="incoming/pacientes año 100%25.csv", Body=b"1")
    (message,) = queues.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
    assert json.loads(message["Body"])["detail"]["object"]["key"] == "incoming/pacientes año 100%25.csv"


def test_localstack_runs_as_many_calls_at_once_as_a_new_account(localstack, tmp_path):
    functions = localstack.client("lambda", retries={"max_attempts": 0}, max_pool_connections=20)
    localstack.create_function("waits", WAITS)
    functions.get_waiter("function_active_v2").wait(FunctionName="waits")
    functions.update_function_configuration(FunctionName="waits", Timeout=120)
    functions.get_waiter("function_updated_v2").wait(FunctionName="waits")

    def call() -> str:
        try:
            return functions.invoke(FunctionName="waits", Payload=json.dumps(str(tmp_path)))["Payload"].read().decode()
        except ClientError as error:
            return error.response["Error"]["Code"]

    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(call) for _ in range(12)]
        assert wait_until(lambda: sum(it.done() for it in calls) == 12 - FUNCTIONS_AT_ONCE, 60)
        assert {it.result() for it in calls if it.done()} == {"TooManyRequestsException"}
        (tmp_path / "go").touch()
        assert [it.result() for it in calls].count('"done"') == FUNCTIONS_AT_ONCE


def test_a_call_that_lambda_refuses_has_its_name_in_a_state_machine_and_is_tried_again(localstack):
    functions, machines = localstack.client("lambda"), localstack.client("stepfunctions")
    arn = localstack.create_function("refused", "def handler(event, context):\n    return 'done'\n")
    functions.get_waiter("function_active_v2").wait(FunctionName="refused")
    functions.put_function_concurrency(FunctionName="refused", ReservedConcurrentExecutions=0)
    role = localstack.create_role("refused-machine", "states.amazonaws.com")
    by_arn = {"Type": "Task", "Resource": arn, "End": True}
    invoke = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": arn},
        "End": True,
    }
    for number, task in enumerate((by_arn, invoke)):
        ended = localstack.run_machine(f"refused-{number}", {"Call": task}, role)
        assert (ended["status"], ended["error"]) == ("FAILED", THROTTLED)
        assert "Rate Exceeded" in ended["cause"]

    retry = {"ErrorEquals": [THROTTLED], "IntervalSeconds": 1, "BackoffRate": 1.1, "MaxAttempts": 20}
    definition = json.dumps({"StartAt": "Call", "States": {"Call": by_arn | {"Retry": [retry]}}})
    machine = machines.create_state_machine(name="waits", definition=definition, roleArn=role)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine, input="{}")["executionArn"]
    assert wait_until(lambda: THROTTLED in str(machines.get_execution_history(executionArn=execution)["events"]), 20)
    functions.delete_function_concurrency(FunctionName="refused")
    assert wait_until(lambda: machines.describe_execution(executionArn=execution)["status"] == "SUCCEEDED", 30)


def test_localstack_with_many_functions_ends_at_once_in_the_middle_of_a_call(new_cloud, tmp_path):
    cloud = new_cloud()
    cloud.ok("up", "--emulator", "localstack", *ANYWHERE)
    for number in range(30):
        cloud.create_function(f"waits-{number}", WAITS)
    functions = cloud.client("lambda", retries={"max_attempts": 0})
    functions.get_waiter("function_active_v2").wait(FunctionName="waits-29")
    functions.update_function_configuration(FunctionName="waits-29", Timeout=120)
    functions.get_waiter("function_updated_v2").wait(FunctionName="waits-29")
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(functions.invoke, FunctionName="waits-29", Payload=json.dumps(str(tmp_path)))
        assert wait_until(lambda: any(tmp_path.iterdir()), 30)
        emulator = psutil.Process(cloud.pids()["emulator"])
        processes = emulator.children(recursive=True)
        assert any("awslambdaric" in process.cmdline() for process in processes)
        began = time.monotonic()
        emulator.terminate()
        assert wait_until(lambda: not runs(emulator.pid), 30)
        assert time.monotonic() - began < 10, "LocalStack would wait for polls of 2 s, and for the call"
        assert not any(runs(process.pid) for process in processes)
        assert call.exception() is not None


def test_localstack_is_started_again_as_another_cloud_until_a_down_and_ministack_stays_the_same(new_cloud):
    cloud = new_cloud()
    ministack = cloud.ok("up", *ANYWHERE)
    pid = cloud.pids()["emulator"]
    cloud.client("s3").create_bucket(Bucket="kept")
    first = cloud.ok("up", "--emulator", "localstack")
    assert not runs(pid)
    assert (first["emulator"], first["endpoint_url"]) == ("localstack", ministack["endpoint_url"])
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    emulator = psutil.Process(cloud.pids()["emulator"])
    emulator.kill()
    assert wait_until(lambda: not runs(emulator.pid), 10)
    second = cloud.ok("up")
    assert second["emulator"] == "localstack"
    assert len({ministack["cloud"], first["cloud"], second["cloud"]}) == 3
    cloud.ok("down")
    again = cloud.ok("up")
    assert (again["emulator"], again["cloud"], again["iam"]) == ("ministack", ministack["cloud"], True)
    assert [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]] == ["kept"]
