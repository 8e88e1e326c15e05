"""The batch machine without the machine: its steps one after another, over buckets in memory.

machine = Machine(contract)
machine.score("a.csv", body)        # the last result
machine.manifest(batch)["rows"]
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.step import run_step
from andamio.storage import layout
from scoring.batch import BatchPlan, Cut
from scoring.context import ScoringContext
from scoring.steps import STEPS, Call
from tests.support.releases import serve

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

SMALL = """
[problem]
name = "small"
target = "ill"
labels = { no = "Healthy", yes = "Ill" }
id = "patient"

[features.age]
type = "integer"

[features.weight]
type = "number"

[features.colour]
type = "category"
values = ["red", "blue"]
required = false
"""

Json = dict[str, Any]


def small() -> Contract:
    """Two columns that are needed, one that is not, and an id."""
    return Contract.from_toml(SMALL)


def table(rows: int) -> str:
    """A CSV file that the small contract likes."""
    return "patient,age,weight,colour\n" + "".join(
        f"p{row},{row % 90},{40 + row % 50}.5,{('red', 'blue')[row % 2]}\n" for row in range(rows)
    )


class Machine:
    """Buckets, a table and a served release; `release` is its version, None when nothing is served."""

    def __init__(self, contract: Contract | None = None, *, shard_bytes: int = 200, served: bool = True) -> None:
        self.contract = contract or small()
        self.batch, self.models, self.table = MemoryObjects("batch"), MemoryObjects("models"), MemoryPredictionStore()
        self.context = ScoringContext(
            self.contract.problem.name, "batch", self.batch, self.models, self.table, shard_bytes
        )
        self.now = NOW
        self.release = serve(self.models, self.contract) if served else None

    def drop(self, name: str, body: bytes | str) -> Json:
        """Put a file under incoming/; returns the event that EventBridge sends."""
        key = layout.INCOMING + name
        self.batch.put(key, body.encode() if isinstance(body, str) else body)
        info = self.batch.head(key)
        return {"detail": {"object": {"key": key, "version-id": info.version, "size": info.size}}}

    def step(self, step: str, **event: Any) -> Json:
        """One call of the function; what goes in and out is JSON."""
        said: Json = json.loads(
            json.dumps(run_step(STEPS, Call(self.context, self.now), json.loads(json.dumps({"step": step, **event}))))
        )
        return said

    def plan(self, asked: Json, execution: str = "first") -> Json:
        """The first step."""
        return self.step("plan", event=asked, execution=execution)

    def run(self, asked: Json, execution: str = "first", lost: Callable[[Json], bool] = lambda item: False) -> Json:
        """An execution from its start to its end; items that are `lost` are given up. Returns the last result."""
        self.now += timedelta(seconds=1)
        said = self.plan(asked, execution)
        while said["status"] in ("unpack", "survey", "score", "verify", "complete"):
            batch = said["batch"]
            if said["status"] == "unpack":
                said = self.step("unpack", batch=batch)
            elif said["status"] == "survey":
                self._map(said, "survey", lost)
                said = self.step("cut", batch=batch)
            elif said["status"] == "score":
                self._map(said, "score", lost)
                said = {"status": "verify", "batch": batch}
            elif said["status"] == "verify":
                said = self.step("verify", batch=batch)
            else:
                said = self.step("publish", batch=batch)
        if said["status"] in ("refused", "incomplete"):
            assert self.step("fail", input=said, execution=execution) == {}
        return said

    def prepare(self, name: str, body: bytes | str) -> Json:
        """Drop a file, plan it and cut it; returns the result of the last step, and scores nothing."""
        said = self.plan(self.drop(name, body))
        if said["status"] == "unpack":
            said = self.step("unpack", batch=said["batch"])
        if said["status"] == "survey":
            self._map(said, "survey", lambda item: False)
            said = self.step("cut", batch=said["batch"])
        return said

    def score(self, name: str, body: bytes | str) -> Json:
        """Drop a file and run the execution of its event."""
        return self.run(self.drop(name, body))

    def _map(self, said: Json, step: str, lost: Callable[[Json], bool]) -> None:
        for item in json.loads(self.batch.get(said["items"]).body):
            if lost(item):
                error = {"Error": "Lambda.Unknown", "Cause": '{"errorMessage": "out of memory", "errorType": "Killed"}'}
                assert self.step("give_up", **item, error=error) == {}
            else:
                assert self.step(step, **item) == {}

    def json(self, key: str) -> Any:
        """A JSON object of the batch bucket."""
        return json.loads(self.batch.get(key).body)

    def state(self, batch: str) -> Json:
        """Running, failed or done, and why."""
        state: Json = self.json(layout.batch(batch, "state.json"))
        return state

    def manifest(self, batch: str) -> Json:
        """What a finished batch came to."""
        manifest: Json = self.json(layout.batch_manifest(batch))
        return manifest

    def plan_of(self, batch: str) -> BatchPlan:
        """The plan as it is stored."""
        return BatchPlan.from_json(self.batch.get(layout.batch(batch, "plan.json")).body)

    def cut_of(self, batch: str) -> Cut:
        """The cut as it is stored."""
        return Cut.from_json(self.batch.get(layout.batch(batch, "shards.json")).body)
