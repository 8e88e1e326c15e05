"""What a card is made of: the files that a run left, as they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from andamio.contract import Contract

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a run and its data version wrote down; what may be missing is None or empty.

    `lock` is the SHA-256 of the lock file that the functions were deployed from, `decided` the day of the
    decision, `report` where the data version's report is.
    """

    run: str
    plan: Json
    fit: Json
    evaluation: Json
    decision: Json
    contract: Contract
    manifest: Json | None = None
    profile: Json = field(default_factory=dict)
    audit: Json | None = None
    importance: Json | None = None
    lock: str = ""
    decided: str = ""
    report: str = ""

    @property
    def metric(self) -> str:
        """The contract's metric."""
        name: str = self.evaluation["metric"]
        return name

    @property
    def low_evidence(self) -> bool:
        """Whether the holdout has too few rows of a class to judge by."""
        return bool(self.evaluation.get("low_evidence"))

    @property
    def judged_by(self) -> dict[str, Json]:
        """The figures to judge by: those of the holdout, or of repeated cross-validation where it is too small."""
        holdout: dict[str, Json] = self.evaluation["metrics"]
        crossed: dict[str, Json] = self.evaluation.get("cross_validated") or {}
        return {**holdout, **{name: _as_figure(crossed[name]) for name in crossed}} if self.low_evidence else holdout

    @property
    def figure(self) -> Json:
        """The contract's metric, to judge by: value, low, high."""
        return self.judged_by[self.metric]

    @property
    def trials(self) -> list[Json]:
        """Every trial of the run."""
        found: list[Json] = self.fit.get("trials") or []
        return found

    @property
    def offered(self) -> list[Json]:
        """The trials that a model could come from: all but yardsticks."""
        return [trial for trial in self.trials if not trial.get("baseline")]

    @property
    def done(self) -> list[Json]:
        """The trials that were scored to the end and could be chosen."""
        return [trial for trial in self.offered if trial["status"] == "done"]

    def text(self, key: str) -> str:
        """The text shown for a class."""
        return self.contract.texts.get(key, key)


def _as_figure(value: Any) -> Json:
    return value if isinstance(value, dict) else {"value": value, "low": None, "high": None}


def standard_error(trial: Json) -> float | None:
    """A trial's standard error, under the name that its version gave it."""
    found: float | None = trial.get("se", trial.get("standard_error"))
    return found


def why(trial: Json) -> str:
    """Why a trial has no score."""
    return str(trial.get("why") or trial.get("reason") or "no reason was noted")
