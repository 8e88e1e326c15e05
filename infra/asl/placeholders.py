"""The placeholders of each file, what fills in the timeouts, and values like those of a deployment."""

from __future__ import annotations

import json
from typing import Any

from infra.asl.definition import PLACEHOLDER, AslError

PLACEHOLDERS: dict[str, frozenset[str]] = {
    "etl": frozenset(
        {"EtlFunction", "EtlFunctionSeconds", "TrainMachine", "QuietSeconds", "LongestSeconds", "Partition"}
    ),
    "train": frozenset(
        {
            "TrainFunction",
            "TrainFunctionSeconds",
            "SearchFunction",
            "SearchFunctionSeconds",
            "RegistryFunction",
            "RegistryFunctionSeconds",
            "Parallel",
            "Partition",
            "TaskCluster",
            "ApprovalSeconds",
            "RolloutMachine",
            "TaskDefinition",
            "TaskSeconds",
            "TaskSubnetOne",
            "TaskSubnetTwo",
            "TaskSecurityGroup",
        }
    ),
    "rollout": frozenset({"RegistryFunction", "RegistryFunctionSeconds"}),
    "monitor": frozenset({"MonitorFunction", "MonitorFunctionSeconds", "EtlMachine", "Partition"}),
    "batch": frozenset({"ScoreFunction", "ScoreFunctionSeconds", "BatchBucket", "BatchTopic", "Workers", "Partition"}),
}
"""Of each state machine: what the stack fills in."""

GRACE_SECONDS = 60
"""How much longer a task waits than its function may run: a cold start and the way back are not in the function's."""

_PARTITION = "aws"
_HERE = "eu-west-1:123456789012"
_EXAMPLES: dict[str, str | int] = {
    "FunctionSeconds": 960,
    "LongestSeconds": 21_630,
    "TaskSeconds": 21_600,
    "TaskDefinition": f"arn:{_PARTITION}:ecs:{_HERE}:task-definition/andamio-heart-train:1",
    "TaskCluster": "andamio-heart-train",
    "SubnetOne": "subnet-1",
    "SubnetTwo": "subnet-2",
    "SecurityGroup": "sg-1",
    "QuietSeconds": 30,
    "Parallel": 3,
    "ApprovalSeconds": 259_200,
    "Workers": 3,
    "Partition": _PARTITION,
    "Function": f"arn:{_PARTITION}:lambda:{_HERE}:function:andamio-heart-part",
    "Machine": f"arn:{_PARTITION}:states:{_HERE}:stateMachine:andamio-heart-part",
    "Topic": f"arn:{_PARTITION}:sns:{_HERE}:andamio-heart-batches",
    "Bucket": "andamio-heart-batch-bucket",
}


def placeholders(definition: Any) -> set[str]:
    """The names of all placeholders of a definition."""
    return set(PLACEHOLDER.findall(json.dumps(definition)))


def task_seconds(function: str, timeout: int) -> dict[str, int]:
    """What fills in the timeout of the tasks that call a function: its placeholder's name, its timeout in seconds.

    It is longer than the function's own: a function that runs out of time then says so itself, with its log's last
    line, where the task would end first and say nothing.
    """
    return {f"{function}Seconds": timeout + GRACE_SECONDS}


def example(name: str) -> str | int:
    """A value like the one that a deployment fills in for a placeholder; raises `AslError` for an unknown kind."""
    kind = next((kind for kind in _EXAMPLES if name.endswith(kind)), None)
    if kind is None:
        raise AslError(
            f"The placeholder ${{{name}}} has no example to check the rendered file with. End its name in one of "
            f"{', '.join(_EXAMPLES)}, or add an example in {__name__}."
        )
    return _EXAMPLES[kind]
