"""ETL over objects in memory: drop files, run the steps as the state machine does.

lake = Lake(CONTRACT)
lake.drop("a.csv", "age,colour,kind", "3,red,a", "4,blue,b")
lake.run()["status"]
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.dataset.columns import Columns, from_bytes
from andamio.prepare.code import OwnCode
from andamio.step import run_step
from andamio.storage import layout
from etl.steps import STEPS, Etl

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)


class Lake(MemoryObjects):
    """A lake in memory with a contract deployed beside it."""

    def __init__(self, contract: Contract, code: OwnCode | None = None) -> None:
        super().__init__("lake")
        self.contract, self.code = contract, code

    def drop(self, name: str, *lines: str) -> dict[str, Any]:
        """A file lands under raw/; returns the event that it sets off."""
        return self.drop_bytes(name, "".join(f"{line}\n" for line in lines).encode())

    def drop_bytes(self, name: str, body: bytes) -> dict[str, Any]:
        """The same, for any bytes."""
        key = layout.RAW + name
        self.put(key, body)
        return {"detail": {"object": {"key": key, "version-id": self.head(key).version}}}

    def step(self, step: str, **said: Any) -> dict[str, Any]:
        """One step; what it returns must survive JSON, as it does on its way through the state machine."""
        result: dict[str, Any] = json.loads(
            json.dumps(
                run_step(STEPS, Etl(self, self.contract, NOW, self.code), {"step": step, **said}), allow_nan=False
            )
        )
        return result

    def run(self, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """All steps, as long as each says to go on; what the last one said."""
        said = self.step("collect", event=dict(event or {}))
        if said["status"] == "ready":
            said = self.step("validate", input=said["input"])
        if said["status"] == "valid":
            said = self.finish(said["input"])
        return said

    def finish(self, digest: str) -> dict[str, Any]:
        """Publish and commit."""
        said = self.step("publish", input=digest)
        if said["status"] == "published":
            said = self.step("commit", input=digest, version=said["version"])
        return said

    def read(self, key: str) -> Any:
        """A JSON object of the lake."""
        return json.loads(self.get(key).body)

    def manifest(self, version: str) -> dict[str, Any]:
        """The manifest of a data version."""
        content: dict[str, Any] = self.read(layout.dataset(version, "manifest.json"))
        return content

    def rejects(self, said: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The rows that a step's answer says went to quarantine."""
        key = said["rejects"]["all"]
        return [] if key is None else [json.loads(line) for line in self.get(key).body.splitlines()]

    def side(self, version: str, side: str) -> Columns:
        """The columns of one side of a data version."""
        return from_bytes(self.get(layout.dataset_rows(version, side)).body)

    def sides(self, version: str, column: str) -> dict[Any, set[str]]:
        """On which sides of a data version each value of a column is found."""
        found: dict[Any, set[str]] = {}
        for side in ("train", "holdout"):
            for value in self.side(version, side)[column]:
                found.setdefault(value, set()).add(side)
        return found

    def column(self, version: str, column: str) -> NDArray[Any]:
        """A column of both sides."""
        return np.concatenate([self.side(version, side)[column] for side in ("train", "holdout")])
