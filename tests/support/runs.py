"""Training runs for tests: the steps of a run in order, as the state machine calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.ports import Objects
from training import export
from training.evaluate import evaluate
from training.fit import fit
from training.plan import plan
from training.trials import trial

LINEAR = ("logistic_regression",)


def planned(
    lake: Objects, models: Objects, contract: Contract, *, families: Sequence[str] = LINEAR, version: str | None = None
) -> str:
    """Plan a run and do its trials; returns the run's id."""
    written = plan(lake, models, contract, version=version, families=families)
    for spec in written["trials"]:
        trial(lake, models, written["run"], spec["id"])
    run: str = written["run"]
    return run


def fitted(
    lake: Objects, models: Objects, contract: Contract, *, families: Sequence[str] = LINEAR
) -> tuple[str, dict[str, Any]]:
    """A run up to its fit; returns its id and the fit."""
    run = planned(lake, models, contract, families=families)
    return run, fit(lake, models, run)


def evaluated(
    lake: Objects,
    models: Objects,
    contract: Contract,
    *,
    families: Sequence[str] = LINEAR,
    exporter: export.Exporter = export.to_onnx,
) -> tuple[str, dict[str, Any]]:
    """A run up to its evaluation; returns its id and the evaluation."""
    run = planned(lake, models, contract, families=families)
    fit(lake, models, run, exporter=exporter)
    return run, evaluate(lake, models, run)


def copied(objects: Objects, into: Objects | None = None) -> Any:
    """The latest version of every object, in a bucket that a test may change."""
    target = MemoryObjects("copy") if into is None else into
    for info in objects.list(""):
        target.put_new(info.key, objects.get(info.key).body)
    return target


class WithoutHoldout(MemoryObjects):
    """A lake whose holdout cannot be read: who tries to is caught."""

    def get(self, key: str, *, version: str | None = None) -> Any:
        """Read one object, unless it is a holdout."""
        assert "holdout" not in key, f"{key} was read before the evaluation"
        return super().get(key, version=version)
