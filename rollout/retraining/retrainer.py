"""What the watch asks about retraining: the rule, the lock and the records together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from andamio.contract import Contract
from andamio.errors import DataError, DocumentError, TrainingError
from andamio.names import retraining_execution
from andamio.storage.ports import Objects
from monitoring.ports import Begun
from monitoring.report import Report, Retraining
from monitoring.window import Window, iso
from rollout.retraining import lock, rule
from rollout.retraining.gather import gather
from rollout.retraining.lock import Start, Starts
from rollout.retraining.records import forget, keep

_BESIDE_SEARCH = timedelta(hours=6)
"""ETL, fit, evaluation, and waiting for room to run."""


@dataclass(frozen=True, slots=True)
class ContractRetrainer:
    """`monitoring.ports.Retrainer` by the deployed contract."""

    lake: Objects
    models: Objects
    contract: Contract

    def consider(self, report: Report, window: Window, now: datetime) -> Retraining:
        """Whether a training is to start for a report, or why not; writes nothing."""
        found, why = None, rule.reason(report)
        if why is not None:
            try:
                found = gather(self.lake, self.models, self.contract, window, report.model.release).counted
            except (DataError, DocumentError, TrainingError) as error:  # the report is worth more than this answer
                said = f"The records with labels could not be counted: {error}"
                return Retraining(status="missing", message=f"No retraining. {said}", reason=why, missing=[said])
        return rule.decide(report, found, lock.read(self.lake), self.contract.monitor, self._longest, now)

    def claim(self, report: Report, window: Window, now: datetime) -> Begun | str:
        """Take the lock and keep the records that are trained on; what is to begin, or in words why nothing is."""
        release = report.model.release
        asked = report.retraining
        wanted = Start(
            release=release,
            window=window.name,
            execution=retraining_execution(release, window.name),
            reason=asked.reason if asked is not None and asked.reason else "the watch asked for it",
            since=iso(now),
        )

        def waiting(starts: Starts) -> str | None:
            return rule.waiting(starts, report, self.contract.monitor, self._longest, now)

        taken = lock.take(self.lake, wanted, waiting, now)
        if isinstance(taken, str):
            return taken
        if taken.started is None:
            records = gather(self.lake, self.models, self.contract, window, release).records
            if records.ids:
                keep(self.lake, self.contract, records)
        return _begun(taken)

    def confirm(self, execution: str, now: datetime) -> Begun | None:
        """Note that the execution is there; None where nobody claimed it."""
        start = lock.confirm(self.lake, execution, now)
        return None if start is None else _begun(start)

    def forget(self) -> None:
        """Leave no captured record that has a feature which is private now."""
        if self.contract.private:
            forget(self.lake, self.contract.private)

    @property
    def _longest(self) -> timedelta:
        """How long a training may take, until a person has approved of it."""
        release = self.contract.release
        approval = timedelta(hours=release.approve_hours if release.approve == "manual" else 0)
        return timedelta(minutes=self.contract.training.budget_minutes) + _BESIDE_SEARCH + approval


def _begun(start: Start) -> Begun:
    return Begun(start.execution, start.window, start.release, start.reason)
