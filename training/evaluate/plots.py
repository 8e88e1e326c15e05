"""The plots of an evaluation, drawn from what was written about it: {file name: SVG bytes}."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from andamio.gate.decision import Figure
from andamio.pages import theme
from andamio.stats.figures import figure
from andamio.stats.metrics import in_units
from training.evaluate import number_plots
from training.evaluate.documents import Assessment, CalibrationFigures, Curves, Importance, Points, order_of_slices
from training.evaluate.svg import Chart, short

FOLDER = "plots/"
MOST = 60
"""Rows of a plot of slices or features: beyond, the plot says how many it left out."""
_ROW = 18

Lines = Mapping[str, Sequence[Sequence[float]]]


def plots(evaluation: Assessment, importance: Importance | None = None) -> dict[str, bytes]:
    """`plots/roc.svg`, and so on: precision_recall, calibration, confusion; of a regression predicted, residuals.

    And of both slices and importance.
    A curve of a class without rows is not drawn, nor are slices where none is judged.
    """
    numbers, curves, calibration = evaluation.numbers, evaluation.curves, evaluation.calibration
    drawn = {} if numbers is None else dict(number_plots.plots(numbers, evaluation.rows))
    if curves is not None:
        drawn |= {"confusion.svg": _confusion(evaluation), **_curves(evaluation, curves)}
    if calibration is not None and calibration.bins:
        drawn["calibration.svg"] = _calibration(evaluation, calibration)
    if any(part.enough for part in evaluation.slices):
        drawn["slices.svg"] = _slices(evaluation)
    if importance and importance.features:
        drawn["importance.svg"] = _importance(importance)
    return {FOLDER + name: body for name, body in sorted(drawn.items())}


def _curves(evaluation: Assessment, curves: Curves) -> dict[str, bytes]:
    drawn = {}
    for name, of, curve in (
        ("roc", _roc, curves.roc),
        ("precision_recall", _precision_recall, curves.precision_recall),
    ):
        lines = _by_class(evaluation, curve)
        if lines:
            drawn[f"{name}.svg"] = of(evaluation, lines)
    return drawn


def _by_class(evaluation: Assessment, curve: Points | dict[str, Points]) -> Lines:
    named = curve if isinstance(curve, dict) else {evaluation.positive or "": curve}
    return {name: points for name, points in named.items() if points}


def _figure(evaluation: Assessment, metric: str) -> str:
    figure = evaluation.metrics[metric]
    if figure.value is None:
        return _rows(evaluation)
    interval = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
    return f"{figure.value:.3f}{interval} on {_rows(evaluation)}"


def _rows(evaluation: Assessment) -> str:
    return f"{evaluation.rows:,} holdout rows"


def _roc(evaluation: Assessment, lines: Lines) -> bytes:
    chart = Chart(
        "ROC curve",
        x_label="false positive rate",
        y_label="true positive rate",
        note=f"area {_figure(evaluation, 'roc_auc')}",
    )
    chart.axes()
    chart.line([(0, 0), (1, 1)], theme.QUIET, dashed=True, width=1)
    return _lines(chart, evaluation, lines)


def _precision_recall(evaluation: Assessment, lines: Lines) -> bytes:
    chart = Chart(
        "Precision and recall",
        x_label="recall",
        y_label="precision",
        note=f"average precision {_figure(evaluation, 'average_precision')}",
    )
    chart.axes()
    for name in lines:
        share = evaluation.classes.get(name, 0) / max(1, evaluation.rows)
        chart.line([(0, share), (1, share)], theme.QUIET, dashed=True, width=1)
    return _lines(chart, evaluation, lines)


def _lines(chart: Chart, evaluation: Assessment, lines: Lines) -> bytes:
    drawn = _rarest(evaluation, lines)
    for index, points in enumerate(drawn.values()):
        chart.line([(x, y) for x, y in points], theme.SERIES[index])
    if len(drawn) > 1:
        left_out = len(lines) - len(drawn)
        more = [f"{left_out} classes with more rows are not drawn"] if left_out else []
        chart.legend([_text(evaluation, name) for name in drawn] + more)
    return chart.to_bytes()


def _rarest(evaluation: Assessment, lines: Lines) -> Lines:
    """As many classes as there are colours, in their order; of more, those with the fewest rows."""
    by_rows = sorted(lines, key=lambda name: evaluation.classes.get(name, 0))
    kept = set(by_rows[: len(theme.SERIES)])
    return {name: points for name, points in lines.items() if name in kept}


def _calibration(evaluation: Assessment, found: CalibrationFigures) -> bytes:
    many = evaluation.positive is None
    chart = Chart(
        "Calibration",
        x_label="how sure the model is of the class it names" if many else "probability that the model says",
        y_label="how often it is right" if many else "share that was positive",
        note=f"expected error {found.error:.3f}; {found.by_chance:.3f} by chance alone on {_rows(evaluation)}",
    )
    chart.axes()
    chart.line([(0, 0), (1, 1)], theme.QUIET, dashed=True, width=1)
    for part in found.bins:
        x = part.mean_predicted
        chart.line([(x, part.observed_low), (x, part.observed_high)], theme.ACCENT, width=1.5)
        chart.dot(x, part.observed, theme.ACCENT, f"{part.rows} rows: said {x:.3f}, seen {part.observed:.3f}")
    return chart.to_bytes()


def _text(evaluation: Assessment, name: str) -> str:
    """What people are shown for a class."""
    return evaluation.texts.get(name, name)


def _confusion(evaluation: Assessment) -> bytes:
    keys, counts = evaluation.class_order, evaluation.confusion
    classes = [_text(evaluation, key) for key in keys]
    size, left, top = (112 if len(classes) < 5 else 56), 180, 88
    width, height = left + size * len(classes) + 20, top + size * len(classes) + 40
    positive = evaluation.positive
    note = "" if positive is None else f"“{short(_text(evaluation, positive), 30)}” from {evaluation.threshold:.3f} on"
    chart = Chart("Confusion matrix", width=max(width, 300), height=height, left=left, note=note)
    for column, name in enumerate(classes):
        for line, words in enumerate(reversed(_lines_of(name, size // 7))):
            chart.text(left + size * (column + 0.5), top - 8 - 14 * line, words, anchor="middle")
    chart.text(left + size * len(classes) / 2, height - 14, "predicted", anchor="middle")
    chart.text(16, top + size * len(classes) / 2, "true", anchor="middle", rotation=True)
    for row, name in enumerate(classes):
        total = max(1, sum(counts[row]))
        chart.text(left - 8, top + size * (row + 0.5) + 4, short(name, 23), anchor="end")
        for column, count in enumerate(counts[row]):
            x, y = left + size * column, top + size * row
            chart.box(x, y, size, size, theme.ACCENT if row == column else theme.ALERT, 0.55 * count / total)
            chart.text(x + size / 2, y + size / 2, f"{count:,}", anchor="middle", weight="600")
            chart.text(x + size / 2, y + size / 2 + 17, f"{100 * count / total:.0f}%", anchor="middle", size=11)
    return chart.to_bytes()


def _lines_of(text: str, width: int) -> list[str]:
    """A text on at most two lines."""
    lines = textwrap.wrap(text, width) or [""]
    return [short(line, width) for line in (lines if len(lines) < 3 else [lines[0], " ".join(lines[1:])])]


def _slices(evaluation: Assessment) -> bytes:
    """How far the Brier score (of a regression, the loss) of each slice is above the expected one, the worst first.

    The figure of a handful of rows may be anything, and would draw the eye.
    """
    judged = sorted((part for part in evaluation.slices if part.enough), key=order_of_slices)
    rows = [(f"{part.feature}: {part.slice} ({part.rows})", part.excess, part.worse) for part in judged]
    few = len(evaluation.slices) - len(rows)
    of_numbers = evaluation.numbers is not None
    note = f"dashed: as {'on all rows' if of_numbers else 'its own probabilities expect'}" + (
        f"; {few} slices with too few rows are not drawn" if few else ""
    )
    loss = loss_text(evaluation.metric) if of_numbers else "Brier score"
    title = f"{loss} above the expected one, by slice (rows)"
    return _intervals(title, loss, rows, 0.0, note, of="rmse" if of_numbers else "brier")


def loss_text(metric: str) -> str:
    """The loss that slices of a regression are compared by."""
    return "Absolute error" if metric in ("mae", "pinball") else "Squared error"


def _importance(importance: Importance) -> bytes:
    rows = [(feature.feature, feature, False) for feature in importance.features]
    title = f"Importance: loss of {importance.metric} when shuffled"
    rows = [row for row in rows if row[1].value is not None]
    note = f"mean of {importance.repeats} shuffles, 95% interval"
    return _intervals(title, importance.metric, rows, 0.0, note, of=importance.metric)


def _intervals(
    title: str, label: str, rows: Sequence[tuple[str, Figure, bool]], line: float | None, note: str, *, of: str
) -> bytes:
    """One figure in each row, `of` a metric, or of what has its unit."""
    left_out = len(rows) - MOST
    if left_out > 0:
        note = f"{note}; {left_out} more are not drawn"
    rows = rows[:MOST]
    seen = [end for _, part, _ in rows for end in (part.value, part.low, part.high) if end is not None]
    seen += [] if line is None else [line]
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    pad = max((high - low) * 0.05, 1e-3 * (max(abs(low), abs(high)) or 1.0) if in_units(of) else 1e-3)
    chart = Chart(
        title,
        x=(low - pad, high + pad),
        y=(0, max(1, len(rows))),
        x_label=label,
        width=680,
        height=56 + 50 + _ROW * max(1, len(rows)),
        left=300,
        note=note,
    )
    chart.axes(vertical=False)
    if line is not None:
        chart.line([(line, 0), (line, chart.y[1])], theme.QUIET, dashed=True, width=1.5)
    for index, (name, part, worse) in enumerate(rows):
        y = len(rows) - index - 0.5
        interval = None if part.low is None or part.high is None else (part.low, part.high)
        colour = theme.ALERT if worse else theme.FAINT if interval is None else theme.ACCENT
        chart.text(chart.left - 8, chart.py(y) + 4, short(name, 42), anchor="end")
        if interval is not None:
            chart.line([(interval[0], y), (interval[1], y)], colour, width=1.5)
        ends = "" if interval is None else f" ({' to '.join(figure(of, end, decimals=4) for end in interval)})"
        if part.value is not None:
            chart.dot(part.value, y, colour, f"{name}: {figure(of, part.value, decimals=4)}{ends}")
    return chart.to_bytes()
