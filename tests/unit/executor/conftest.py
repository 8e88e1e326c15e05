from __future__ import annotations

import itertools
import json
import textwrap
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localstack.executor.bundle import Bundle, link_runtime, merge_layers
from localstack.executor.call import Call
from localstack.executor.environment import Environment, Function, Outcome
from localstack.executor.reaper import Reaper

MakeEnvironment = Callable[..., Environment]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return link_runtime(tmp_path_factory.mktemp("runtime"))


@pytest.fixture
def reaper(tmp_path: Path) -> Iterator[Reaper]:
    reaper = Reaper(tmp_path / "environments")
    yield reaper
    reaper.close()


@pytest.fixture
def make(tmp_path: Path, runtime: Path, reaper: Reaper) -> Iterator[MakeEnvironment]:
    """Makes an environment of a function whose code is given as text; all are stopped in the end."""
    made: list[Environment] = []
    numbers = itertools.count()

    def make(code: str, *, timeout: float = 20.0, layers: tuple[Path, ...] = (), **variables: str) -> Environment:
        task = tmp_path / f"task-{next(numbers)}"
        task.mkdir()
        (task / "main.py").write_text(textwrap.dedent(code))
        layer = merge_layers(layers, task.with_name(f"{task.name}-layers")) if layers else None
        function = Function(Bundle(task, runtime, layer), "main.handler", timeout)
        made.append(Environment(function, variables, tmp_path / "environments" / task.name, reaper))
        return made[-1]

    yield make
    for environment in made:
        environment.stop()


def invoke(environment: Environment, event: object = None) -> Outcome:
    return environment.invoke(Call(str(uuid.uuid4()), json.dumps(event).encode(), "arn:aws:lambda:::function:f"))


def result(outcome: Outcome) -> object:
    assert not outcome.reply.is_error, outcome
    return json.loads(outcome.reply.payload)


def error(outcome: Outcome) -> dict[str, str]:
    assert outcome.reply.is_error, outcome
    document: dict[str, str] = json.loads(outcome.reply.payload)
    return document
