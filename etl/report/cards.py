"""The section of features: a card each, with its distribution by class and its figures."""

from __future__ import annotations

from collections.abc import Iterator

from etl.report import charts
from etl.report.figures import Described
from etl.report.html import Html, Part, counted, day, element, figure, shown, table
from etl.report.version import Version

CHARTED = 60
"""Columns that get a chart of their own; all are in the tables."""
CLASSES = 8
"""Classes that are told apart in charts."""


def features(version: Version) -> Iterator[Html]:
    """A card for every feature; a chart for those that tell most, where there are many."""
    suspects = {suspect["feature"] for suspect in version.suspects}
    charted = _first(version)
    split = len(version.classes) <= CLASSES
    yield element(
        "p",
        "Each class's share of its own rows, so that classes of different size compare."
        if split
        else f"With more than {CLASSES} classes, all rows together.",
    )
    if split:
        yield element(
            "ul",
            *(
                element("li", Html(f'<span style="background:{charts.COLOURS[index]}"></span>'), text)
                for index, text in enumerate(version.classes)
            ),
            class_="key",
        )
    yield element(
        "div",
        *(_feature(version, one, one.name in charted, one.name in suspects, split) for one in version.described),
        class_="features",
    )


def _first(version: Version) -> set[str]:
    """The columns that get a chart: the most telling ones where there are too many."""
    told = [one.name for one in version.told]
    rest = [one.name for one in version.described if one.name not in set(told)]
    return set([*told, *rest][:CHARTED])


def _feature(version: Version, one: Described, charted: bool, suspect: bool, split: bool) -> Html:
    feature = one.feature
    chips = [element("span", feature.type, class_="chip")]
    if feature.private:
        chips.append(element("span", "private", class_="chip"))
    if not feature.available_at_prediction:
        chips.append(element("span", "known only afterwards", class_="chip"))
    if suspect:
        chips.append(element("span", "suspect", class_="chip bad"))
    parts: list[Html] = [element("h3", one.name, *chips)]
    about = ", ".join(text for text in (feature.description, feature.unit) if text)
    if about:
        parts.append(element("p", about, class_="note"))
    if feature.private:
        parts.append(
            element("p", f"Private: {counted(one.rows - one.missing, 'value')}, {shown(one.missing)} missing.")
        )
        return element("article", *parts, class_="feature")
    if one.missing == one.rows:
        parts.append(element("p", "No row has a value."))
        return element("article", *parts, class_="feature")
    if charted:
        names = version.classes if split else ["all rows"]
        drawn = one if split else _together(one)
        parts.append(figure(f"Distribution of {one.name} by class", charts.distribution(drawn, names)))
    parts.append(_summary(version, one))
    return element("article", *parts, class_="feature")


def _together(one: Described) -> Described:
    """The same feature with its classes counted as one."""
    values = [(text, [sum(counts)]) for text, counts in one.values]
    bins = [(low, high, [sum(counts)]) for low, high, counts in one.bins]
    return Described(one.name, one.feature, one.rows, one.missing, [one.missing], one.numbers, values, bins)


def _summary(version: Version, one: Described) -> Html:
    if one.numbers:
        value = day if one.feature.type == "date" else shown
        spread = shown(one.numbers["std"]) + (" days" if one.feature.type == "date" else "")
        heads = ["values", "missing", "min", "25%", "median", "75%", "max", "mean", "std"]
        row: list[Part] = [
            shown(one.rows - one.missing),
            shown(one.missing),
            *(value(one.numbers[key]) for key in ("min", "first", "median", "third", "max", "mean")),
            spread,
        ]
        return table(f"{one.name} in train", heads, [row])
    rows: list[list[Part]] = [[text, sum(counts), *counts] for text, counts in one.values]
    if one.missing:
        rows.append(["(no value)", one.missing, *one.missing_by_class])
    many = len(version.classes) > CLASSES
    heads = ["value", "rows", *([] if many else version.classes)]
    content = table(f"{one.name} in train: {one.distinct:,} values", heads, [row[: len(heads)] for row in rows])
    return element(
        "details", element("summary", f"{counted(one.distinct, 'value')}, {shown(one.missing)} missing"), content
    )
