"""Feedback over HTTP: the true label of a prediction, checked and written, all of a request or nothing."""

from __future__ import annotations

import re
from typing import Any

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.errors import Violation
from andamio.feedback import Statement, Truths, keep, truths_of
from lambdas.api.champion.champion import Champion
from lambdas.api.replies.problems import RequestError
from lambdas.api.requests.parameters import LONGEST_RECORD_ID
from lambdas.api.requests.records import LARGEST_ID, MOST_RECORDS, kind_of, nearest
from lambdas.api.stores import Stores
from scoring.batch import ID

Json = dict[str, Any]

_KEYS = ("prediction_id", "record_id", "label")
_SHAPE = '{"prediction_id": ..., "label": ...}, or record_id in the place of prediction_id'
_PREDICTION = re.compile(rf"[0-9a-f]{{32}}|{ID.pattern}-[0-9]{{1,15}}")
_NO_ENTRY = "entry"
"""The field of a fault that is of a whole entry."""


def take_feedback(champion: Champion, stores: Stores, payload: object) -> Json:
    """Write the labels of one request; raises `RequestError` (422) that names every entry and field that is wrong."""
    said = statements(champion.contract, payload)
    return {"accepted": len(said), "feedback_id": keep(stores.lake, said, stores.clock.now(), champion.version)}


def statements(contract: Contract, payload: object) -> list[Statement]:
    """The labels of a body: an object, or a list of 1 to 1,000; raises `RequestError` (422)."""
    single = isinstance(payload, dict)
    if not isinstance(payload, dict | list):
        raise RequestError("invalid-request", f"Expected {_SHAPE}, or a list of them.{kind_of(payload)}")
    entries = [payload] if isinstance(payload, dict) else payload
    if not 1 <= len(entries) <= MOST_RECORDS:
        raise RequestError(
            "invalid-request", f"Expected 1 to {MOST_RECORDS} labels in one request, got {len(entries)}."
        )
    truths, faults = truths_of(contract), list[Violation]()
    said = [_statement(truths, entry, row, faults) for row, entry in enumerate(entries)]
    if faults:
        things = "1 thing is" if len(faults) == 1 else f"{len(faults)} things are"
        raise RequestError(
            "invalid-request",
            f"{things} wrong; no label was kept. Expected {_SHAPE}.",
            violations=faults,
            single=single,
        )
    return said


def _statement(truths: Truths, entry: object, row: int, faults: list[Violation]) -> Statement:
    if not isinstance(entry, dict):
        faults.append(Violation(row, _NO_ENTRY, f"expected an object: {_SHAPE}", "not-an-object"))
        return Statement(None, None, "")
    others = [key for key in entry if key not in _KEYS]
    faults.extend(Violation(row, key, "unknown key" + nearest(key, _KEYS), "unknown-field") for key in others[:3])
    prediction = record = None
    if "prediction_id" in entry and "record_id" in entry:
        faults.append(Violation(row, "record_id", "stands beside prediction_id: expected one of the two"))
    elif "prediction_id" in entry:
        prediction = _prediction_id(entry["prediction_id"], row, faults)
    elif "record_id" in entry:
        record = _record_id(entry["record_id"], row, faults)
    else:
        reason = "is missing: expected prediction_id or record_id"
        faults.append(Violation(row, "prediction_id", reason, "missing-value"))
    return Statement(prediction, record, _label(truths, entry.get("label"), row, faults))


def _prediction_id(value: object, row: int, faults: list[Violation]) -> str:
    if isinstance(value, str) and _PREDICTION.fullmatch(value):
        return value
    faults.append(Violation(row, "prediction_id", "expected a prediction_id, as a prediction or a scored file has it"))
    return ""


def _record_id(value: object, row: int, faults: list[Violation]) -> str:
    """The caller's id in canonical form, as the predictions table has it: 7.0 is 7."""
    # A number of more digits than a float holds is a fraction, whatever its float is.
    if type(value) is float and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and not -LARGEST_ID <= value < LARGEST_ID:
        value = None
    text = canonical(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if 1 <= len(text) <= LONGEST_RECORD_ID:
        return text
    reason = (
        f"expected the caller's id of a record: a string of 1 to {LONGEST_RECORD_ID} characters or a 64-bit integer"
    )
    faults.append(Violation(row, "record_id", reason))
    return ""


def _label(truths: Truths, value: object, row: int, faults: list[Violation]) -> str | float:
    if value is None:
        faults.append(Violation(row, "label", f"is missing: {truths.missing}", "missing-label"))
        return ""
    label = truths.read(value)
    if label is None:
        faults.append(Violation(row, "label", truths.expected, "unknown-label"))
        return ""
    return label
