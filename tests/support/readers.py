"""The readers of a file side by side: each row as ETL, batch and the API understand it.

by_etl(contract, body, "csv") == by_batch(contract, body, "csv")
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from andamio.contract import Contract
from andamio.errors import InvalidRecord, Violation
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.tabular.columns import column_kinds, scored_columns
from andamio.tabular.csv.reader import CsvReader
from andamio.tabular.file import read_file
from andamio.tabular.json.reader import JsonReader
from andamio.tabular.limits import BLOCK
from scoring.batch import BatchPlan
from scoring.formats import read_rows
from tests.support.scoring import planned


@dataclass(frozen=True)
class Reason:
    """What is wrong with a cell, or with a row (`""` as its column)."""

    text: str


Row = dict[str, Any]
"""By feature: float, text or ISO date, None for no value, or a `Reason`."""


def by_etl(contract: Contract, body: bytes, form: str) -> dict[int, Row]:
    """The rows of a file by the line that each begins on."""
    found: dict[int, Row] = {}
    read_as, blocks = read_file(f"raw/a.{form}", body, contract, column_kinds(contract, contract.inputs))
    for rows in blocks:
        table = parse(contract, rows.columns, len(rows.lines), text=rows.text, decimal=read_as.decimal or ".")
        found |= dict(zip(rows.lines.tolist(), rows_of(contract, table), strict=True))
        found |= {broken.line: {"": Reason(broken.reason)} for broken in rows.broken}
    return dict(sorted(found.items()))


def by_batch(contract: Contract, body: bytes, form: str) -> dict[int, Row]:
    """The same by the reader of batches."""
    found: dict[int, Row] = {}
    scored = planned(contract, body, form)
    with read_rows(scored.batch, scored.plan, scored.cut.shards[0], contract) as reading:
        for rows in reading.rows():
            table = parse(contract, rows.columns, len(rows.lines), text=rows.text, decimal=scored.plan.head.decimal)
            found |= dict(zip(rows.lines.tolist(), rows_of(contract, table), strict=True))
            found |= {broken.line: {"": Reason(broken.reason)} for broken in rows.broken}
    return dict(sorted(found.items()))


def by_api(contract: Contract, records: Sequence[dict[str, Any]]) -> dict[int, Row]:
    """The same of JSON records, as the API reads each."""
    found: dict[int, Row] = {}
    for line, record in enumerate(records, start=1):
        try:
            (found[line],) = rows_of(contract, parse_records(contract, [record]))
        except InvalidRecord as error:
            found[line] = _said(error.violations)
    return found


def csv_reader(plan: BatchPlan, contract: Contract, block: int = BLOCK) -> CsvReader:
    """The reader of a planned CSV file, as batch makes it."""
    kinds = column_kinds(contract, scored_columns(contract))
    return CsvReader(plan.head, kinds, contract.data.missing, block=block)


def json_reader(plan: BatchPlan, contract: Contract, block: int = BLOCK) -> JsonReader:
    """The reader of a planned file of JSON Lines, as batch makes it."""
    kinds = column_kinds(contract, scored_columns(contract))
    return JsonReader(plan.head, kinds, reserved=plan.names_out.values(), block=block)


def rows_of(contract: Contract, table: Table) -> list[Row]:
    """Each row of a table; of one that breaks the contract what is wrong."""
    columns = {name: _values(table, name) for name in contract.inputs}
    rows: list[Row] = [{name: column[row] for name, column in columns.items()} for row in range(table.rows)]
    for row in {violation.row for violation in table.violations}:
        rows[row] = _said([violation for violation in table.violations if violation.row == row])
    return rows


def _said(violations: Sequence[Violation]) -> Row:
    return {violation.field: Reason(violation.reason) for violation in violations}


def _values(table: Table, name: str) -> list[Any]:
    if name in table.coded:
        column = table.coded[name]
        return [column.values[code] if code >= 0 else None for code in column.codes.tolist()]
    values = table.columns[name]
    if values.dtype.kind == "M":
        return [None if day is None else day.isoformat() for day in values.tolist()]
    return [None if value == "" or value != value else value for value in values.tolist()]
