"""Training runs for tests: the steps of a run in order, as the state machine calls them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.storage.ports import Objects
from training import export
from training.documents import FittedModel, NoModel, RoundResult, ScoredTrial
from training.evaluate.documents import Evaluation
from training.evaluate.evaluate import evaluate
from training.fit import fit
from training.own.code import PipelineCode
from training.plan import plan
from training.run import CONTINUE
from training.search import rounds
from training.trials.trial import trial

LINEAR = ("logistic_regression",)


def planned(
    lake: Objects,
    models: Objects,
    contract: Contract,
    *,
    families: Sequence[str] = LINEAR,
    version: str | None = None,
    trials: int | None = None,
    code: PipelineCode | None = None,
) -> str:
    """Plan a run and search, round by round; returns the run's id. As many trials as families, unless told."""
    number = len(families) if trials is None else trials
    written = plan(lake, models, contract, version=version, families=families, trials=number, code=code)
    searched(lake, models, written.run, code)
    return written.run


def searched(lake: Objects, models: Objects, run: str, code: PipelineCode | None = None) -> RoundResult:
    """Ask, do and tell every round of a planned run; returns what was told last."""
    told = None
    while told is None or told.status == CONTINUE:
        asked = rounds.ask(models, run, after=told.round if told else 0)
        for spec in asked.trials:
            trial(lake, models, run, spec.id, number=asked.round, code=code)
        told = rounds.tell(models, run, number=asked.round, began=datetime.now(UTC), now=datetime.now(UTC))
    return told


def fitted(
    lake: Objects,
    models: Objects,
    contract: Contract,
    *,
    families: Sequence[str] = LINEAR,
    trials: int | None = None,
    code: PipelineCode | None = None,
) -> tuple[str, FittedModel | NoModel]:
    """A run up to its fit; returns its id and the fit."""
    run = planned(lake, models, contract, families=families, trials=trials, code=code)
    return run, fit(lake, models, run, code=code)


def evaluated(
    lake: Objects,
    models: Objects,
    contract: Contract,
    *,
    families: Sequence[str] = LINEAR,
    exporter: export.Exporter = export.to_onnx,
) -> tuple[str, Evaluation]:
    """A run up to its evaluation; returns its id and the evaluation."""
    run = planned(lake, models, contract, families=families)
    fit(lake, models, run, exporter=exporter)
    return run, evaluate(lake, models, run)


def a_trial(name: str) -> dict[str, Any]:
    """What every trial says of itself."""
    return {"id": name, "family": "logistic_regression", "params": {}, "simplicity": 0, "round": 1}


def scored(name: str, mean: float = 0.7, **changed: Any) -> ScoredTrial:
    """The result of a trial that was scored."""
    figures = {"metric": "roc_auc", "folds": [mean] * 2, "fold_rows": [9, 9], "mean": mean, "se": 0.01, "columns": 3.0}
    return ScoredTrial(**{**a_trial(name), **figures, "size_bytes": 9, "scores": "", "seconds": 1.0, **changed})


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
