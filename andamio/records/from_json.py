"""From JSON records, as in a request to the API, to typed columns."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from andamio.contract import Contract
from andamio.errors import InvalidRecord, Violation
from andamio.records.cells import Cells
from andamio.records.names import in_contract_form, similar_name
from andamio.records.parse import parse
from andamio.records.table import Table

_NAME_SHOWN = 64
"""How much of an unknown field's name is repeated in a message: it is input, and may be anything."""

_NO_NAME = re.compile(r"(Unnamed: \d+)?")
"""What pandas calls a column without a name, which most often is an index."""


def parse_records(contract: Contract, records: Sequence[object]) -> Table:
    """Read JSON records, each a mapping of feature to value; raises `InvalidRecord` with every problem found.

    Unknown fields are problems too. The column of [problem] time may stand in a record that has dates:
    their age is counted from it, else from now.
    """
    inputs, problems = contract.inputs, []
    allowed = set(inputs)
    if contract.problem.time is not None:
        allowed.add(contract.problem.time)
    any_required = any(feature.required for feature in inputs.values())
    maps: list[Mapping[str, object]] = []
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            problems.append(Violation(row, "", "expected an object of feature names and values", "not-an-object"))
            maps.append({})
            continue
        given = record if record.keys() <= allowed else in_contract_form(record, allowed)
        maps.append(given)
        if not given.keys() <= allowed:
            problems.extend(
                Violation(row, *unknown_field(contract, name), "unknown-field") for name in given if name not in allowed
            )
        elif not any_required and not any(name in inputs for name in given):
            problems.append(Violation(row, "", "names no feature: expected at least one", "no-values"))
    columns: dict[str, Cells] = {name: [record.get(name) for record in maps] for name in inputs}
    time = contract.problem.time
    if time is not None and any(time in record for record in maps):
        columns[time] = [record.get(time) for record in maps]
    table = parse(contract, columns, len(maps), text=False)
    problems.extend(problem for problem in table.violations if isinstance(records[problem.row], dict))
    if problems:
        raise InvalidRecord(sorted(problems, key=lambda problem: problem.row))
    return table


def unknown_field(contract: Contract, name: str) -> tuple[str, str]:
    """A name that no record has, as far as it may be repeated, and what is wrong with it."""
    shown = str(name)[:_NAME_SHOWN].encode(errors="replace").decode()
    if name in contract.features:
        return shown, "is only known after the event and no part of a request: leave it out"
    if name == contract.problem.target:
        return shown, "is what is predicted: leave it out"
    if _NO_NAME.fullmatch(str(name)):
        return shown, "a column without a name: leave it out, or write the data without an index (pandas: index=False)"
    close = similar_name(shown, list(contract.inputs))
    return shown, "unknown field" + (f"; did you mean '{close}'?" if close else ": see the schema")
