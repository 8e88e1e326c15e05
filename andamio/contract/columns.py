"""The columns of the two tensors that a model sees, by the features that fill them."""

from __future__ import annotations

from collections.abc import Mapping

from andamio.contract.tables import Feature

_DATE_PARTS = ("age_days", "month", "weekday")


def number_columns(inputs: Mapping[str, Feature]) -> tuple[str, ...]:
    """The columns of `numbers`: integers, numbers and booleans by name, and three for each date."""
    columns: list[str] = []
    for name, feature in inputs.items():
        if feature.type == "date":
            columns.extend(f"{name}_{part}" for part in _DATE_PARTS)
        elif feature.type != "category":
            columns.append(name)
    return tuple(columns)


def category_columns(inputs: Mapping[str, Feature]) -> tuple[str, ...]:
    """The columns of `categories`."""
    return tuple(name for name, feature in inputs.items() if feature.type == "category")


def feature_columns(inputs: Mapping[str, Feature]) -> dict[str, tuple[tuple[int, ...], tuple[int, ...]]]:
    """Which columns each feature fills, by index: those of `numbers`, those of `categories`."""
    numbers, categories = number_columns(inputs), category_columns(inputs)
    places = {column: index for index, column in enumerate(numbers)}
    found: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    for name, feature in inputs.items():
        if feature.type == "category":
            found[name] = (), (categories.index(name),)
        else:
            found[name] = tuple(places[column] for column in number_columns({name: feature})), ()
    return found
