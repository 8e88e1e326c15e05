"""From JSON records to typed columns: what a request to the API brings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from andamio.contract import Contract
from andamio.errors import InvalidRecord, Violation
from andamio.records.cells import Cells
from andamio.records.parse import parse
from andamio.records.table import Table

_NAME_SHOWN = 64
"""How much of an unknown field's name is repeated in a message: it is input, and may be anything."""


def parse_records(contract: Contract, records: Sequence[object]) -> Table:
    """Read JSON records, each a mapping of feature to value; raises `InvalidRecord` with every problem found.

    Unknown fields are problems too. The column of [problem] time may stand in a record that has dates:
    their age is counted from it, else from now.
    """
    inputs, problems = contract.inputs, []
    allowed = set(inputs)
    if contract.problem.time is not None:
        allowed.add(contract.problem.time)
    maps: list[Mapping[str, object]] = []
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            problems.append(Violation(row, "", "expected an object of feature names and values", "not-an-object"))
            maps.append({})
            continue
        maps.append(record)
        if not record.keys() <= allowed:
            problems.extend(
                Violation(row, *_unknown(contract, name), "unknown-field") for name in record if name not in allowed
            )
    columns: dict[str, Cells] = {name: [record.get(name) for record in maps] for name in inputs}
    time = contract.problem.time
    if time is not None and any(time in record for record in maps):
        columns[time] = [record.get(time) for record in maps]
    table = parse(contract, columns, len(maps), text=False)
    problems.extend(problem for problem in table.violations if isinstance(records[problem.row], dict))
    if problems:
        raise InvalidRecord(sorted(problems, key=lambda problem: problem.row))
    return table


def _unknown(contract: Contract, name: str) -> tuple[str, str]:
    shown = str(name)[:_NAME_SHOWN].encode(errors="replace").decode()
    if name in contract.features:
        return shown, "is only known after the event and no part of a request: leave it out"
    if name == contract.problem.target:
        return shown, "is what is predicted: leave it out"
    close = difflib.get_close_matches(shown, list(contract.inputs), n=1, cutoff=0.6)
    return shown, "unknown field" + (f"; did you mean '{close[0]}'?" if close else ": see the schema")
