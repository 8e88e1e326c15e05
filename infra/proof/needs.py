"""What is needed: by functions, as the tests recorded it; by AWS's services, as the template makes them work for us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.asl.definition import every_state, has_children
from infra.constructs.capture import LOGS
from infra.constructs.machine import LOG_DELIVERY
from infra.constructs.tracker import may_track
from infra.proof.grants import Template, readable, resources

CALLS = Path(__file__).with_name("calls.json")

TASK, TASK_FAILED = "task", "task_failed"
"""The function that recorded calls of tasks have, and the step that reads their log."""

EVENTS = "events.amazonaws.com"
ALARMS = "cloudwatch.amazonaws.com"
GATEWAY = "apigateway.amazonaws.com"


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One action on one resource that a role (logical id) or a service (principal) needs, and its purpose."""

    who: str
    action: str
    resource: str
    purpose: str


def needs(template: Template) -> frozenset[Need]:
    """Everything that is needed."""
    kinds = (
        _of_functions,
        _of_tasks,
        _of_logs,
        _of_subscriptions,
        _of_dead_letters,
        _of_mlflow,
        _of_machines,
        _of_rules,
        _of_alarms,
        _of_webhooks,
        _of_gateway,
        _of_streams,
        _of_tracking,
    )
    return frozenset(need for kind in kinds for need in kind(template))


def recorded() -> list[tuple[str, str, str, str, str]]:
    """The calls of functions: function, step, call, action, resource; see tests/support/recording.py."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in json.loads(CALLS.read_text())]


def roles(template: Template) -> dict[str, str]:
    """Function ("train") -> the logical id of its role; "task" is not a function, and does steps of training."""
    functions = {
        properties["FunctionName"].rsplit("-", 1)[1]: readable(properties["Role"])
        for _, properties in resources(template, "AWS::Lambda::Function")
    }
    definitions = [readable(task["TaskRoleArn"]) for _, task in resources(template, "AWS::ECS::TaskDefinition")]
    return functions | dict(zip([TASK], definitions, strict=False))


def _of_functions(template: Template) -> Iterator[Need]:
    role = roles(template)
    for function, step, call, action, resource in recorded():
        if TASK not in role and (function == TASK or step == TASK_FAILED):
            continue  # training has no tasks in this stack
        yield Need(role[function], action, resource, f"{step}: {call.split(':')[1]}")


def _of_tasks(template: Template) -> Iterator[Need]:
    for _, task in resources(template, "AWS::ECS::TaskDefinition"):
        (container,) = task["ContainerDefinitions"]
        group = readable(container["LogConfiguration"]["Options"]["awslogs-group"])
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Need(readable(task["ExecutionRoleArn"]), f"logs:{action}", group, "ECS writes the tasks' log")
        variables = {pair["Name"]: pair["Value"] for pair in container["Environment"]}
        bundle = f"arn:<Partition>:s3:::{readable(variables['ANDAMIO_BUNDLE'])}"
        yield Need(readable(task["TaskRoleArn"]), "s3:GetObject", bundle, "the bundle, before a step begins")


def _of_logs(template: Template) -> Iterator[Need]:
    for _, properties in resources(template, "AWS::Lambda::Function"):
        group = readable(properties["LoggingConfig"]["LogGroup"])
        for action in ("CreateLogStream", "PutLogEvents"):
            yield Need(readable(properties["Role"]), f"logs:{action}", group, "Lambda writes the function's log")


def _of_subscriptions(template: Template) -> Iterator[Need]:
    for subscription, properties in resources(template, "AWS::Logs::SubscriptionFilter"):
        function = readable(properties["DestinationArn"])
        who = f"{LOGS} for {readable(properties['LogGroupName'])}"
        yield Need(who, "lambda:InvokeFunction", function, f"subscription {subscription}")


def _of_dead_letters(template: Template) -> Iterator[Need]:
    for _, properties in resources(template, "AWS::Lambda::Function"):
        if "DeadLetterConfig" in properties:
            queue = readable(properties["DeadLetterConfig"]["TargetArn"])
            yield Need(readable(properties["Role"]), "sqs:SendMessage", queue, "what Lambda gave up after its tries")


def _of_mlflow(template: Template) -> Iterator[Need]:
    """What MLflow's client asks of SageMaker; the actions are held against recorded calls by test_track_calls.py."""
    for _, properties in resources(template, "AWS::Lambda::Function"):
        uri = properties["Environment"]["Variables"].get("ANDAMIO_TRACKING_URI")
        for permission in may_track(readable(uri)) if uri else ():
            for action in permission.actions:
                yield Need(readable(properties["Role"]), action, readable(uri), "MLflow's client, seen on a server")


def _of_machines(template: Template) -> Iterator[Need]:
    for machine, properties in resources(template, "AWS::StepFunctions::StateMachine"):
        role, name = readable(properties["RoleArn"]), properties["StateMachineName"]
        definition = json.loads(readable(properties["DefinitionString"]))
        for _, state_name, state in every_state(definition):
            if state["Type"] == "Task":
                for action, resource in _of_task(state, template):
                    yield Need(role, action, resource, f"state {state_name}")
            if has_children(state):
                yield from _of_map(role, name, state_name, state)
        if properties.get("LoggingConfiguration"):
            for action in LOG_DELIVERY.actions:
                yield Need(role, action, "*", f"the log of {machine}")


def _of_task(state: dict[str, Any], template: Template) -> Iterator[tuple[str, str]]:
    resource, parameters = str(state["Resource"]), state.get("Parameters", {})
    if resource.endswith(":states:::sns:publish"):
        yield "sns:Publish", parameters["TopicArn"]
    elif resource.endswith(":states:::states:startExecution"):
        yield "states:StartExecution", parameters["StateMachineArn"]
    elif resource.endswith(":states:::lambda:invoke.waitForTaskToken"):
        yield "lambda:InvokeFunction", parameters["FunctionName"]
    elif resource.endswith(":states:::ecs:runTask.sync"):
        yield from _of_run_task(parameters["TaskDefinition"], template)
    elif ":" in resource:
        raise ValueError(f"Say in {__name__} what permission a task with the resource {resource} needs.")
    else:
        yield "lambda:InvokeFunction", resource


def _of_run_task(family: str, template: Template) -> Iterator[tuple[str, str]]:
    """What Step Functions' guide asks for to run a task of the latest revision, and to wait for its end."""
    here = "<Region>:<AccountId>"
    (task,) = (task for _, task in resources(template, "AWS::ECS::TaskDefinition") if task["Family"] == family)
    yield "ecs:RunTask", f"arn:<Partition>:ecs:{here}:task-definition/{family}:*"
    for action in ("StopTask", "DescribeTasks"):
        yield f"ecs:{action}", f"arn:<Partition>:ecs:{here}:task/{family}/*"
    for action in ("PutTargets", "PutRule", "DescribeRule"):
        yield f"events:{action}", f"arn:<Partition>:events:{here}:rule/StepFunctionsGetEventsForECSTaskRule"
    for role in ("TaskRoleArn", "ExecutionRoleArn"):
        yield "iam:PassRole", readable(task[role])


def _of_map(role: str, name: str, where: str, state: dict[str, Any]) -> Iterator[Need]:
    """A Distributed Map: its children are executions of its own machine, and the role reads the list of items."""
    states = "arn:<Partition>:states:<Region>:<AccountId>"
    yield Need(role, "states:StartExecution", f"{states}:stateMachine:{name}", f"children of {where}")
    for action in ("Describe", "Stop", "Redrive"):
        for children in (":*", "/*"):
            yield Need(
                role, f"states:{action}Execution", f"{states}:execution:{name}{children}", f"children of {where}"
            )
    reader = state.get("ItemReader", {})
    if reader:
        bucket = reader["Parameters"]["Bucket"]
        lists = {row[4] for row in recorded() if row[3] == "s3:PutObject" and "/todo/" in row[4]}
        for key in lists:
            yield Need(role, "s3:GetObject", bucket + key.removeprefix(bucket), f"items of {where}")


def _of_rules(template: Template) -> Iterator[Need]:
    keys = {name: properties.get("KmsMasterKeyId") for name, properties in resources(template, "AWS::SNS::Topic")}
    for rule, properties in resources(template, "AWS::Events::Rule"):
        for target in properties["Targets"]:
            to = readable(target["Arn"])
            if "RoleArn" in target:
                yield Need(readable(target["RoleArn"]), "states:StartExecution", to, f"rule {rule}")
            else:
                yield Need(EVENTS, "sns:Publish", to, f"rule {rule}")
                if keys[to]:
                    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                        yield Need(EVENTS, action, readable(keys[to]), f"rule {rule}, whose topic is encrypted")
            queue = readable(target["DeadLetterConfig"]["Arn"])
            yield Need(f"{EVENTS} for {rule}", "sqs:SendMessage", queue, f"what rule {rule} could not deliver")


def _of_alarms(template: Template) -> Iterator[Need]:
    keys = {name: properties.get("KmsMasterKeyId") for name, properties in resources(template, "AWS::SNS::Topic")}
    for _, properties in resources(template, "AWS::CloudWatch::Alarm"):
        # The policy lets in the alarms of the system by their common name.
        system, alarm, name = properties["AlarmName"].partition("-alarm-")
        named = f"arn:<Partition>:cloudwatch:<Region>:<AccountId>:alarm:{system}{alarm}*"
        for topic in map(readable, properties["AlarmActions"]):
            yield Need(f"{ALARMS} for {named}", "sns:Publish", topic, f"alarm {name}")
            if keys[topic]:
                for action in ("kms:Decrypt", "kms:GenerateDataKey"):
                    yield Need(ALARMS, action, readable(keys[topic]), "alarms, whose topic is encrypted")


def _of_webhooks(template: Template) -> Iterator[Need]:
    for subscription, properties in resources(template, "AWS::SNS::Subscription"):
        if "RedrivePolicy" in properties:
            queue = readable(properties["RedrivePolicy"]["deadLetterTargetArn"])
            who = f"sns.amazonaws.com for {readable(properties['TopicArn'])}"
            yield Need(who, "sqs:SendMessage", queue, f"what {subscription} did not take")


def _of_gateway(template: Template) -> Iterator[Need]:
    for _, properties in resources(template, "AWS::ApiGateway::Method"):
        uri = properties["Integration"].get("Uri")
        if uri:
            # The function, or its alias, is what the address names beside the partition and the region.
            (function,) = [
                name for name in map(readable, uri["Fn::Join"][1]) if not name.startswith(("<", "arn:", ":", "/"))
            ]
            api = f"arn:<Partition>:execute-api:<Region>:<AccountId>:{readable(properties['RestApiId'])}/*/*/*"
            yield Need(f"{GATEWAY} for {api}", "lambda:InvokeFunction", function, "every method of the API")


def _of_streams(template: Template) -> Iterator[Need]:
    """What Firehose's guide asks for to deliver to a bucket."""
    for stream, properties in resources(template, "AWS::KinesisFirehose::DeliveryStream"):
        to = properties["ExtendedS3DestinationConfiguration"]
        role, bucket, purpose = readable(to["RoleARN"]), readable(to["BucketARN"]), f"stream {stream}"
        for action in ("PutObject", "GetObject", "AbortMultipartUpload"):
            for prefix in (to["Prefix"], to["ErrorOutputPrefix"]):
                yield Need(role, f"s3:{action}", f"{bucket}/{prefix}*", purpose)
        for action in ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"):
            yield Need(role, f"s3:{action}", bucket, purpose)


def _of_tracking(template: Template) -> Iterator[Need]:
    """What SageMaker's guide asks for to keep an MLflow app's artifacts in a bucket."""
    for app, properties in resources(template, "AWS::SageMaker::MlflowApp"):
        role, purpose = readable(properties["RoleArn"]), f"artifacts of {app}"
        bucket, _, prefix = readable(properties["ArtifactStoreUri"]).removeprefix("s3://").partition("/")
        for action in ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts"):
            yield Need(role, f"s3:{action}", f"{bucket}/{prefix}/*", purpose)
        for action in ("GetBucketLocation", "ListBucket"):
            yield Need(role, f"s3:{action}", bucket, purpose)
