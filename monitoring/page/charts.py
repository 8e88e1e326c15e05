"""The charts of the page, as Vega-Lite specifications: what comes from data is always a value, never a name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from andamio.pages import theme
from andamio.stats.figures import score
from monitoring.report import Trend
from monitoring.results import Calibration, CellShares, Decile, FeatureDrift

Spec = dict[str, Any]

_WIDTH = 400
_ROW = 22
_LABELS = 180
_BEFORE, _NOW = "training", "window"
_SIDES = alt.Scale(domain=[_BEFORE, _NOW], range=[theme.QUIET, theme.ALERT])


def effects(features: Sequence[FeatureDrift]) -> Spec:
    """How far each feature has moved at least, those that count in the alarming colour."""
    values = [
        {"feature": one.feature, "effect": _number(one.effect), "known": "moved" if one.drifted else "steady"}
        for one in features
    ]
    return _spec(
        alt.Chart(alt.InlineData(values=values))
        .mark_bar(size=13)
        .encode(
            y=alt.Y("feature:N", sort=None, title=None, axis=alt.Axis(labelLimit=_LABELS)),
            x=alt.X("effect:Q", axis=alt.Axis(title="moved at least by, as PSI", format=".2f", tickCount=5)),
            color=alt.Color(
                "known:N",
                scale=alt.Scale(domain=["moved", "steady"], range=[theme.ALERT, theme.QUIET]),
                legend=None,
            ),
            tooltip=[alt.Tooltip("feature:N"), alt.Tooltip("effect:Q", format=".3f")],
        )
        .properties(width=_WIDTH, height=max(50, len(values) * _ROW))
    )


def cells(found: Sequence[CellShares], title: str) -> Spec:
    """The shares of bins or categories, training beside window."""
    values = [
        {"cell": cell.label, "side": side, "share": _number(share)}
        for cell in found
        for side, share in ((_BEFORE, cell.reference), (_NOW, cell.window))
    ]
    return _spec(
        alt.Chart(alt.InlineData(values=values))
        .mark_bar()
        .encode(
            x=alt.X("cell:N", sort=None, title=None, axis=alt.Axis(labelLimit=90, labelAngle=-40)),
            xOffset=alt.XOffset("side:N", sort=[_BEFORE, _NOW]),
            y=alt.Y("share:Q", axis=alt.Axis(title=title, format=".0%", tickCount=4)),
            color=alt.Color("side:N", scale=_SIDES, legend=None),
            tooltip=[alt.Tooltip("cell:N"), alt.Tooltip("side:N"), alt.Tooltip("share:Q", format=".1%")],
        )
        .properties(width=_WIDTH, height=140)
    )


def trend(found: Trend, *, missing: bool) -> Spec:
    """A feature through the window: the share without a value, or the mean; training as a line."""
    figures = [(point.time, point.missing if missing else point.mean) for point in found.points]
    values = [{"time": time, "value": _number(value)} for time, value in figures if value is not None]
    reference = found.reference_missing if missing else found.reference_mean
    title = "share without a value" if missing else "mean"
    axis = alt.Axis(title=title, format=".0%" if missing else "~g", tickCount=4)
    line = (
        alt.Chart(alt.InlineData(values=values))
        .mark_line(point=True, color=theme.ALERT)
        .encode(
            x=alt.X("time:T", title=None, axis=alt.Axis(format="%d %b %H:%M", tickCount=4, labelOverlap=True)),
            y=alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=missing)),
            tooltip=[alt.Tooltip("time:T", format="%d %b %H:%M"), alt.Tooltip("value:Q", format=".3g")],
        )
    )
    layers: list[Any] = [line]
    if reference is not None:
        rule = alt.Chart(alt.InlineData(values=[{"value": _number(reference)}]))
        layers.insert(0, rule.mark_rule(color=theme.SOFT, strokeDash=[4, 3]).encode(y=alt.Y("value:Q")))
    return _spec(alt.layer(*layers).properties(width=_WIDTH, height=110))


def coverage(deciles: Sequence[Decile], *, in_unit: bool = False) -> Spec:
    """The share of predictions with a label, by score: a probability, or a value in the target's unit."""
    values = [
        {
            "score": f"{score(one.low, in_unit=in_unit)}-{score(one.high, in_unit=in_unit)}",
            "share": _number(one.coverage),
            "rows": one.rows,
        }
        for one in deciles
        if one.rows
    ]
    return _spec(
        alt.Chart(alt.InlineData(values=values))
        .mark_bar(color=theme.ACCENT)
        .encode(
            x=alt.X("score:N", sort=None, title="score", axis=alt.Axis(labelAngle=-40)),
            y=alt.Y("share:Q", axis=alt.Axis(title="with a label", format=".0%", tickCount=4)),
            tooltip=[alt.Tooltip("score:N"), alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("rows:Q")],
        )
        .properties(width=_WIDTH, height=140)
    )


def reliability(found: Calibration) -> Spec:
    """The share that came true by predicted probability, with the line of a calibrated model."""
    values = [
        {"predicted": _number(one.mean_predicted), "observed": _number(one.observed), "rows": one.rows}
        for one in found.bins
    ]
    axes = {
        "x": alt.X("predicted:Q", title="predicted", scale=alt.Scale(domain=[0, 1])),
        "y": alt.Y("observed:Q", title="came true", scale=alt.Scale(domain=[0, 1])),
    }
    ideal = alt.InlineData(values=[{"predicted": 0, "observed": 0}, {"predicted": 1, "observed": 1}])
    line = alt.Chart(ideal).mark_line(color=theme.QUIET, strokeDash=[4, 3]).encode(**axes)
    points = (
        alt.Chart(alt.InlineData(values=values))
        .mark_line(point=True, color=theme.ACCENT)
        .encode(**axes, tooltip=[alt.Tooltip("predicted:Q"), alt.Tooltip("observed:Q"), alt.Tooltip("rows:Q")])
    )
    return _spec(alt.layer(line, points).properties(width=260, height=200))


def _number(value: float) -> float:
    return float(f"{value:.6g}")


def _spec(chart: Any) -> Spec:
    content: Spec = chart.to_dict(validate=False)
    content.pop("$schema", None)
    content.pop("config", None)  # the page has it once, for all charts
    return content
