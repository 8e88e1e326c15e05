"""Records of raw data as a client would send them: what a release is proved with where it serves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.tables import Feature
from andamio.records.table import Table

RECORDS = 50
"""How many records are kept, at most."""


def keeps_records(contract: Contract) -> bool:
    """Whether records of raw data are kept for a proof: of a contract that prepares, and sends nothing private."""
    return contract.prepares and not any(feature.private for feature in contract.sent.inputs.values())


def as_sent(contract: Contract, sent: Table, row: int) -> dict[str, Any]:
    """One row that was parsed as `contract.sent` as a client would send it; what has no value is left out."""
    record = {name: _value(feature, sent.columns[name][row]) for name, feature in contract.sent.inputs.items()}
    time = contract.problem.time
    if time is not None and sent.time is not None and not np.isnat(sent.time[row]):
        record[time] = _moment(sent.time[row].item(), contract.problem.time_format)
    return {name: value for name, value in record.items() if value is not None}


def _value(feature: Feature, value: Any) -> object:
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or plain == "" or plain != plain:
        return None
    if isinstance(plain, float):
        return bool(plain) if feature.type == "boolean" else int(plain) if plain.is_integer() else plain
    if isinstance(plain, str):
        return plain
    return plain.isoformat() if feature.format is None else date_format(feature.format).write(plain)


def _moment(moment: datetime, written: str | None) -> str:
    return moment.isoformat() if written is None else date_format(written).write(moment)
