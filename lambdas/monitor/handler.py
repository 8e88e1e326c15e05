"""A step of the watch: the event of the state machine in, a status and names out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

from andamio.adapters.cloudwatch import CloudWatchMetrics
from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.events import BusEvents
from andamio.adapters.s3 import S3Objects
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_MONITOR
from andamio.settings import MonitorSettings
from andamio.step import logged_step
from monitoring.feedback import StoredPredictions
from monitoring.steps import STEPS, Watch
from rollout.retraining.retrainer import ContractRetrainer


@cache
def connect() -> partial[Watch]:
    """What this function was deployed for, all but the time of a call; raises `SettingsError`."""
    settings = MonitorSettings.from_env()
    lake, models, contract = S3Objects(settings.lake), S3Objects(settings.models), load_problem()
    return partial(
        Watch,
        lake=lake,
        models=models,
        contract=contract,
        retrainer=ContractRetrainer(lake, models, contract),
        system=settings.system,
        predictions=StoredPredictions(DynamoPredictionStore(settings.table), S3Objects(settings.batch)),
        metrics=CloudWatchMetrics(settings.system),
        events=BusEvents(),
    )


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run one step of `monitoring.steps`."""
    return logged_step(STEPS, lambda: connect()(now=datetime.now(UTC)), event, EVENT_MONITOR, "window")
