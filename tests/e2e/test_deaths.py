"""Real kills in the middle of real work: what the same commands leave then is what an undisturbed run left.

`andamio ingest` and `andamio batch` are given on a local cloud of its own. In the middle of ETL, of a trial, of the
registration, of the promotion and of the batch one process gets SIGKILL. What died is started by `andamio up`, and a
command that failed is given again. Buckets, table and MLflow are compared with those of the demo, to which nothing
happened. Each night every machine loses every process once.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from andamio.storage import layout
from registry.reachable import answers
from tests.support.stored import differences

from .conftest import HEART, Clone, Deployed, all_stored

pytestmark = pytest.mark.e2e

VICTIMS = ("emulator", "worker", "postgres", "mlflow")
TURNS = range(len(VICTIMS) if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 1)
_MOST_SECONDS = 600.0
_LOOK_SECONDS = 0.02
_ADVICE = re.compile(r"andamio \w+")
_MOST_TIMES = 4
"""How often a command may fail: each kill costs at most one, and one more where it fell between two."""


@dataclass(frozen=True)
class Point:
    """The middle of a machine's work: how it is seen, and the function that is at it."""

    machine: str
    function: str
    reached: Callable[[Deployed], bool]


def _has(heart: Deployed, bucket: str, prefix: str, ending: str = "") -> bool:
    return any(info.key.endswith(ending) for info in heart.bucket(bucket).list(prefix))


def _registers(heart: Deployed) -> bool:
    """Whether the run is in MLflow already; its model comes later."""
    if not _has(heart, "models", layout.RUNS, "decisions/0.json"):
        return False
    try:
        experiment = heart.mlflow("experiments/get-by-name", experiment_name="heart")["experiment"]
        return bool(heart.mlflow("runs/search", {"experiment_ids": [experiment["experiment_id"]]}).get("runs"))
    except httpx.HTTPError:
        return False


TRAINING = (
    Point("etl", "etl", lambda heart: _has(heart, "lake", layout.STAGING)),
    Point("trial", "train", lambda heart: _has(heart, "models", layout.RUNS, "0001/trials.json")),
    Point("register", "registry", _registers),
    Point("promote", "registry", lambda heart: _has(heart, "models", layout.RUNS, "registered/0.json")),
)
BATCH = Point("batch", "score", lambda heart: _has(heart, "batch", layout.BATCHES, "state.json"))


@pytest.fixture
def doomed() -> Iterator[Clone]:
    """A clone with a local cloud of its own, to which heart is deployed."""
    home = Path(tempfile.mkdtemp(prefix="andamio-"))
    clone = Clone(home)
    try:
        clone.ok("up")
        clone.ok("deploy")
        yield clone
    finally:
        done = clone.run("down", "--purge")
        shutil.rmtree(home, ignore_errors=True)
        assert done.code == 0, done.said


class Command:
    """A command at work, given again each time that it fails."""

    def __init__(self, clone: Clone, *arguments: str, again: Callable[[], tuple[str, ...]] | None = None) -> None:
        self._clone, self._arguments, self._again = clone, arguments, again or (lambda: arguments)
        self.failures: list[str] = []
        self._start(arguments)

    def _start(self, arguments: tuple[str, ...]) -> None:
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115 - read when the command has ended
        self._process = self._clone.start(*arguments, output=self._output)

    def ended(self) -> bool:
        """Whether it has succeeded; where it failed, it is given again."""
        code = self._process.poll()
        if not code:
            return code == 0
        self._output.seek(0)
        said = self._output.read()
        self._output.close()
        self.failures.append(said)
        assert "Unexpected error" not in said, said
        assert len(self.failures) < _MOST_TIMES, f"it fails again and again:\n{said}"
        self._start(self._again())
        return False


def _await(reached: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _MOST_SECONDS
    while not reached():
        assert time.monotonic() < deadline, f"{what} did not come"
        threading.Event().wait(_LOOK_SECONDS)


def _kill(clone: Clone, point: Point, victim: str) -> None:
    """Send SIGKILL to a service, or to each process of the point's function; returns when they are gone."""
    services = clone.file("cloud.json")["services"]
    if victim == "worker":
        name = f"andamio-heart-{point.function}"
        emulator = psutil.Process(services["emulator"]["pid"])

        def workers() -> list[psutil.Process]:
            return [each for each in emulator.children() if f"-{name}-" in " ".join(each.cmdline())]

        _await(lambda: bool(workers()), f"a process of {name}")
        dying = workers()
    else:
        service = psutil.Process(services[victim]["pid"])
        # MLflow serves from a child, which outlives its parent; the emulator's children see for themselves.
        dying = [service, *(service.children(recursive=True) if victim == "mlflow" else [])]
    for process in dying:
        process.kill()
    psutil.wait_procs(dying, timeout=30)


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("turn", TURNS)
def test_after_each_kill_the_same_commands_end_in_what_an_undisturbed_run_stores(
    turn: int, doomed: Clone, undisturbed: dict[str, Any], sample: Path, tmp_path: Path
) -> None:
    heart = doomed.deployed("heart")
    doomed_at = {point: VICTIMS[(turn + nth) % len(VICTIMS)] for nth, point in enumerate((*TRAINING, BATCH))}

    starting: list[Command] = []
    ingest = Command(doomed, "ingest", str(HEART / "heart.csv"))
    for point in TRAINING:
        starting += _through(doomed, heart, ingest, point, doomed_at[point])
    _await(ingest.ended, "the end of ingest")

    def resumed() -> tuple[str, ...]:
        ids = {info.key.split("/")[1] for info in heart.bucket("batch").list(layout.INCOMING)}
        return ("batch", "--resume", ids.pop(), *output)

    output = ("--output", str(tmp_path / "scored.csv"))
    batch = Command(doomed, "batch", str(sample), *output, again=resumed)
    starting += _through(doomed, heart, batch, BATCH, doomed_at[BATCH])
    _await(batch.ended, "the end of the batch")
    _await(lambda: all(up.ended() for up in starting), "andamio up")
    doomed.ok("up")
    _await(lambda: answers(heart.outputs["mlflow_url"]), "MLflow")

    assert differences(all_stored(heart), undisturbed) == []
    said = ingest.failures + batch.failures
    assert all(_ADVICE.search(each) for each in said), f"it does not say which command goes on: {said}"


def _through(clone: Clone, heart: Deployed, command: Command, point: Point, victim: str) -> list[Command]:
    """Wait until a command is at a point, kill a process there, and start what died; returns what is still starting."""

    def reached() -> bool:
        command.ended()
        return point.reached(heart)

    _await(reached, point.machine)
    _kill(clone, point, victim)
    if victim == "worker":
        return []
    up = Command(clone, "up")
    if victim == "emulator":  # nothing answers before; of the others the next point is not to be missed
        _await(up.ended, "andamio up")
    return [up]
