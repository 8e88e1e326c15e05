"""The bodies of /predict and /predict/batch: records, and the caller's own ids for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from andamio.errors import InvalidRecord, Violation
from andamio.suggestion import did_you_mean
from lambdas.api.replies.problems import RequestError

MOST_RECORDS = 1000
"""How many records one request may hold."""
LONGEST_TEXT = 1000
"""Characters of one value: CloudWatch cuts long log lines in pieces, which are no JSON then."""
LONGEST_ID = 256
LARGEST_ID = 2**63

RecordId = str | int | None

_RECORD = ("features", "id")
_RECORD_KEYS = frozenset(_RECORD)
_SPARE_FIELDS = 8
"""A record with at most so many more fields than the contract is answered with the names of the unknown ones."""


@dataclass(frozen=True, slots=True)
class Records:
    """Records to score, as they came, and the caller's id of each (None where none was given)."""

    features: list[object]
    ids: list[RecordId]


def one_record(payload: object) -> Records:
    """The record of `{"features": {...}, "id": ...}`; raises `RequestError` or `InvalidRecord`."""
    if not isinstance(payload, dict):
        raise invalid('Expected an object: {"features": {...}, "id": optional}.' + kind_of(payload))
    return _records([payload])


def many_records(payload: object) -> Records:
    """The records of `{"records": [{"features": {...}, "id": ...}, ...]}`; raises `RequestError` or `InvalidRecord`."""
    if not isinstance(payload, dict) or "records" not in payload:
        shape = 'Expected an object: {"records": [{"features": {...}, "id": optional}, ...]}.'
        raise invalid(shape + kind_of(payload))
    refuse_others(payload, ("records",))
    records = payload["records"]
    if not isinstance(records, list):
        raise invalid("Expected a list of records.", ("records", "expected a list"))
    check_count(len(records), "records")
    return _records(records)


def check_count(count: int, field: str) -> None:
    """Refuse no records at all, and more than one request may hold."""
    if not 1 <= count <= MOST_RECORDS:
        reason = f"expected 1 to {MOST_RECORDS} records, got {count}"
        raise invalid(f"Expected 1 to {MOST_RECORDS} records in one request, got {count}.", (field, reason))


def check_size(records: Sequence[object], width: int) -> None:
    """Refuse what would make a log line too long, or each of far too many fields be named.

    `width` is how many fields the contract has. Raises `InvalidRecord`.
    """
    most = width + _SPARE_FIELDS
    problems: list[Violation] = []
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            continue  # the contract refuses it later
        if len(record) > most:
            problems.append(
                Violation(row, "", f"has {len(record)} fields; expected at most {width}", "too-many-fields")
            )
        problems.extend(
            Violation(row, name, f"expected at most {LONGEST_TEXT} characters", "too-long")
            for name, value in record.items()
            if type(value) is str and len(value) > LONGEST_TEXT
        )
    if problems:
        raise InvalidRecord(problems)


def refuse_others(payload: dict[str, object], known: Sequence[str]) -> None:
    """Refuse keys that this body does not have, and suggest the nearest one that it has."""
    others = [key for key in payload if key not in known]
    if others:
        errors = [(key, "unknown key" + nearest(key, known)) for key in others[:10]]
        raise invalid(f"Expected no other keys than {', '.join(known)}.", *errors)


def kind_of(payload: object) -> str:
    """The type of a body that is no object, for the end of a message; "" for an object."""
    if isinstance(payload, str):
        encoded = payload.lstrip()[:1] in ("{", "[") and len(payload) > 1
        return " Got a string" + (" that holds JSON: the body was encoded twice." if encoded else ".")
    return " Got a list." if isinstance(payload, list) else "" if isinstance(payload, dict) else " Got a single value."


def invalid(detail: str, *errors: tuple[str, str]) -> RequestError:
    """A body of the wrong shape (422)."""
    return RequestError("invalid-request", detail, *errors)


def _records(payload: Sequence[object]) -> Records:
    features: list[object] = []
    ids: list[RecordId] = []
    problems: list[Violation] = []
    for row, record in enumerate(payload):
        if not isinstance(record, dict):
            reason = 'expected an object: {"features": {...}, "id": optional}'
            problems.append(Violation(row, "", reason, "not-an-object"))
            continue
        if "features" not in record:
            reason = 'is missing: expected {"features": {...}, "id": optional}'
            problems.append(Violation(row, "features", reason, "missing-value"))
        elif not isinstance(record["features"], dict):
            reason = "expected an object of feature names and values"
            problems.append(Violation(row, "features", reason, "not-an-object"))
        else:
            features.append(record["features"])
        ids.append(_record_id(record.get("id"), row, problems))
        if not record.keys() <= _RECORD_KEYS:
            others = [key for key in record if key not in _RECORD_KEYS]
            problems.extend(
                Violation(row, key, "unknown key" + nearest(key, _RECORD), "unknown-field") for key in others[:3]
            )
    if problems:
        raise InvalidRecord(problems)
    return Records(features, ids)


def _record_id(value: object, row: int, problems: list[Violation]) -> RecordId:
    if value is None:
        return None
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_ID:
        return value
    # A number of more digits than a float holds is a fraction, whatever its float is.
    if type(value) is float and value.is_integer():
        value = int(value)  # 7.0 is an integer of JSON Schema
    if isinstance(value, int) and not isinstance(value, bool) and -LARGEST_ID <= value < LARGEST_ID:
        return value
    problems.append(Violation(row, "id", f"expected a string of 1 to {LONGEST_ID} characters or a 64-bit integer"))
    return None


def nearest(key: str, known: Sequence[str]) -> str:
    """The known key that an unknown one may have been meant to be, or all that are known: the end of a reason."""
    return did_you_mean(key, known, f"; known are {', '.join(known)}" if known else "; expected none")
