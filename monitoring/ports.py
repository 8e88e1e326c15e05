"""The ports of the watch: where its figures go, and who decides whether a training follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from monitoring.report import Report, Retraining
from monitoring.window import Window


class Metrics(Protocol):
    """Figures over time."""

    def put(self, values: Mapping[str, float]) -> None:
        """Put figures of this moment, by name; raises `AccessRefused` where it is not allowed."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A training that is to begin: the name of its execution of ETL, for which window and release, and why."""

    execution: str
    window: str
    release: str
    reason: str


class Retrainer(Protocol):
    """Decides on retraining; asked twice of one window it does nothing twice."""

    def consider(self, report: Report, window: Window, now: datetime) -> Retraining:
        """Whether a training is to start for a report, or why not; writes nothing."""

    def claim(self, report: Report, window: Window, now: datetime) -> Begun | str:
        """Take the lock and keep the records that are trained on; what is to begin, or in words why nothing is."""

    def confirm(self, execution: str, now: datetime) -> Begun | None:
        """Note that the execution is there; None where nobody claimed it."""

    def forget(self) -> None:
        """Leave no kept record that has a feature which is private now."""
