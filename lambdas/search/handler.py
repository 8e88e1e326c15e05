"""One step of the search a call: ask, tell, lost. Trials and their results are in the models bucket."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.names import EVENT_TRAINING
from andamio.settings import SearchSettings
from andamio.step import do_step
from andamio.storage.ports import Objects
from training.search import rounds


@cache
def connect() -> Objects:
    """The models bucket that this function was deployed for; raises `SettingsError`."""
    return S3Objects(SearchSettings.from_env().models)


def _ask(models: Objects, event: dict[str, Any]) -> dict[str, Any]:
    return rounds.round_trials_summary(rounds.ask(models, event["run"], after=event["after"]))


def _tell(models: Objects, event: dict[str, Any]) -> dict[str, Any]:
    return rounds.round_result_summary(rounds.tell(models, event["run"], number=event["round"], now=datetime.now(UTC)))


def _lost(models: Objects, event: dict[str, Any]) -> dict[str, Any]:
    rounds.lost(models, event["run"], event["trial"], event["error"], execution=event["execution"])
    return {}  # children of a Map hand nothing back


STEPS: dict[str, Callable[[Objects, dict[str, Any]], dict[str, Any]]] = {"ask": _ask, "tell": _tell, "lost": _lost}


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Do the step that the event names; raises `andamio.errors`."""
    return do_step(STEPS, connect, event, EVENT_TRAINING, "run", "trial")
