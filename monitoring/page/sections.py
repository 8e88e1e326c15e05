"""The sections of the page: figures and tables out of a report."""

from __future__ import annotations

from collections.abc import Iterator

from andamio.contract import Contract
from andamio.pages.text import NOTHING, number, percent
from andamio.pages.view import Cell, Figure, Section, Table
from andamio.stats.figures import figure
from monitoring import words
from monitoring.page import charts
from monitoring.report import Report
from monitoring.results import Comparison, DataDrift, Performance, Residuals

CHARTED = 20
"""Features that get a chart; all are in the table."""
_VERDICTS = {"quiet": "all quiet", "alarm": "alarm", "not-enough-data": "not enough data"}


def tiles(report: Report) -> list[tuple[str, str]]:
    """The figures at the top."""
    traffic, data = report.traffic, report.data
    moved = NOTHING if data is None else f"{len(data.drifted)} of {len(data.features)}"
    return [
        ("verdict", _VERDICTS[report.status]),
        ("features moved", moved),
        ("predictions", number(traffic.rows)),
        ("compared", number(traffic.compared)),
        ("refused records", number(traffic.rejected)),
        ("labels", number(report.labels.joined)),
    ]


def all_of(report: Report, contract: Contract) -> Iterator[Section | None]:
    """Every section, None for those that have nothing to show."""
    yield _found(report)
    yield _features(report, contract)
    yield _predictions(report)
    yield _rejects(report)
    yield _performance(report)
    yield _estimate(report)
    yield _origin(report)


def moment(text: str) -> str:
    """A moment as people write it: `2026-11-27 18:00`."""
    return text[:16].replace("T", " ")


def _found(report: Report) -> Section:
    mark = {"alarm": "suspicious", "quiet": "clean"}.get(report.status, "")
    content = {"message": report.headline, "findings": report.findings, "persistence": report.persistence}
    return Section("found", "What was found", content, mark)


def _features(report: Report, contract: Contract) -> Section | None:
    data = report.data
    if data is None or not data.features:
        return None
    rows: list[list[Cell]] = [
        [
            one.feature,
            "moved" if one.drifted else "steady",
            None if one.psi is None else f"{one.psi:.2f}",
            None if one.p is None else words.p_value(one.p).removeprefix("p = "),
            f"{percent(one.missing.reference)} → {percent(one.missing.window)}",
            None if one.unseen is None else percent(one.unseen.share),
            None if one.out_of_range is None else percent(one.out_of_range.window),
        ]
        for one in data.features
    ]
    heads = ["feature", "verdict", "PSI", "p of its test", "missing", "new values", "out of range"]
    trends = {one.feature: one for one in report.trends}
    cards = []
    for one in [one for one in data.features if one.drifted][:CHARTED]:
        figures = [Figure(f"{one.feature}: training (grey) and window", charts.cells(one.cells, "share of values"))]
        found = trends.get(one.feature)
        if found is not None and len(found.points) > 1:
            figures.append(Figure(f"{one.feature}: share without a value by hour", charts.trend(found, missing=True)))
            if any(point.mean is not None for point in found.points):
                figures.append(Figure(f"{one.feature}: mean by hour", charts.trend(found, missing=False)))
        about = contract.inputs.get(one.feature)
        cards.append(
            {
                "name": one.feature,
                "type": one.type,
                "about": ", ".join(part for part in (about.description, about.unit) if part) if about else "",
                "said": words.feature(one),
                "sure": words.how_sure(one),
                "since": report.features_since[one.feature],
                "figures": figures if one.cells else figures[1:],
            }
        )
    content = {
        "table": Table("Features, those that moved most first", heads, rows),
        "figure": Figure("How far features moved", charts.effects(data.features[:CHARTED])),
        "cards": cards,
        "joint": _joint(data),
        "limits": f"A feature has moved where a test counts (false discovery rate {data.q:g} over {data.tests} tests) "
        f"and the move is larger than PSI {data.psi_limit:g}, or {percent(data.share_limit)} of rows.",
        "skipped": sorted(data.skipped.items()),
    }
    return Section("features", "Features", content)


def _joint(data: DataDrift) -> str:
    joint = data.joint
    if joint.auc is None:
        return "All features together: not enough data."
    verdict = "it can be told from training" if joint.status == "drift" else "it cannot be told from training"
    return f"All features together: {verdict} (ROC AUC of a classifier {joint.auc:.2f}, by chance 0.5)."


def _predictions(report: Report) -> Section | None:
    data = report.data
    if data is None or data.predictions.status == "not-enough-data":
        return None
    found = data.predictions
    rows: list[list[Cell]] = [[one.label, percent(one.reference), percent(one.window)] for one in found.labels]
    content = {
        "table": Table("Labels predicted", ["label", "out of fold", "window"], rows) if rows else None,
        "figure": Figure(
            f"{_scores(report)}: out of fold (grey) and window", charts.cells(found.cells, "share of predictions")
        ),
        "drifted": found.status == "drift",
    }
    return Section("predictions", "Predictions", content)


def _scores(report: Report) -> str:
    """What a prediction is, at the head of a chart."""
    if report.model.task == "classification":
        return "Scores"
    return f"Values ({report.model.unit})" if report.model.unit else "Values"


def _rejects(report: Report) -> Section | None:
    data = report.data
    if data is None or not data.rejects.reasons:
        return None
    rows: list[list[Cell]] = [
        [
            one.field or "(the record)",
            one.code,
            one.rows,
            percent(one.share),
            None if one.reference is None else percent(one.reference),
            "more than usual" if one.drifted else "usual",
        ]
        for one in data.rejects.reasons
    ]
    heads = ["field", "reason", "records", "share of all sent", "before", "verdict"]
    return Section("rejects", "Refused records", {"table": Table("By field and reason", heads, rows)})


def _performance(report: Report) -> Section | None:
    found = report.performance
    if found is None:
        return None
    rows: list[list[Cell]] = []
    for name, metric, compared in (
        (found.metric, found.metric, found.plain),
        (f"{found.metric}, weighted", found.metric, found.weighted),
        ("Brier score", "brier", found.brier),
    ):
        if compared is not None:
            rows.append([name, *_compared(metric, compared)])
    heads = ["figure", "training and holdout", "window", "difference (99%)", "smallest drop that shows"]
    deciles = found.coverage.deciles
    calibration = found.calibration
    content = {
        "message": found.message,
        "table": Table("Against labels that came", heads, rows) if rows else None,
        "residuals": _residuals(found.residuals),
        "coverage": found.coverage.message,
        "deciles": Figure("Labels by score", charts.coverage(deciles, in_unit=report.model.task == "regression"))
        if deciles
        else None,
        "calibration": Figure("Calibration", charts.reliability(calibration)) if calibration else None,
        "delay": _delay(found),
    }
    mark = "suspicious" if found.status == "worse" else ""
    return Section("performance", "Performance", content, mark)


def _compared(metric: str, found: Comparison) -> list[Cell]:
    difference = found.difference
    known = difference.value is not None and difference.low is not None and difference.high is not None
    change, low, high = (
        figure(metric, one, signed=True) for one in (difference.value, difference.low, difference.high)
    )
    return [
        figure(metric, found.reference.value) or None,
        figure(metric, found.window.value) or None,
        f"{change} ({low} to {high})" if known else None,
        figure(metric, found.smallest_drop) or None,
    ]


def _residuals(found: Residuals | None) -> Table | None:
    if found is None:
        return None
    heads = ["figure", "out of fold", "window", "99% interval"]
    bias: list[Cell] = [
        "predicted minus true",
        *(number(one.value or 0.0) for one in (found.reference_bias, found.bias)),
    ]
    held: list[Cell] = [
        "intervals that hold the truth",
        f"{percent(found.level)} promised",
        percent(found.held.value or 0.0),
    ]
    rows = [
        [*bias, f"{number(found.bias.low or 0.0)} to {number(found.bias.high or 0.0)}"],
        [*held, f"{percent(found.held.low or 0.0)} to {percent(found.held.high or 0.0)}"],
    ]
    return Table("Errors and intervals", heads, rows)


def _delay(found: Performance) -> str:
    if found.delay.median is None:
        return ""
    return f"A label took {found.delay.median:.1f} hours in the median."


def _estimate(report: Report) -> Section | None:
    found = report.estimate
    if found is None or found.status != "ok":
        return None
    rows: list[list[Cell]] = [
        [
            one.metric.replace("_", " "),
            None if one.expected is None else f"{one.expected:.3f}",
            None if one.low is None or one.high is None else f"{one.low:.3f} to {one.high:.3f}",
            None if one.observed is None else f"{one.observed:.3f}",
            None if one.error is None else f"{one.error:+.3f}",
        ]
        for one in found.figures
    ]
    heads = ["figure", "expected", "by chance (95%)", "observed on labels", "error of the estimate"]
    content = {"assumption": found.assumption, "table": Table("From the probabilities alone", heads, rows)}
    return Section("estimate", "Estimated performance", content)


def _origin(report: Report) -> Section:
    return Section(
        "origin",
        "Origin and limits",
        {"report": report, "notes": report.notes, "releases": [*words.of_releases(report.traffic.releases)]},
    )
