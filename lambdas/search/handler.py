"""One step of the search a call: ask, tell, lost. Trials and their results are in the models bucket."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.names import EVENT_TRAINING
from andamio.settings import SearchSettings
from andamio.step import NoResult, Step, Steps, logged_step
from andamio.storage.ports import Objects
from training.events import AskEvent, LostEvent, RoundResultSummary, RoundTrialsSummary, TellEvent
from training.run import Run
from training.search import rounds


@cache
def connect() -> Objects:
    """The models bucket that this function was deployed for; raises `SettingsError`."""
    return S3Objects(SearchSettings.from_env().models)


def _ask(models: Objects, event: AskEvent) -> RoundTrialsSummary:
    asked = rounds.ask(models, event.run, after=event.after)
    return rounds.round_trials_summary(Run(event.run, models).plan(), asked)


def _tell(models: Objects, event: TellEvent) -> RoundResultSummary:
    began, now = datetime.fromisoformat(event.began), datetime.now(UTC)
    return rounds.round_result_summary(rounds.tell(models, event.run, number=event.round, began=began, now=now))


def _lost(models: Objects, event: LostEvent) -> NoResult:
    rounds.lost(models, event.run, event.trial, event.error, execution=event.execution)
    return NoResult()


STEPS: Steps[Objects] = {"ask": Step(AskEvent, _ask), "tell": Step(TellEvent, _tell), "lost": Step(LostEvent, _lost)}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    return logged_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
