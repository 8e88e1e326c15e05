"""The charts of a report, as Vega-Lite specifications.

What comes from the data is always a value under a field name of ours, never a field name, a title or an
expression: no text of a data file is ever read as anything but text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from andamio.pages import theme
from andamio.pages.text import day, number
from etl.report.figures import Association, Drift, FeatureSummary, LabelInformation

Spec = dict[str, Any]

WIDTH = 400
LABELS = 200
_ROW = 22
_DIGITS = 6


def distribution(found: FeatureSummary, classes: Sequence[str]) -> Spec:
    """Each class's share of rows by value: bars over bins, or a bar a value and class."""
    totals = [sum(counts) or 1 for counts in zip(*(row[-1] for row in found.bins or found.values), strict=True)]
    colour = alt.Color(
        "class:N",
        scale=alt.Scale(domain=list(classes), range=[theme.SERIES[i % len(theme.SERIES)] for i in range(len(classes))]),
        legend=None,
    )
    share = {"title": "share of class" if len(classes) > 1 else "share of rows", "format": ".0%"}
    if found.bins:
        date = found.feature.type == "date"
        values = [
            {
                "low": _moment(low) if date else _number(low),
                "high": _moment(high) if date else _number(high),
                "from": day(low) if date else number(low),
                "to": day(high) if date else number(high),
                "class": classes[index],
                "rows": count,
                "share": _number(count / totals[index]),
                "ground": 0,
            }
            for low, high, counts in found.bins
            for index, count in enumerate(counts)
        ]
        kind = "T" if date else "Q"
        scale = alt.Scale(type="utc") if date else alt.Scale(zero=False, nice=False)
        axis = alt.Axis(grid=False, tickMinStep=1) if found.feature.type == "integer" else alt.Axis(grid=False)
        chart = (
            alt.Chart(_data(values))
            .mark_rect(opacity=0.55, stroke="white", strokeWidth=0.4)
            .encode(
                x=alt.X(f"low:{kind}", title=None, scale=scale, axis=axis),
                x2=alt.X2("high"),
                y2=alt.Y2("ground"),
                y=alt.Y(
                    "share:Q", stack=None, axis=alt.Axis(title=share["title"], format=share["format"], tickCount=4)
                ),
                color=colour,
                tooltip=[
                    alt.Tooltip("class:N"),
                    alt.Tooltip("from:N"),
                    alt.Tooltip("to:N"),
                    alt.Tooltip("rows:Q"),
                    alt.Tooltip("share:Q", format=".1%"),
                ],
            )
            .properties(width=WIDTH, height=150)
        )
        return _spec(chart)
    values = [
        {"value": text, "class": classes[index], "rows": count, "share": _number(count / totals[index])}
        for text, counts in found.values
        for index, count in enumerate(counts)
    ]
    chart = (
        alt.Chart(_data(values))
        .mark_bar()
        .encode(
            y=alt.Y("value:N", sort=[text for text, _ in found.values], title=None, axis=alt.Axis(labelLimit=LABELS)),
            yOffset=alt.YOffset("class:N", sort=list(classes)),
            x=alt.X("share:Q", axis=alt.Axis(title=share["title"], format=share["format"], tickCount=5)),
            color=colour,
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("value:N"),
                alt.Tooltip("rows:Q"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
        .properties(width=WIDTH - 130, height=max(90, len(found.values) * (8 + 11 * min(len(classes), 6))))
    )
    return _spec(chart)


def balance(rows: Sequence[tuple[str, int, int]]) -> Spec:
    """The classes' shares on both sides of the split, from (class, train rows, holdout rows)."""
    totals = {"train": sum(row[1] for row in rows) or 1, "holdout": sum(row[2] for row in rows) or 1}
    values = [
        {"class": text, "side": side, "rows": count, "share": _number(count / totals[side])}
        for text, train, holdout in rows
        for side, count in (("train", train), ("holdout", holdout))
    ]
    chart = (
        alt.Chart(_data(values))
        .mark_bar()
        .encode(
            y=alt.Y("class:N", sort=[row[0] for row in rows], title=None, axis=alt.Axis(labelLimit=LABELS)),
            yOffset=alt.YOffset("side:N", sort=["train", "holdout"]),
            x=alt.X("share:Q", axis=alt.Axis(title="share of the side's rows", format=".0%", tickCount=5)),
            color=alt.Color(
                "side:N",
                scale=alt.Scale(domain=["train", "holdout"], range=[theme.ACCENT, theme.QUIET]),
                legend=alt.Legend(title=None, orient="bottom"),
            ),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("side:N"),
                alt.Tooltip("rows:Q"),
                alt.Tooltip("share:Q", format=".1%"),
            ],
        )
        .properties(width=WIDTH, height=max(70, len(rows) * 2 * _ROW))
    )
    return _spec(chart)


def missing(found: Sequence[FeatureSummary]) -> Spec:
    """The share of rows without a value, by column."""
    values = [
        {"feature": one.name, "rows": one.missing, "share": _number(one.missing / max(one.rows, 1))} for one in found
    ]
    return _bars(values, "share of training rows without a value", ".1%")


def information(found: Sequence[LabelInformation]) -> Spec:
    """What each column tells of the label, those within chance in grey."""
    values = [
        {
            "feature": one.name,
            "share": _number(one.share),
            "known": "beyond chance" if one.beyond_chance else "within chance",
        }
        for one in found
    ]
    return _bars(values, "share of the label's uncertainty that it takes away", ".0%", by="known")


def drift(found: Sequence[Drift]) -> Spec:
    """The PSI of each column, with what chance reaches as a mark."""
    values = [
        {
            "feature": one.name,
            "share": _number(one.psi),
            "chance": _number(one.chance),
            "known": "drifted" if one.drifted else "steady",
        }
        for one in found
    ]
    bars = _bar_chart(values, "population stability index", ".2f", by="known")
    marks = (
        alt.Chart(_data(values))
        .mark_tick(color=theme.INK, thickness=2, size=14)
        .encode(y=alt.Y("feature:N", sort=[one.name for one in found]), x=alt.X("chance:Q"))
    )
    return _spec(alt.layer(bars, marks))


def relations(names: Sequence[str], found: Sequence[Association]) -> Spec:
    """Every pair of columns as a square."""
    values = [
        {"first": a, "second": b, "value": round(one.value, 3), "measure": one.measure}
        for one in found
        for a, b in ((one.first, one.second), (one.second, one.first))
    ]
    size = max(14, min(40, 640 // max(len(names), 1)))
    axis = alt.Axis(title=None, labelLimit=LABELS, domain=False, ticks=False)
    base = alt.Chart(_data(values)).encode(
        x=alt.X("first:N", sort=list(names), axis=axis), y=alt.Y("second:N", sort=list(names), axis=axis)
    )
    squares = base.mark_rect(stroke="white").encode(
        color=alt.Color(
            "value:Q",
            scale=alt.Scale(scheme="redblue", domain=[-1, 1], reverse=True),
            legend=alt.Legend(title=None, gradientLength=160, format=".1f"),
        ),
        tooltip=[
            alt.Tooltip("first:N"),
            alt.Tooltip("second:N"),
            alt.Tooltip("value:Q", format=".2f"),
            alt.Tooltip("measure:N"),
        ],
    )
    layers = [squares]
    if len(names) <= 16:
        layers.append(
            base.mark_text(fontSize=10).encode(
                text=alt.Text("value:Q", format=".2f"),
                color=alt.condition("abs(datum.value) > 0.6", alt.value("white"), alt.value(theme.INK)),
            )
        )
    return _spec(alt.layer(*layers).properties(width=size * len(names), height=size * len(names)))


def boxes(found: Sequence[FeatureSummary]) -> Spec:
    """A box a column, counted in spans of its own middle half from its median, so that all fit one axis."""
    values = []
    for one in found:
        numbers = one.numbers
        span = numbers["third"] - numbers["first"]
        if span <= 0:
            continue
        scaled = {key: _number((value - numbers["median"]) / span) for key, value in numbers.items() if key != "std"}
        values.append({"feature": one.name, "outside": one.beyond, **scaled})
    order = [one.name for one in found]
    base = alt.Chart(_data(values)).encode(
        y=alt.Y("feature:N", sort=order, title=None, axis=alt.Axis(labelLimit=LABELS))
    )
    title = "distance from the median, in widths of the middle half"
    whiskers = base.mark_rule(color=theme.SOFT).encode(x=alt.X("whisker_low:Q", title=title), x2=alt.X2("whisker_high"))
    middle = base.mark_bar(size=12, color=theme.ACCENT_LIGHT, stroke=theme.ACCENT).encode(
        x=alt.X("first:Q"), x2=alt.X2("third")
    )
    median = base.mark_tick(color=theme.ACCENT, thickness=2, size=12).encode(x=alt.X("median:Q"))
    outside = alt.datum.outside > 0
    ends = [
        base.transform_filter(outside & (alt.datum[end] != alt.datum[f"whisker_{side}"]))
        .mark_point(color=theme.ALERT, size=28, filled=True)
        .encode(x=alt.X(f"{end}:Q"), tooltip=[alt.Tooltip("feature:N"), alt.Tooltip("outside:Q", title="outliers")])
        for end, side in (("min", "low"), ("max", "high"))
    ]
    return _spec(alt.layer(whiskers, middle, median, *ends).properties(width=620, height=max(60, len(values) * _ROW)))


def _data(values: list[dict[str, Any]]) -> Any:
    return alt.InlineData(values=values)


def _bars(values: list[dict[str, Any]], title: str, digits: str, *, by: str | None = None) -> Spec:
    return _spec(_bar_chart(values, title, digits, by=by))


def _bar_chart(values: list[dict[str, Any]], title: str, digits: str, *, by: str | None = None) -> Any:
    colour: Any = alt.value(theme.ACCENT)
    if by is not None:
        words = ["beyond chance", "within chance", "steady", "drifted"]
        colour = alt.Color(
            f"{by}:N",
            scale=alt.Scale(domain=words, range=[theme.ACCENT, theme.QUIET, theme.QUIET, theme.ALERT]),
            legend=None,
        )
    return (
        alt.Chart(_data(values))
        .mark_bar(size=13)
        .encode(
            y=alt.Y(
                "feature:N",
                sort=[value["feature"] for value in values],
                title=None,
                axis=alt.Axis(labelLimit=LABELS),
            ),
            x=alt.X("share:Q", axis=alt.Axis(title=title, format=digits, tickCount=5)),
            color=colour,
            tooltip=[alt.Tooltip("feature:N"), alt.Tooltip("share:Q", format=digits)],
        )
        .properties(width=WIDTH, height=max(50, len(values) * _ROW))
    )


def _spec(chart: Any) -> Spec:
    content: Spec = chart.to_dict(validate=False)
    content.pop("$schema", None)
    content.pop("config", None)  # the page has it once, for all charts
    return content


def _number(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def _moment(days: float) -> int:
    """A day as milliseconds since 1970: what Vega takes for a time."""
    return round(days * 86_400_000)
