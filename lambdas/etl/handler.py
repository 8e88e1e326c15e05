"""A step of ETL: the event of the state machine in, a status and names out."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from andamio.adapters.s3 import S3Objects
from andamio.contract import Contract
from andamio.contract.deployed import load_problem
from andamio.names import EVENT_ETL
from andamio.prepare.code import OwnCode, deployed_for
from andamio.settings import EtlSettings
from andamio.step import logged_step
from andamio.storage.ports import Objects
from etl.steps import STEPS, Etl


@cache
def connect() -> tuple[Objects, Contract, OwnCode | None]:
    """The lake, the contract and its own code that this function was deployed for; raises `SettingsError`."""
    contract = load_problem()
    return S3Objects(EtlSettings.from_env().lake), contract, deployed_for(contract)


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run one step of `etl.steps`."""
    return logged_step(STEPS, _etl, event, EVENT_ETL)


def _etl() -> Etl:
    lake, contract, code = connect()
    return Etl(lake, contract, datetime.now(UTC), code)
