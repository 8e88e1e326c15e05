"""Whatever is killed, the same command ends right: what is stored then is what an undisturbed run stores.

Each machine runs once undisturbed, which shows every call that its functions make at a port. Then it runs again in a
new account for each of these calls: the process is killed before it, killed after it, or the call fails. Where the
execution failed, the same command is given once more. Every night all of them; otherwise a few of each machine, the
call that makes a step's result among them.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import boto3
import pytest
from moto.moto_api._internal import mock_random
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl

from andamio.contract import Contract
from andamio.storage import layout
from andamio.testing.machines import TRAINING_STARTED
from andamio.testing.tracker import MemoryTracker
from tests.support.datasets import heart_cells, publish
from tests.support.releases import linear_onnx, serve
from tests.support.stored import Normal, differences, items, made_releases, stored

from .cloud import Cloud, Execution, account
from .conftest import HEART, deploy_etl, deploy_training
from .faults import WRITES, Fault, Place, When, ports
from .scoring import SHARD_BYTES, Scoring, deploy_scoring, heart_file

EXPLORES = os.environ.get("HYPOTHESIS_PROFILE") == "explore"
HOW: tuple[When, ...] = ("before", "after", "instead")
CONTRACT = Contract.load(HEART)

_WRITTEN = re.compile(r"(?<=written: )\d+")
"""How often the tracker described a model: MLflow puts a time there, and a description that was lost is made again."""


@dataclass
class World(ABC):
    """An account in which a machine does its work once."""

    folder: Path
    made: Iterator[int] = field(default_factory=count)
    part: ClassVar[str]
    last: ClassVar[str] = ""
    """How the key of the document begins that completes a run; after a death behind it, the command is a second one."""
    second: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    """What a second command writes."""
    quick: ClassVar[tuple[tuple[str, str, str], ...]]
    """Step, call and how the key begins, of the calls at which it dies in the quick form."""

    @contextmanager
    def account(self) -> Iterator[Cloud]:
        """A new account, the same each time."""
        mock_random.seed(11)  # S3's version ids, out of which ETL makes a digest
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=lambda seconds: None))
            with self.deployed(self.folder / str(next(self.made)), patch) as cloud:
                yield cloud

    @abstractmethod
    def deployed(self, folder: Path, patch: pytest.MonkeyPatch) -> Any:
        """The account with the machine in it, as a context."""

    @abstractmethod
    def command(self, cloud: Cloud) -> Execution:
        """Give the command for the first time, and wait for its end."""

    def again(self, cloud: Cloud) -> Execution:
        """Give the same command again."""
        return self.command(cloud)

    def others(self, cloud: Cloud) -> dict[str, Any]:
        """What is stored elsewhere than in a bucket."""
        return {}

    def stored(self, cloud: Cloud) -> dict[str, Any]:
        """Everything that is stored, by where; what differs from run to run left out."""
        buckets = {bucket.bucket: bucket for bucket in (cloud.lake, cloud.models, cloud.batch)}
        return {**stored(buckets, normal(cloud)), **self.others(cloud)}


def normal(cloud: Cloud) -> Normal:
    """How texts of an account are compared."""
    return Normal(made_releases(cloud.models), _WRITTEN)


class Etl(World):
    part = "etl"
    quick = (
        ("validate", "put", "staging/"),
        ("publish", "put_new", "datasets/"),
        ("commit", "put_new", "datasets/"),
    )

    @contextmanager
    def deployed(self, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        with account(HEART, folder, patch) as cloud:
            deploy_etl(cloud, cloud.machine("train", TRAINING_STARTED, {}))
            yield cloud

    def command(self, cloud: Cloud) -> Execution:
        cloud.put("raw/heart.csv", (HEART / "heart.csv").read_bytes())
        return cloud.run("etl", cloud.landed("raw/heart.csv"))

    def again(self, cloud: Cloud) -> Execution:
        return cloud.run("etl", {})  # andamio ingest of a file that lies there already

    def others(self, cloud: Cloud) -> dict[str, Any]:
        return {"trainings": [arn.rsplit(":", 1)[1] for arn in cloud.executions("train")]}


class Train(World):
    part = "train"
    last = "runs/*/promoted/"
    second = re.compile(r"^[^/]+/runs/(compared|[0-9a-f]+/decisions)/1-")  # the gate looks at the new champion
    quick = (("fit", "put_new", "runs/"), ("promote", "put_new", "serving/"), ("trial", "put_new", "runs/"))
    compute: ClassVar[str] = "function"
    tracker: MemoryTracker

    @contextmanager
    def deployed(self, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        self.tracker = tracker = MemoryTracker()
        patch.setattr("registry.mlflow.MlflowTracker", lambda *_: tracker)
        more = {"ANDAMIO_TRACKING_URI": "memory", "ANDAMIO_LOCK": "10c" * 21 + "1", "ANDAMIO_COMPUTE": self.compute}
        with account(HEART, folder, patch, more) as cloud:
            deploy_training(cloud)
            publish(cloud.lake, CONTRACT, heart_cells())
            yield cloud

    def command(self, cloud: Cloud) -> Execution:
        return cloud.run("train", {"families": ["logistic_regression"], "trials": 2})

    def others(self, cloud: Cloud) -> dict[str, Any]:
        tracker = self.tracker
        releases = sorted((version, normal(cloud).text(release)) for release, version in tracker.releases.items())
        return {"mlflow": [tracker.versions, releases, tracker.aliases, tracker.outcomes]}


class TrainByTasks(Train):
    quick = (("trial", "put_new", "runs/"), ("fit", "put_new", "runs/"), ("evaluate", "put_new", "runs/"))
    compute = "task"


class Batch(World):
    part = "batch"
    quick = (("score", "put_all", ""), ("score", "put_new", "batches/"), ("publish", "put_new", "scored/"))

    @contextmanager
    def deployed(self, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Cloud]:
        with account(HEART, folder, patch, {"ANDAMIO_SHARD_BYTES": str(SHARD_BYTES)}) as cloud:
            serve(cloud.models, CONTRACT, linear_onnx(CONTRACT, scale=0.01))
            self.scoring: Scoring = deploy_scoring(cloud, workers=1)
            yield cloud

    def command(self, cloud: Cloud) -> Execution:
        return self.scoring.score("patients.csv", heart_file(90, poisoned=[3, 50]))

    def again(self, cloud: Cloud) -> Execution:
        ids = {info.key.split("/")[1] for info in cloud.batch.list(layout.BATCHES) if info.key.endswith("state.json")}
        if not ids:  # nobody claimed it
            return cloud.run("batch", cloud.landed("incoming/patients.csv", cloud.batch))
        return self.scoring.resume(ids.pop())

    def others(self, cloud: Cloud) -> dict[str, Any]:
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=cloud.table.table)
        return {"predictions": items((item for page in pages for item in page["Items"]), normal(cloud))}


WORLDS: tuple[type[World], ...] = (Etl, Train, TrainByTasks, Batch)


def undisturbed(world: World) -> tuple[list[Place], dict[str, Any]]:
    """Every call of a run to which nothing happens, and what it stores."""
    with world.account() as cloud, ports() as seen:
        ended = world.command(cloud)
        assert ended.status == "SUCCEEDED", ended.cause
        return list(dict.fromkeys(seen.places)), world.stored(cloud)


def died(world: World, fault: Fault, expected: dict[str, Any]) -> str:
    """What differs when a run dies and the same command is given again; "" for nothing."""
    with world.account() as cloud:
        with ports(fault) as seen:
            ended = world.command(cloud)
        if not seen.struck:
            return "the fault did not come"
        if ended.status != "SUCCEEDED":
            ended = world.again(cloud)
            if ended.status != "SUCCEEDED":
                return f"the same command failed too: {ended.cause}"
        found = world.stored(cloud)
    is_second = fault.when == "after" and world.last and fault.place.key.startswith(world.last)
    return "; ".join(each for each in differences(found, expected) if not (is_second and world.second.match(each)))


@pytest.fixture(scope="module", params=WORLDS, ids=lambda kind: kind.__name__)
def ran(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[World, list[Place], dict[str, Any]]:
    """A world, with every call of a run to which nothing happened, and what it stored."""
    world: World = request.param(tmp_path_factory.mktemp("world"))
    return world, *undisturbed(world)


@pytest.mark.slow
def test_undisturbed_runs_store_the_same(ran: tuple[World, list[Place], dict[str, Any]]) -> None:
    world, places, expected = ran
    again, once_more = undisturbed(world)
    assert sorted(again) == sorted(places)
    assert not differences(once_more, expected)


@pytest.mark.slow
@pytest.mark.timeout(3 * 3600 if EXPLORES else 600)
def test_whatever_dies_the_same_command_ends_right(ran: tuple[World, list[Place], dict[str, Any]]) -> None:
    world, places, expected = ran
    if EXPLORES:
        faults = [Fault(place, when) for place in places for when in HOW]
    else:
        chosen = [
            next(each for each in places if (each.step, each.call) == (step, call) and each.key.startswith(key))
            for step, call, key in world.quick
        ]
        faults = [Fault(place, when) for place, when in zip(chosen, HOW, strict=True)]
    wrong = {f"{fault.when} {fault.place}": said for fault in faults if (said := died(world, fault, expected))}
    assert not wrong, f"{len(wrong)} of {len(faults)} deaths:\n" + "\n".join(f"{k}\n    {v}" for k, v in wrong.items())
    assert any(place.call in WRITES for place in places)
