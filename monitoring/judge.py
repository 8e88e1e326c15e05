"""From what a window holds to its report: a function of values, without reading or writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from andamio.captures.summary import duration_quantile
from andamio.captures.truth import no_truth
from andamio.contract.tables import Monitor
from andamio.contract.task import Classification, Regression
from monitoring import words
from monitoring.delivery import REFUSED_RELEASE
from monitoring.drift.compare import compare, compared
from monitoring.drift.limits import Limits
from monitoring.drift.rejects import Refused, lowest
from monitoring.evidence import Evidence
from monitoring.performance.estimate import estimate
from monitoring.performance.performance import Terms, performance
from monitoring.reference import Reference
from monitoring.report import (
    PAGE,
    Alarm,
    Finding,
    Labels,
    Model,
    OtherRelease,
    Persistence,
    Report,
    Span,
    Status,
    Traffic,
)
from monitoring.results import DataDrift, Estimate, Performance
from monitoring.trends import trends
from monitoring.window import FixedWindow, Window, iso, moment

_SILENCE = timedelta(hours=3)
"""Without captures for so long a report is not quiet."""
HEADLINES: dict[Alarm, str] = {
    "drift": "The records of this window differ from those that the model was trained on.",
    "rejects": "Far more records than usual are refused.",
    "performance": "The model has become worse on records whose label came.",
    "coverage": "Labels come far more often for some scores than for others.",
}

DECISIONS: dict[Alarm, str] = {
    "drift": "DriftPersistent",
    "rejects": "RejectAlarm",
    "performance": "PerformanceWorse",
    "coverage": "LabelCoverageUneven",
}
"""The metric, 0 or 1, of each alarm. Only a window that could decide puts it: others leave the alarm as it is."""


@dataclass(frozen=True, slots=True)
class Before:
    """Earlier reports against the same release.

    `last` is the one right before, where it is near enough for a finding to go on; `apart` are windows that share no
    prediction with this one or with each other, newest first, by their ends.
    """

    last: Report | None
    apart: Sequence[tuple[datetime, Report]]


def judge(
    problem: str,
    system: str,
    fixed: FixedWindow,
    settings: Monitor,
    evidence: Evidence,
    reference: Reference | None,
    before: Before,
    notes: Sequence[str],
    now: datetime,
    releases: Sequence[OtherRelease] = (),
) -> Report:
    """The report of a window; without a `reference` it says so in a note, and nothing is compared.

    `releases` are those that the evidence has other predictions of.
    """
    window = fixed.window()
    task = None if reference is None else reference.task
    unit = task.unit if isinstance(task, Regression) else ""
    data = None if reference is None else _data(reference, evidence, settings, before)
    measured, estimated = (None, None) if reference is None else _performance(reference, evidence, settings)
    alarms = _alarms(data, measured)
    since: dict[str, str] = {alarm: _since(alarm, before.last, window) for alarm in alarms}
    drifted = [] if data is None else data.drifted
    features_since = {
        name: before.last.features_since.get(name, window.name) if before.last else window.name for name in drifted
    }
    findings: list[Finding] = []
    if measured is not None:
        findings += words.of_performance(measured, since)
        findings += words.of_residuals(measured, unit, window.name)
    if data is not None:
        findings += words.of_data(data, features_since, since)
    findings += words.of_orphans(evidence.orphans, window.name)
    silent = _silent_since(settings, fixed, evidence)
    if silent is not None:
        findings += words.of_silence(iso(silent), window.name)
    enough = data is not None and data.status != "not-enough-data"
    status: Status = "alarm" if alarms else "quiet" if enough and silent is None else "not-enough-data"
    persistence = _persistence(settings, window, "drift" in alarms, before)
    return Report(
        problem=problem,
        system=system,
        window=Span(start=iso(window.start), end=iso(window.end), hours=settings.window_hours),
        model=Model(
            release=fixed.release,
            since=fixed.since,
            run=fixed.run,
            task="classification" if task is None else task.name,
            unit=unit,
        ),
        created=iso(now),
        status=status,
        message=_message(status, alarms, data, silent),
        alarms=alarms,
        new=[alarm for alarm in alarms if before.last is None or alarm not in before.last.alarms],
        since=since,
        features_since=features_since,
        findings=findings,
        notes=[
            *notes,
            *words.of_task(task),
            *words.of_capture(settings),
            *words.of_late(evidence.late),
            *words.of_asked(evidence.asked, evidence.answered),
        ],
        traffic=Traffic(
            requests=evidence.requests,
            rows=evidence.rows_seen,
            compared=len(evidence.labels),
            other_releases=sum(evidence.other_releases.values()),
            rejected=evidence.rejected,
            capture_lag_seconds=evidence.capture_lag,
            failed={kind: count for kind, count in evidence.failures.items() if kind != REFUSED_RELEASE},
            median_ms=duration_quantile(evidence.durations, 0.5),
            p99_ms=duration_quantile(evidence.durations, 0.99),
            releases_refused=evidence.failures.get(REFUSED_RELEASE, 0),
            releases=[*releases],
        ),
        labels=Labels(
            joined=0 if measured is None else measured.labelled,
            orphans=evidence.orphans,
            elsewhere=evidence.late,
            asked=evidence.asked,
            answered=evidence.answered,
        ),
        persistence=persistence,
        data=data,
        performance=measured,
        estimate=estimated,
        trends=[] if reference is None else trends(reference, window, drifted, evidence.times, evidence.columns),
        metrics=_metrics(evidence, data, measured, alarms, persistence),
        page=window.key(PAGE),
    )


def _data(reference: Reference, evidence: Evidence, settings: Monitor, before: Before) -> DataDrift:
    return compare(
        reference,
        evidence.columns,
        evidence.probabilities,
        evidence.labels,
        Limits.of(settings),
        rows_seen=evidence.rows_seen,
        refused=Refused(evidence.sent, evidence.rejected, evidence.rejections),
        refused_before=_usual_rejects(before, reference),
    )


def _performance(
    reference: Reference, evidence: Evidence, settings: Monitor
) -> tuple[Performance | None, Estimate | None]:
    """How good the champion was where labels came, and what its probabilities let expect where none have."""
    found, measured = evidence.labelled, None
    if found is not None and (len(found.labels) or found.waiting):
        terms = Terms(settings.margin, settings.label_delay_hours, settings.min_rows, settings.drift_psi)
        measured = performance(reference, found, terms)
    if not len(evidence.probabilities):
        return measured, None
    match reference.task:
        case Classification() as task:
            truth = no_truth(task, len(evidence.labels)) if evidence.truth is None else evidence.truth
            return measured, estimate(reference, evidence.probabilities.astype(np.float64), truth, settings.min_rows)
        case Regression():
            return measured, None


def _usual_rejects(before: Before, reference: Reference) -> Refused | None:
    """What is usual among refused records, by the earlier reports and the data trained on."""
    reports = [report for _, report in before.apart] + ([] if before.last is None else [before.last])
    return lowest((report.data.rejects for report in reports if report.data is not None), reference.refused)


def _alarms(data: DataDrift | None, performance: Performance | None) -> list[Alarm]:
    alarms: list[Alarm] = []
    if performance is not None and performance.status == "worse":
        alarms.append("performance")
    if data is not None and (data.drifted or "drift" in (data.joint.status, data.predictions.status)):
        alarms.append("drift")
    if data is not None and data.rejects.status == "drift":
        alarms.append("rejects")
    if performance is not None and performance.coverage.status == "uneven":
        alarms.append("coverage")
    return alarms


def _since(alarm: Alarm, last: Report | None, window: Window) -> str:
    return window.name if last is None else last.since.get(alarm, window.name)


def _persistence(settings: Monitor, window: Window, drift: bool, before: Before) -> Persistence:
    earlier = before.apart[: settings.windows - 1]
    had = [iso(end) for end, report in earlier if "drift" in report.alarms]
    with_drift = [window.name, *had] if drift else had
    return Persistence(
        windows=settings.windows,
        needed=settings.persistence,
        looked_at=[window.name, *(iso(end) for end, _ in earlier)],
        with_drift=with_drift,
        persistent=drift and len(with_drift) >= settings.persistence,
    )


def _silent_since(settings: Monitor, fixed: FixedWindow, evidence: Evidence) -> datetime | None:
    """Since when nothing of the API was captured, where that is for hours, and something was to be."""
    window, since = fixed.window(), evidence.silent_since
    if since is None or settings.capture == "none":
        return None
    if since == window.start:
        since = max(since, moment(fixed.since))
    return since if window.end - since >= min(_SILENCE, window.end - window.start) else None


def _message(status: Status, alarms: Sequence[Alarm], data: DataDrift | None, silent: datetime | None) -> str:
    if alarms:
        said = " ".join(HEADLINES[alarm] for alarm in alarms)
        return said if data is None or data.status != "drift" else f"{said} {data.message}"
    if data is None:
        return "Nothing could be compared: see the notes."
    if silent is not None:
        return f"Nothing was captured since {iso(silent)}. {data.message}"
    return data.message if status != "quiet" else f"All quiet. {data.message}"


def _metrics(
    evidence: Evidence,
    data: DataDrift | None,
    performance: Performance | None,
    alarms: Sequence[Alarm],
    persistence: Persistence,
) -> dict[str, float]:
    """What was counted, and each decision that this window had enough data for."""
    metrics = {
        "RejectRate": evidence.rejected / max(1, evidence.sent),
        "OrphanFeedback": float(evidence.orphans),
        "RowsCompared": float(len(evidence.labels)),
    }
    if evidence.capture_lag is not None:
        metrics["CaptureLagSeconds"] = evidence.capture_lag
    if data is not None and compared(data.features, data.predictions):
        metrics["DriftedFeatures"] = float(len(data.drifted))
        metrics[DECISIONS["drift"]] = float(persistence.persistent)
    if data is not None and data.rejects.status != "not-enough-data":
        metrics[DECISIONS["rejects"]] = float("rejects" in alarms)
    if performance is not None and performance.status in ("ok", "worse"):
        metrics[DECISIONS["performance"]] = float("performance" in alarms)
    if performance is not None and performance.coverage.status in ("ok", "uneven"):
        metrics[DECISIONS["coverage"]] = float("coverage" in alarms)
    return metrics
