"""The section of features: a card each, with its distribution by class and its figures."""

from __future__ import annotations

from dataclasses import dataclass, replace

from andamio.contract.tables import Feature
from andamio.pages import theme
from andamio.pages.text import day, number
from andamio.pages.view import Cell, Figure, Section, Table
from etl.report import charts
from etl.report.figures import FeatureSummary
from etl.report.version import Version

CHARTED = 60
"""Columns that get a chart of their own; all are in the tables."""
CLASSES = 8
"""Classes that are told apart in charts."""


@dataclass(frozen=True, slots=True)
class Card:
    """One feature: its figures, and a chart unless there are too many features; `values` is a table by value."""

    name: str
    feature: Feature
    suspect: bool
    known: int
    missing: int
    distinct: int
    figure: Figure | None = None
    numbers: Table | None = None
    values: Table | None = None


def features(version: Version) -> Section:
    """A card for every feature; a chart for those that tell most, where there are many."""
    suspects = {suspect.feature for suspect in version.suspects}
    charted = _charted(version)
    split = len(version.classes) <= CLASSES
    content = {
        "classes": list(zip(theme.SERIES, version.classes, strict=False)) if split else [],
        "most_classes": CLASSES,
        "cards": [
            _card(version, one, one.name in charted, one.name in suspects, split) for one in version.feature_summaries
        ],
    }
    return Section("features", "Features", content)


def _charted(version: Version) -> set[str]:
    """The columns that get a chart: the most telling ones where there are too many."""
    told = [one.name for one in version.label_information]
    rest = [one.name for one in version.feature_summaries if one.name not in set(told)]
    return set([*told, *rest][:CHARTED])


def _card(version: Version, one: FeatureSummary, charted: bool, suspect: bool, split: bool) -> Card:
    card = Card(one.name, one.feature, suspect, one.rows - one.missing, one.missing, one.distinct)
    if one.feature.private or one.missing == one.rows:
        return card
    if charted:
        names = version.classes if split else ["all rows"]
        chart = charts.distribution(one if split else _together(one), names)
        card = replace(card, figure=Figure(f"Distribution of {one.name}{' by class' if split else ''}", chart))
    return replace(card, numbers=_numbers(one)) if one.numbers else replace(card, values=_values(version, one))


def _together(one: FeatureSummary) -> FeatureSummary:
    """The same feature with its classes counted as one."""
    values = [(text, [sum(counts)]) for text, counts in one.values]
    bins = [(low, high, [sum(counts)]) for low, high, counts in one.bins]
    return FeatureSummary(one.name, one.feature, one.rows, one.missing, [one.missing], one.numbers, values, bins)


def _numbers(one: FeatureSummary) -> Table:
    value = day if one.feature.type == "date" else number
    spread = number(one.numbers["std"]) + (" days" if one.feature.type == "date" else "")
    heads = ["values", "missing", "min", "25%", "median", "75%", "max", "mean", "std"]
    row: list[Cell] = [
        number(one.rows - one.missing),
        number(one.missing),
        *(value(one.numbers[key]) for key in ("min", "first", "median", "third", "max", "mean")),
        spread,
    ]
    return Table(f"{one.name} in train", heads, [row])


def _values(version: Version, one: FeatureSummary) -> Table:
    rows: list[list[Cell]] = [[text, sum(counts), *counts] for text, counts in one.values]
    if one.missing:
        rows.append(["(no value)", one.missing, *one.missing_by_class])
    heads = ["value", "rows", *([] if len(version.classes) > CLASSES else version.classes)]
    caption = f"{one.name} in train: {one.distinct:,} values"
    return Table(caption, heads, [row[: len(heads)] for row in rows])
