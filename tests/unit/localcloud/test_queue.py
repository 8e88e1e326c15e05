"""The queue of requests to an API on the local cloud: whom a request waits for, by a clock that only the test moves."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

LAUNCH = Path(__file__).parents[3] / "localstack" / "launch.py"
FUNCTION = {"uri": "arn:aws:lambda:us-east-1:000000000000:function:api/invocations"}
MOST = 3
PATIENCE_SECONDS = 5.0
"""Until a request that waits for a clock which nobody moves is called a failure."""
MOMENT_SECONDS = 0.3
"""In which a request that waits looks at least twice whether it may go."""
MINISTACK = {
    "ministack": ["app"],
    "ministack.core": ["lambda_runtime", "responses"],
    "ministack.core.responses": ["get_account_id", "get_region"],
    "ministack.services": ["apigateway_v1", "cloudwatch_logs", "ecs", "lambda_svc", "s3", "stepfunctions"],
}


class Clock:
    """The clock of the queue."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        """The time that the test has set."""
        return self.now


class Process:
    """A process of the function."""

    func_name = "api"


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def launch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: Clock) -> Any:
    """The module, which is made for the emulator's own environment, beside a ministack that does nothing."""
    for name, parts in MINISTACK.items():
        module = ModuleType(name)
        for part in parts:
            setattr(module, part, SimpleNamespace(app=None))
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    spec = importlib.util.spec_from_file_location("launch", LAUNCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "time", clock)
    return module


class Requests:
    """Requests that run until they are told to end."""

    def __init__(self, queue: Any) -> None:
        self.called: list[str] = []
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._call = queue.queued(self._run)

    async def _run(self, integration: dict[str, Any], name: str) -> None:
        self.called.append(name)
        await self._ends[name].wait()

    def send(self, name: str) -> None:
        """Let a request arrive."""
        self._ends[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._call(FUNCTION, name))

    async def begins(self, name: str) -> None:
        """Wait until a request is called, while the clock stands still."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while name not in self.called:
                await asyncio.sleep(0.01)

    async def ends(self, name: str) -> None:
        """Let a request end."""
        self._ends[name].set()
        await self._tasks[name]

    async def waits(self, name: str) -> None:
        """See that a request is not called while the clock stands still."""
        await asyncio.sleep(MOMENT_SECONDS)
        assert name not in self.called


def test_short_requests_beside_a_long_one_do_not_wait_for_each_other(launch: Any, clock: Clock) -> None:
    async def scene() -> None:
        requests = Requests(launch.Queue(MOST))
        requests.send("long")
        await requests.begins("long")
        clock.now += launch.LONG_SECONDS
        for short in ("first", "second", "third"):
            requests.send(short)
            await requests.begins(short)
            await requests.ends(short)
        await requests.ends("long")

    asyncio.run(scene())


def test_a_request_waits_for_each_one_that_has_not_run_for_long(launch: Any, clock: Clock) -> None:
    async def scene() -> None:
        requests = Requests(launch.Queue(MOST))
        requests.send("long")
        await requests.begins("long")
        requests.send("second")
        await requests.waits("second")
        clock.now += launch.LONG_SECONDS
        await requests.begins("second")
        requests.send("third")
        await requests.waits("third")
        await requests.ends("second")
        await requests.begins("third")
        await requests.ends("third")
        await requests.ends("long")

    asyncio.run(scene())


def test_none_is_called_beside_a_process_that_starts_and_never_more_than_may_be(launch: Any, clock: Clock) -> None:
    async def scene() -> None:
        requests = Requests(launch.Queue(MOST))
        requests.send("1")
        await requests.begins("1")
        process = Process()
        launch.STARTING.add(process)
        requests.send("2")
        await asyncio.sleep(0)  # it arrives before the clock moves
        clock.now += launch.LONG_SECONDS
        await requests.waits("2")
        launch.STARTING.discard(process)
        await requests.begins("2")
        clock.now += launch.LONG_SECONDS
        requests.send("3")
        await requests.begins("3")
        clock.now += launch.LONG_SECONDS
        requests.send("4")
        await requests.waits("4")
        for name in ("1", "2", "3", "4"):
            await requests.ends(name)

    asyncio.run(scene())
