"""Rejected records: a log line for each, which says the fields and what is wrong with them, and never a value."""

from __future__ import annotations

from andamio import names
from andamio.contract import Contract
from andamio.errors import InvalidRecord
from lambdas.api import log
from lambdas.api.requests.records import MOST_RECORDS

MOST_VIOLATIONS = 100
"""How many different violations the line of one record lists."""
_OF_A_REQUEST = ("features", "id")
"""Keys of a record beside its features."""


def log_rejections(error: InvalidRecord, contract: Contract, version: str, route: str, request_id: str) -> None:
    """Write a line for each record that was rejected; `version` is of the release whose contract rejected it."""
    now = log.now()
    known = _names_known(contract)
    by_record: dict[int, dict[tuple[str, str], None]] = {}
    for item in error.violations:
        if item.row not in by_record and len(by_record) == MOST_RECORDS:
            continue
        # A name that only the caller knows is the caller's text, and may be anything.
        found = by_record.setdefault(item.row, {})
        if len(found) < MOST_VIOLATIONS:
            found[item.field if item.field in known else "", item.code] = None
    log.write(
        {
            "event": names.EVENT_REJECTION,
            "time": now,
            "route": route,
            "request_id": request_id,
            "index": index,
            "model_version": version,
            "violations": [{"field": field, "code": code} for field, code in found],
        }
        for index, found in sorted(by_record.items())
    )


def _names_known(contract: Contract) -> frozenset[str]:
    """The names that the contract itself says, and those of a request."""
    problem = contract.problem
    roles = (problem.target, problem.id, problem.group, problem.time)
    return frozenset(
        {*contract.features, *contract.sent.features, *(name for name in roles if name is not None), *_OF_A_REQUEST}
    )
