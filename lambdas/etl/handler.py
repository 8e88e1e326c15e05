"""A step of ETL: the event of the state machine in, a status and names out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_ETL
from andamio.settings import EtlSettings
from andamio.step import logged_step
from andamio.storage.ports import Objects
from etl.steps import STEPS, Etl


@cache
def connect() -> tuple[Objects, Contract]:
    """The lake and the contract that this function was deployed for; raises `SettingsError`."""
    return S3Objects(EtlSettings.from_env().lake), load_problem()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run one step of `etl.steps`."""
    return logged_step(STEPS, lambda: Etl(*connect(), datetime.now(UTC)), event, EVENT_ETL)
