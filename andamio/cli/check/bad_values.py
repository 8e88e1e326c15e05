"""One bad value for every rule of a contract, in a record that is good: each must be refused, by its field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from andamio.contract import Contract
from andamio.contract.tables import EXACT_INTEGER, Feature
from andamio.errors import InvalidRecord
from andamio.records.columns import NoValue, no_value
from andamio.records.from_json import parse_records

_NO_CATEGORY = "no such value, by andamio check"
_UNKNOWN_FIELD = "no_such_field_by_andamio_check"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What became of one bad value: the field, what was sent, in words, and the reason of the refusal.

    `reason` is "" where the value was accepted, or refused for another field.
    """

    field: str
    sent: str
    code: str = ""
    reason: str = ""


def refusals(contract: Contract, record: Mapping[str, Any]) -> Iterator[Refusal]:
    """Each bad value in turn, of what clients send; raises `InvalidRecord` when the record itself is not good."""
    contract = contract.sent
    parse_records(contract, [dict(record)])
    absent = no_value(contract.data.missing)
    for name, feature in contract.inputs.items():
        for sent, value in _bad(feature, absent):
            if isinstance(value, str) and value in absent.texts:
                continue
            yield _refused(contract, {**record, name: value}, name, sent)
    yield _refused(contract, {**record, _UNKNOWN_FIELD: 1}, _UNKNOWN_FIELD, "a field that is none")
    target = contract.problem.target
    yield _refused(contract, {**record, target: "1"}, target, "the target")


def _refused(contract: Contract, record: Mapping[str, Any], field: str, sent: str) -> Refusal:
    try:
        parse_records(contract, [record])
    except InvalidRecord as error:
        for violation in error.violations:
            if violation.field == field[:64]:
                return Refusal(field, sent, violation.code, violation.reason)
    return Refusal(field, sent)


def _bad(feature: Feature, absent: NoValue) -> Iterator[tuple[str, Any]]:
    """What a feature must refuse, in words and as a value."""
    yield "a list", [1]
    if feature.required:
        yield "null", None
    if feature.type in ("integer", "number"):
        yield "a word", "abc"
        if feature.type == "integer":
            half = 0.5 if feature.min is None else feature.min + 0.5
            if half not in absent.numbers:
                yield "half a number", half
            if feature.on_invalid == "reject":
                yield "a number that float32 cannot hold", _beyond(EXACT_INTEGER, 1, absent)
        if feature.on_invalid == "reject":
            if feature.min is not None:
                yield "less than min", _beyond(feature.min, -1, absent)
            if feature.max is not None:
                yield "more than max", _beyond(feature.max, 1, absent)
    elif feature.type == "boolean":
        yield "a word", "perhaps"
    elif feature.type == "date":
        yield "a day that is none", "2026-02-31"
    elif not feature.accepts_unknown:
        yield "a value that is not listed", _NO_CATEGORY


def _beyond(bound: float, direction: int, absent: NoValue) -> float:
    """A number below (-1) or above (1) a bound, by 1 where a float holds that and [data] missing does not list it."""
    step = direction
    while (found := bound + step) == bound or found in absent.numbers:
        step *= 2
    return found
