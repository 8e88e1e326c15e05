"""Deaths at the ports: the process of a function is killed before or after a call, or the call itself fails.

    with ports(Fault(place, "after")) as seen:
        cloud.run("etl", {})
    seen.places    every call that functions made, in order
    seen.struck    whether the fault came

A place is a function, its step, and the port's call with its key; ids and digests are left out of the key, so that
the same call is found again in another account.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.events import BusEvents
from andamio.adapters.s3 import S3Objects
from andamio.testing.tracker import MemoryTracker
from tests.support.recording import caller

from .cloud import Killed

When = Literal["before", "after", "instead"]
PORTS: dict[type, tuple[str, ...]] = {
    S3Objects: ("get", "get_range", "stream", "head", "list", "put", "put_new", "put_new_file", "put_stream"),
    DynamoPredictionStore: ("put_all",),
    MemoryTracker: ("log", "record_release", "point", "unpoint", "tag_outcome", "conclude"),
}
WRITES = frozenset(
    {"put", "put_new", "put_new_file", "put_stream", "put_all", "send"}
    | {"log", "record_release", "point", "unpoint", "tag_outcome", "conclude"}
)
_ID = re.compile(r"\d{8}T\d{6}-[\w-]+|[0-9a-f]{8,}")


@dataclass(frozen=True, order=True)
class Place:
    """The `nth` call (from 1) of a port by a step of a function, about a key."""

    function: str
    step: str
    call: str
    key: str
    nth: int

    def __str__(self) -> str:
        return f"{self.function} {self.step}: {self.call}({self.key}) #{self.nth}"


@dataclass(frozen=True)
class Fault:
    """What happens at a place, once."""

    place: Place
    when: When


@dataclass
class Seen:
    """The calls that were made, and whether the fault came."""

    places: list[Place] = field(default_factory=list)
    struck: bool = False
    command: str = ""
    _counts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, name: str, key: str) -> Place | None:
        """Note a call; None where a test makes it, and no command of that name."""
        who = caller() or (self.command and (self.command, "command")) or None
        if who is None:
            return None
        about = (*who, name, _ID.sub("*", key))
        with self._lock:
            self._counts[about] += 1
            place = Place(*about, self._counts[about])
            self.places.append(place)
        return place

    def strikes(self, fault: Fault | None, place: Place | None) -> bool:
        """Whether a fault comes now."""
        with self._lock:
            if fault is None or self.struck or place != fault.place:
                return False
            self.struck = True
            return True


@contextmanager
def ports(fault: Fault | None = None, command: str = "") -> Iterator[Seen]:
    """See every call of a port that a function makes in here; at one of them the fault comes.

    `command` is whose calls those are that no function makes.
    """
    seen = Seen(command=command)
    with pytest.MonkeyPatch.context() as patch:
        for port, names in PORTS.items():
            for name in names:
                patch.setattr(port, name, _faulty(getattr(port, name), name, seen, fault))
        patch.setattr(BusEvents, "put", _faulty(BusEvents.put, "send", seen, fault))
        yield seen


def _faulty(call: Callable[..., Any], name: str, seen: Seen, fault: Fault | None) -> Callable[..., Any]:
    def called(self: Any, *args: Any, **kwargs: Any) -> Any:
        key = args[0] if args and isinstance(args[0], str) else ""
        place = seen.call(name, key)
        if fault is None or not seen.strikes(fault, place):
            return call(self, *args, **kwargs)
        if fault.when == "instead":
            raise ConnectionResetError(f"the connection was reset: {place}")
        if fault.when == "after":
            answer = call(self, *args, **kwargs)
            if name == "list":
                list(answer)
        raise Killed(f"Runtime exited with error: signal: killed ({place})")

    return called


def timing_out(step: str) -> Callable[[StateTaskLambda, Any], Any]:
    """How moto begins a Lambda task, where one step never ends in time."""
    evaluate = StateTaskLambda._eval_parameters

    def begin(self: StateTaskLambda, env: Any) -> Any:
        asked = evaluate(self, env)
        if asked["Payload"]["step"] == step:
            raise TimeoutError
        return asked

    return begin
