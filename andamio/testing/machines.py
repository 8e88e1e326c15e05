"""The state machines with our own functions behind them: etl, train, batch and monitor, as the stack deploys them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from types import ModuleType, SimpleNamespace
from unittest.mock import patch

import boto3
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from andamio import names
from andamio.adapters.events import BusEvents
from andamio.adapters.s3 import S3Objects
from andamio.contract.deployed import load_problem
from andamio.errors import UsageError
from andamio.settings import ApiSettings, RegistrySettings, ScoreSettings, TrainSettings
from andamio.testing.cloud import FUNCTION_SECONDS, LocalAws
from andamio.testing.tracker import MemoryTracker
from infra import asl

MACHINES = ("etl", "train", "batch", "monitor", "rollout")
TRAINING_STARTED = {"StartAt": "Train", "States": {"Train": {"Type": "Pass", "End": True}}}
"""Takes the place of training where only its start matters."""
TRACKING_URI = RegistrySettings.PREFIX + "TRACKING_URI"
_REMEMBERED = "memory"
_SHARD_BYTES = 100_000
_PARALLEL = 2
_APPROVAL_SECONDS = 60
"""How long a test may take to answer what waits for approval."""
_MEMORY_MB = 3008
_WORKERS = 4
_LONGEST_RETRY_SECONDS = 0.05

ENVIRONMENT: Mapping[str, str] = {
    TRACKING_URI: _REMEMBERED,
    RegistrySettings.PREFIX + "LOCK": "0" * 64,
    ScoreSettings.PREFIX + "SHARD_BYTES": str(_SHARD_BYTES),
    ApiSettings.PREFIX + "REFRESH_SECONDS": "60",
    ApiSettings.PREFIX + "CAPTURE_SHARE": "1",
    ApiSettings.PREFIX + "PRIVATE": "[]",
    ApiSettings.PREFIX + "AUDIT_SHARE": "0",
    TrainSettings.PREFIX + "COMPUTE": "function",
    TrainSettings.PREFIX + "SECONDS": str(FUNCTION_SECONDS),
    TrainSettings.PREFIX + "MEMORY_MB": str(_MEMORY_MB),
}
"""What functions need to be told beside buckets and table."""


@contextmanager
def deployed(aws: LocalAws, machines: Sequence[str], environment: Mapping[str, str]) -> Iterator[None]:
    """The named state machines with their functions, for the time of an account; a retry waits for 50 ms at most.

    Training that ETL starts is a machine of its own, `started`, that does nothing: tests start `train` themselves. So
    are the trial that training starts, `trial`, and ETL that the watch starts, `asked`.
    Raises `UsageError` for a machine that there is not.
    """
    deploys: dict[str, Callable[[LocalAws], None]] = {
        "etl": _etl,
        "train": _train,
        "batch": _batch,
        "monitor": _monitor,
        "rollout": _rollout,
    }
    if unknown := sorted(set(machines) - set(deploys)):
        raise UsageError(f"Expected machines among {', '.join(MACHINES)}. Got '{unknown[0]}'.")
    with ExitStack() as exits:
        exits.enter_context(patch.object(retrier_decl, "time", SimpleNamespace(sleep=_sleep)))
        for part in machines:
            deploys[part](aws)
        if {"train", "rollout"} & set(machines) and environment[TRACKING_URI] == _REMEMBERED:
            exits.enter_context(_remembered_runs())
        yield


def _etl(aws: LocalAws) -> None:
    from lambdas.etl import handler

    values = {
        **_function(aws, "etl", handler),
        "TrainMachine": aws.machine("started", TRAINING_STARTED, {}),
        "QuietSeconds": 0,
        "LongestSeconds": 600,
        "Partition": "aws",
    }
    aws.machine("etl", asl.FOLDER / "etl.asl.json", values)


def _train(aws: LocalAws) -> None:
    from lambdas.registry import handler as registry
    from lambdas.search import handler as search
    from lambdas.train import handler as train

    values: dict[str, str | int] = {"Parallel": _PARALLEL, "ApprovalSeconds": _APPROVAL_SECONDS, "Partition": "aws"}
    for part, module in {"train": train, "search": search, "registry": registry}.items():
        values |= _function(aws, part, module)
    values["RolloutMachine"] = aws.machine("trial", TRAINING_STARTED, {})
    # Tasks are for large data; steps here run in the process of the test, whatever their size.
    aws.machine("train", asl.without(asl.load(asl.FOLDER / "train.asl.json"), "ecs:runTask"), values)


def _batch(aws: LocalAws) -> None:
    from lambdas.score import handler

    values: dict[str, str | int] = {
        **_function(aws, "score", handler),
        "Partition": "aws",
        "BatchBucket": aws.batch.bucket,
        "BatchTopic": boto3.client("sns").create_topic(Name=names.resource(aws.problem, "batches"))["TopicArn"],
        "Workers": _WORKERS,
    }
    aws.machine("batch", asl.FOLDER / "batch.asl.json", values)


def _rollout(aws: LocalAws) -> None:
    from lambdas.registry import handler

    aws.machine("rollout", asl.FOLDER / "rollout.asl.json", _function(aws, "registry", handler))


def _monitor(aws: LocalAws) -> None:
    from lambdas.monitor import handler

    values = {
        **_function(aws, "monitor", handler),
        "EtlMachine": aws.machine("asked", TRAINING_STARTED, {}),
        "Partition": "aws",
    }
    aws.machine("monitor", asl.FOLDER / "monitor.asl.json", values)


def _function(aws: LocalAws, part: str, module: ModuleType) -> dict[str, str | int]:
    """A function, and what a state machine's placeholders say of it."""
    name = f"{part.capitalize()}Function"
    return {name: aws.function(part, module), **asl.task_seconds(name, FUNCTION_SECONDS)}


@contextmanager
def _remembered_runs() -> Iterator[None]:
    """The registry with a tracker that remembers, instead of MLflow, which takes seconds to import and to set up."""
    from lambdas.registry import handler as registry
    from registry.news import News
    from registry.record import Origin

    tracker = MemoryTracker()

    @cache
    def connect() -> registry.Registry:
        settings = RegistrySettings.from_env()
        origin = Origin(f"s3://{settings.lake}/", settings.lock)
        lake, models = S3Objects(settings.lake), S3Objects(settings.models)
        return registry.Registry(
            lake, models, origin, tracker, _REMEMBERED, News(BusEvents(), settings.system), load_problem()
        )

    with patch.object(registry, "connect", connect):
        yield


def _sleep(seconds: float) -> None:
    time.sleep(min(seconds, _LONGEST_RETRY_SECONDS))
