"""The contract as JSON Schema: what a record looks like to a client."""

from __future__ import annotations

import math
from collections.abc import Collection
from datetime import date
from typing import Any

from andamio.contract import Contract
from andamio.contract.canonical import canonical
from andamio.contract.dates import date_format
from andamio.contract.tables import EXACT_INTEGER, LARGEST_NUMBER, Feature, Sent

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def record_schema(contract: Contract) -> dict[str, Any]:
    """JSON Schema (2020-12) of the features of one record.

    It promises one spelling of each value. The reader forgives a few more: spaces around a text, "4.0"
    for "4", "TRUE" for true, a moment where a date is asked for.
    """
    properties = {name: feature_schema(feature) for name, feature in contract.inputs.items()}
    if contract.problem.time is not None:
        properties[contract.problem.time] = _time_schema(contract.problem.time_format)
    return {
        "$schema": DIALECT,
        "title": contract.problem.title or contract.problem.name,
        "description": contract.problem.description,
        "type": "object",
        "properties": properties,
        "required": [name for name, feature in contract.inputs.items() if feature.required],
        "additionalProperties": False,
        "examples": [example_record(contract)],
    }


def _time_schema(written: str | None) -> dict[str, Any]:
    forms: list[dict[str, Any]] = [{"type": "string", "format": kind} for kind in ("date-time", "date")]
    if written is not None:
        forms = [{"type": "string", "pattern": date_format(written).pattern}]
    how = "ISO 8601" if written is None else f"as {written}, such as {date_format(written).example}"
    return {
        "anyOf": [*forms, {"type": "null"}],
        "description": f"When the record was made ({how}): ages are counted up to it, else up to today.",
    }


def feature_schema(feature: Feature) -> dict[str, Any]:
    """JSON Schema of one feature, with unit, range, listed values and description."""
    schema: dict[str, Any] = {}
    said = feature.description
    if feature.unit:
        schema["x-unit"] = feature.unit
        said = f"{said} ({feature.unit})" if said else f"In {feature.unit}"
    types: list[str]
    if feature.type == "category":
        types = ["string", "number", "boolean"]
        if feature.values is not None:
            meanings = "; ".join(f"{value} = {text}" for value, text in feature.values.items() if value != text)
            said = ". ".join(part for part in (said, meanings) if part)
            schema["x-values"] = feature.values
            if not feature.accepts_unknown:
                schema["enum"] = [form for value in feature.values for form in _spellings(value)]
    elif feature.type == "date":
        types = ["string"]
        if feature.format is None:
            schema["format"] = "date"
        else:
            known = date_format(feature.format)
            schema["pattern"] = known.pattern
            said = ". ".join(part for part in (said, f"A date as {known.text}, such as {known.example}") if part)
    elif feature.type == "boolean":
        types = ["boolean", "integer", "string"]
        schema["enum"] = [True, False, 1, 0, "true", "false", "yes", "no", "1", "0", "t", "f", "y", "n"]
    else:
        types = ["integer"] if feature.type == "integer" else ["number"]
        low, high = feature.min, feature.max
        if feature.on_invalid == "missing":
            bounds = [("below", low), ("above", high)]
            outside = " or ".join(f"{side} {bound:.15g}" for side, bound in bounds if bound is not None)
            said = ". ".join(part for part in (said, f"It counts as missing {outside}" if outside else "") if part)
        else:
            largest = EXACT_INTEGER if feature.type == "integer" else LARGEST_NUMBER
            schema["minimum"] = -largest if low is None else _plain(low)
            schema["maximum"] = largest if high is None else _plain(high)
    if not feature.required:
        types = [*types, "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    schema["type"] = types[0] if len(types) == 1 else types
    if said:
        schema["description"] = said
    return schema


def example_record(contract: Contract) -> dict[str, Any]:
    """A record that the contract accepts: the middle of each range, the first of each list."""
    missing = {canonical(text) for text in contract.data.missing}
    return {name: _example(feature, missing) for name, feature in contract.inputs.items()}


def _example(feature: Feature, missing: Collection[str]) -> Any:
    if isinstance(feature, Sent) and feature.example is not None:
        return feature.example
    if feature.type == "category":
        listed = [value for value in feature.values or {} if value not in missing]
        return _typed(listed[0]) if listed else "example"
    if feature.type == "boolean":
        return True
    if feature.type == "date":
        return "2026-01-31" if feature.format is None else date_format(feature.format).write(date(2026, 1, 31))
    low = feature.min if feature.min is not None else min(0.0, feature.max or 0.0)
    high = feature.max if feature.max is not None else max(low, 0.0) + 1.0
    middle = low + (high - low) / 2
    values: list[float] = [max(int(middle), math.ceil(low)), math.floor(high), math.ceil(low)]
    if feature.type == "number":
        rounded = round(middle, 3)
        values = [rounded if low <= rounded <= high else middle, low + (high - low) / 4, high, low]
    return next((value for value in values if canonical(value) not in missing), values[0])


def _plain(bound: float) -> float:
    return int(bound) if bound.is_integer() else bound


def _spellings(value: str) -> list[Any]:
    """The JSON values that mean one category: "4" and 4; "true" and true."""
    typed = _typed(value)
    return [value] if typed == value else [value, typed]


def _typed(value: str) -> Any:
    """The boolean or number that JSON would write for a canonical text, where it is read back as that text."""
    if value in ("true", "false"):
        return value == "true"
    for kind in (int, float):
        try:
            typed = kind(value)
        except ValueError:
            continue
        if math.isfinite(typed) and canonical(typed) == value:
            return typed
    return value
