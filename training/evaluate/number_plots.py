"""The plots of a regression: predictions against the truth, and errors over the range of predictions."""

from __future__ import annotations

from collections.abc import Mapping

from andamio.pages import theme
from training.evaluate.documents import Numbers
from training.evaluate.svg import Chart


def plots(found: Numbers, rows: int) -> Mapping[str, bytes]:
    """`predicted.svg` and `residuals.svg`, of at most 500 rows of the holdout."""
    unit = f" ({found.unit})" if found.unit else ""
    shown = f"{len(found.points):,} of {rows:,} holdout rows" if len(found.points) < rows else f"{rows:,} holdout rows"
    return {"predicted.svg": _predicted(found, unit, shown), "residuals.svg": _residuals(found, unit, shown)}


def _predicted(found: Numbers, unit: str, shown: str) -> bytes:
    seen = [value for point in found.points for value in point]
    ends = _padded(min(seen), max(seen))
    chart = Chart(
        "Prediction and truth", x=ends, y=ends, x_label=f"predicted{unit}", y_label=f"true{unit}", left=78, note=shown
    )
    chart.axes()
    chart.line([(ends[0], ends[0]), (ends[1], ends[1])], theme.QUIET, dashed=True, width=1)
    for predicted, truth in found.points:
        chart.dot(predicted, truth, theme.ACCENT, f"said {predicted:.6g}, true {truth:.6g}")
    return chart.to_bytes()


def _residuals(found: Numbers, unit: str, shown: str) -> bytes:
    away = [truth - predicted for predicted, truth in found.points]
    chart = Chart(
        "What is left over",
        x=_padded(min(x for x, _ in found.points), max(x for x, _ in found.points)),
        y=_padded(min(0.0, *away), max(0.0, *away)),
        x_label=f"predicted{unit}",
        y_label=f"true less predicted{unit}",
        left=78,
        note=f"{shown}; red: beyond what the interval allows for on average",
    )
    chart.axes()
    chart.line([(chart.x[0], 0.0), (chart.x[1], 0.0)], theme.QUIET, dashed=True, width=1)
    reach = found.coverage.width / 2
    for (predicted, truth), rest in zip(found.points, away, strict=True):
        colour = theme.ALERT if abs(rest) > reach else theme.ACCENT
        chart.dot(predicted, rest, colour, f"said {predicted:.6g}, true {truth:.6g}")
    return chart.to_bytes()


def _padded(low: float, high: float) -> tuple[float, float]:
    pad = max((high - low) * 0.04, 1e-9 * max(1.0, abs(low), abs(high)))
    return low - pad, high + pad
