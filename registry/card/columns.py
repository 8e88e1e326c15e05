"""Encoded columns by feature: the inputs of a model in words."""

from __future__ import annotations

from collections.abc import Sequence

from andamio.contract import Contract

NO_VALUE = "no value"
_MISSING = "(missing)"
_OF_DATES = {"_age_days": "age", "_month": "month", "_weekday": "weekday"}


def by_feature(contract: Contract, columns: Sequence[str]) -> dict[str, list[str]]:
    """The features that columns come from, in the contract's order, each with what its columns stand for.

    A column is a number's name, `NAME=value` for one value of a category, or a part of a date.
    """
    found: dict[str, list[str]] = {}
    for column in columns:
        name, part = _told(contract, column)
        found.setdefault(name, []).append(part)
    order = {name: place for place, name in enumerate(contract.inputs)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _told(contract: Contract, column: str) -> tuple[str, str]:
    if column in contract.inputs:
        return column, ""
    for name in contract.category_columns:
        if column.startswith(f"{name}="):
            value = column.removeprefix(f"{name}=")
            texts = contract.features[name].values or {}
            return name, NO_VALUE if value == _MISSING else texts.get(value, value)
    for suffix, part in _OF_DATES.items():
        if column.endswith(suffix):
            return column.removesuffix(suffix), part
    return column, ""
