"""What is needed: by functions, as the tests recorded it; by AWS's services, as the template makes them work for us."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.asl.definition import every_state, has_children
from infra.constructs.machine import LOG_DELIVERY
from infra.proof.grants import Template, readable, resources

CALLS = Path(__file__).with_name("calls.json")

EVENTS = "events.amazonaws.com"
GATEWAY = "apigateway.amazonaws.com"


@dataclass(frozen=True, slots=True, order=True)
class Need:
    """One action on one resource that somebody (a role's logical id, a service's principal) takes, and what for."""

    who: str
    action: str
    resource: str
    purpose: str


def needs(template: Template) -> frozenset[Need]:
    """Everything that is needed."""
    return frozenset([*_of_functions(template), *_of_machines(template), *_of_rules(template), *_of_gateway(template)])


def recorded() -> list[tuple[str, str, str, str, str]]:
    """The calls of functions: function, step, call, action, resource; see tests/support/recording.py."""
    return [(row[0], row[1], row[2], row[3], row[4]) for row in json.loads(CALLS.read_text())]


def roles(template: Template) -> dict[str, str]:
    """Function ("train") -> the logical id of its role."""
    return {
        properties["FunctionName"].rsplit("-", 1)[1]: readable(properties["Role"])
        for _, properties in resources(template, "AWS::Lambda::Function")
    }


def _of_functions(template: Template) -> Iterator[Need]:
    role = roles(template)
    for function, step, call, action, resource in recorded():
        yield Need(role[function], action, resource, f"{step}: {call.split(':')[1]}")


def _of_machines(template: Template) -> Iterator[Need]:
    for machine, properties in resources(template, "AWS::StepFunctions::StateMachine"):
        role, name = readable(properties["RoleArn"]), properties["StateMachineName"]
        definition = json.loads(readable(properties["DefinitionString"]))
        for _, state_name, state in every_state(definition):
            if state["Type"] == "Task":
                yield Need(role, *_of_task(state), f"state {state_name}")
            if has_children(state):
                yield from _of_map(role, name, state_name, state)
        if properties.get("LoggingConfiguration"):
            for action in LOG_DELIVERY.actions:
                yield Need(role, action, "*", f"the log of {machine}")


def _of_task(task: dict[str, Any]) -> tuple[str, str]:
    resource, parameters = str(task["Resource"]), task.get("Parameters", {})
    if resource.endswith(":states:::sns:publish"):
        return "sns:Publish", parameters["TopicArn"]
    if resource.endswith(":states:::states:startExecution"):
        return "states:StartExecution", parameters["StateMachineArn"]
    if ":" in resource:
        raise ValueError(f"Say in {__name__} what permission a task with the resource {resource} needs.")
    return "lambda:InvokeFunction", resource


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
            yield Need(EVENTS, "sqs:SendMessage", queue, f"what rule {rule} could not deliver")


def _of_gateway(template: Template) -> Iterator[Need]:
    for _, properties in resources(template, "AWS::ApiGateway::Method"):
        uri = properties["Integration"].get("Uri")
        if uri:
            # The function, or its alias, is what the address names beside the partition and the region.
            (function,) = [
                name for name in map(readable, uri["Fn::Join"][1]) if not name.startswith(("<", "arn:", ":", "/"))
            ]
            yield Need(GATEWAY, "lambda:InvokeFunction", function, "every method of the API")
