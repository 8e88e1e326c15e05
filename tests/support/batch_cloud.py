"""An account in memory in which batches are scored, for tests of `andamio batch`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from andamio.adapters.aws import Execution
from andamio.adapters.memory import MemoryObjects
from andamio.cli import main
from andamio.cli.batches import report
from andamio.cli.models import show
from andamio.errors import CommandError, ObjectNotFound
from andamio.storage import layout
from scoring.batch import prediction_id
from tests.support.batches import a_plan, put_done
from tests.support.releases import heart, serve

MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:andamio-heart-batch"
DEPLOYED: dict[str, Any] = {
    "problem": "heart",
    "buckets": {"lake": "lake", "models": "models", "batch": "batch"},
    "state_machines": {"batch": MACHINE},
}
HEADER = "age,sex"
OWN = "prediction_id,label,label_text,probability_0,probability_1,model_version"


class Cloud:
    """An account in memory; what happens when a file arrives, or an execution is started, is for the test to say."""

    def __init__(self) -> None:
        self.buckets = {name: MemoryObjects(name) for name in ("models", "batch")}
        self.release = serve(self.buckets["models"], heart())
        self.runs: dict[str, Execution] = {}
        self.started: list[tuple[str, dict[str, Any]]] = []
        self.on_arrival: Callable[[str, str], None] = self.score
        self.on_start: Callable[[str, dict[str, Any]], None] = lambda name, payload: None

    def objects(self, bucket: str) -> MemoryObjects:
        return self.buckets[bucket]

    def send(self, bucket: str, key: str, file: Path, sent: Callable[[int], None]) -> None:
        self.buckets[bucket].put(key, file.read_bytes())
        sent(file.stat().st_size)
        self.on_arrival(key.split("/")[1], key)

    def executions(self, machine: str, *, limit: int = 100) -> list[Execution]:
        assert machine == MACHINE
        return list(self.runs.values())[:limit]

    def execution(self, arn: str) -> Execution:
        try:
            return self.runs[arn.rsplit(":", 1)[1]]
        except KeyError:
            raise ObjectNotFound(arn) from None

    def start(self, machine: str, name: str, payload: dict[str, Any]) -> str:
        self.started.append((name, payload))
        self.on_start(name, payload)
        return machine + name

    def run(self, name: str, status: str, cause: str = "") -> None:
        """An execution of that name, as it stands now."""
        began = datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=len(self.runs))
        arn = MACHINE.replace(":stateMachine:", ":execution:") + f":{name}"
        self.runs[name] = Execution(arn, name, status, began, None, {}, cause)

    def score(self, batch_id: str, key: str = "") -> None:
        """A batch of three rows, of which one is rejected."""
        plan = a_plan(batch=batch_id, release=self.release, key=key or f"incoming/{batch_id}/patients.csv")
        part, rejected = layout.scored_part(batch_id, 0, "csv"), layout.rejected_part(batch_id, 0)
        rows = [f"{50 + n},1,{prediction_id(batch_id, n)},1,Ill,0.25,0.75,{self.release}" for n in (2, 4)]
        self.buckets["batch"].put(part, "\n".join([f"{HEADER},{OWN}", *rows, ""]).encode())
        self.buckets["batch"].put(
            rejected, b'{"line": 3, "reason": "age: expected a [number]", "errors": [], "row": {}}\n'
        )
        put_done(self.buckets["batch"], plan, [part])


def said(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    """What a command prints as its result."""
    console = Console(width=160, record=True, highlight=False)
    for module in (show, report):
        monkeypatch.setattr(module, "out", console)
    result = CliRunner().invoke(main.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return console.export_text()


def refusal(*arguments: str) -> CommandError:
    """The error of a command."""
    result = CliRunner().invoke(main.app, list(arguments))
    assert isinstance(result.exception, CommandError), result.output
    return result.exception


def refused(*arguments: str) -> str:
    """The message of a command's error."""
    return str(refusal(*arguments))
