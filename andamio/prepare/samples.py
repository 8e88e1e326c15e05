"""Records of raw data as a client would send them: what a release is proved with where it serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.schema import example_record
from andamio.contract.tables import EXACT_INTEGER, LARGEST_NUMBER, Feature
from andamio.errors import InvalidRecord, PrepareError
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared
from andamio.records.from_json import parse_records
from andamio.records.table import Table

RECORDS = 50
"""How many records are kept, at most."""
_DAYS = 20_000
"""Made-up dates are of so many days from 1970 on: to 2024."""
_NO_VALUE = 0.1
"""The share of made-up values that are missing, where they may be."""
_DRAWS = 8
"""How often more the values of a record are made up, to see that a private feature follows from them."""


@dataclass(frozen=True, slots=True)
class TextCells:
    """Cells of a record by column as a file of text writes them, and the file's decimal mark."""

    cells: dict[str, str]
    decimal: str


def private_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that are sent and are private: no value of them is kept."""
    return tuple(name for name, feature in contract.sent.inputs.items() if feature.private)


def disguises(contract: Contract) -> bool:
    """Whether records are kept with made-up values alone: a column that is sent is private, or what is made of some."""
    return bool(private_columns(contract) or _made_and_private(contract))


def as_sent(contract: Contract, table: Table, row: int) -> dict[str, Any]:
    """One row that was parsed by a contract, as a client would send it; what has no value is left out."""
    record = {name: _value(feature, table.columns[name][row]) for name, feature in contract.inputs.items()}
    time = contract.problem.time
    if time is not None and table.time is not None and not np.isnat(table.time[row]):
        record[time] = _moment(table.time[row].item(), contract.problem.time_format)
    return {name: value for name, value in record.items() if value is not None}


def disguised(
    contract: Contract, code: OwnCode | None, record: Mapping[str, Any], seed: int
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A record with made-up values of private columns, and the features that are made of it here.

    The values are drawn by `seed` from what the contract allows. None where they are refused all the same: by
    prepare.py, which may fail at what no row has, or since what it makes of them is out of range. None, too, where a
    private feature that is made does not change with them: what is not private would tell it.
    """
    rng = np.random.default_rng(seed)
    found = _drawn(contract, code, record, rng)
    hidden = _made_and_private(contract)
    if found is None or not hidden:
        return found
    # Only made-up values are compared: which record is kept says nothing of the real ones.
    others = [other[1] for _ in range(_DRAWS) if (other := _drawn(contract, code, record, rng)) is not None]
    follows = all(any(other.get(name) != found[1].get(name) for other in others) for name in hidden)
    return found if follows else None


def _made_and_private(contract: Contract) -> tuple[str, ...]:
    """The private features that prepare makes of columns of other names."""
    known = private_columns(contract)
    return tuple(
        name for name in contract.made if name in contract.inputs and name in contract.private and name not in known
    )


def _drawn(
    contract: Contract, code: OwnCode | None, record: Mapping[str, Any], rng: np.random.Generator
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """A record with made-up values of private columns and its features, None where it is refused."""
    sent = contract.sent
    example = example_record(sent)
    private = private_columns(contract)
    made = {name: _made_up(sent.inputs[name], example[name], rng) for name in private}
    kept = {name: value for name, value in record.items() if name not in private}
    whole = kept | {name: value for name, value in made.items() if value is not None}
    try:
        table = prepared(contract, code, parse_records(sent, [whole]))
    except (InvalidRecord, PrepareError):  # of real rows the code has had its say: it may not know what was made up
        return None
    return None if table.violations else (whole, as_sent(contract, table, 0))


def _made_up(feature: Feature, example: Any, rng: np.random.Generator) -> Any:
    """A value that a column may have; the example's where its kind says too little, as of a text."""
    if not feature.required and rng.random() < _NO_VALUE:
        return None
    if feature.type == "category":
        return str(rng.choice(list(feature.values))) if feature.values else example
    if feature.type == "boolean":
        return bool(rng.random() < 0.5)
    if feature.type == "date":
        day = (np.datetime64("1970-01-01", "s") + np.timedelta64(int(rng.integers(_DAYS)), "D")).item()
        return day.date().isoformat() if feature.format is None else date_format(feature.format).write(day)
    largest = EXACT_INTEGER if feature.type == "integer" else LARGEST_NUMBER
    low = feature.min if feature.min is not None else max(float(example) - 1, -largest)
    high = feature.max if feature.max is not None else min(float(example) + 1, largest)
    return int(rng.integers(int(np.ceil(low)), int(high) + 1)) if feature.type == "integer" else rng.uniform(low, high)


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
