"""What was found, in words: findings for the report, the page, the command line and events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from andamio.contract.tables import Monitor
from andamio.contract.task import Regression, Task
from andamio.pages.text import count, number, percent
from andamio.stats.figures import figure
from monitoring.report import Finding, Kind, OtherRelease, Retraining, Role
from monitoring.results import Comparison, DataDrift, FeatureDrift, Performance, Rate

LOOK_AT_SOURCE = "Find out what has changed where these records come from: a form, a device, a unit, a code."
RETRAIN = (
    "If the new records are right, the model has to learn them: put labelled ones under raw/ in the lake "
    "(andamio ingest FILE), and training follows."
)
LABEL_SOME = "Label some of the new records (POST /feedback): only labels tell whether the model is still right."


def feature(one: FeatureDrift) -> str:
    """How a feature has moved, in a sentence."""
    return f"{one.feature}: {'; '.join(_reasons(one))}."


def how_sure(one: FeatureDrift) -> str:
    """How sure that is: the tests, with the rows of both sides."""
    sides = f"{number(one.reference_rows)} training rows against {number(one.window_rows)} of the window"
    tests = [("distribution", one.p), ("missing values", one.missing.p)]
    if one.unseen is not None:
        tests.append(("new values", one.unseen.p))
    if one.out_of_range is not None:
        tests.append(("values out of range", one.out_of_range.p))
    said = ", ".join(f"{what} {p_value(p)}" for what, p in tests if p is not None)
    return f"{sides}; {said}" if said else sides


def p_value(p: float) -> str:
    """A p-value: `p = 0.012`, or `p < 1e-10` where digits say nothing any more."""
    return "p < 1e-10" if p < 1e-10 else f"p = {p:.2g}"


def _reasons(one: FeatureDrift) -> Iterator[str]:
    for reason in one.reasons:
        if reason == "missing":
            yield f"{percent(one.missing.window)} of its values are missing ({_before(one.missing)})"
        elif reason == "distribution" and one.psi is not None:
            yield f"its values are distributed otherwise (PSI {one.psi:.2f})"
        elif reason == "unseen" and one.unseen is not None:
            values = ", ".join(f"'{value}'" for value in list(one.unseen.values)[:3])
            yield f"{percent(one.unseen.share)} of its values are new: {values}"
        elif reason == "out-of-range" and one.out_of_range is not None:
            outside = one.out_of_range
            yield f"{percent(outside.window)} of its values lie outside the range of training ({_before(outside)})"


def _before(rate: Rate) -> str:
    return f"before: {percent(rate.reference)}"


def of_data(data: DataDrift, first: dict[str, str], since: dict[str, str]) -> Iterator[Finding]:
    """Findings about rows and predictions; `first` by feature, `since` by alarm: which window had it first."""
    drift = since.get("drift", "")
    for one in data.features:
        if one.drifted:
            advice = LOOK_AT_SOURCE if one.reasons != ["distribution"] else f"{LOOK_AT_SOURCE} {LABEL_SOME}"
            yield _finding("drift", feature(one), first[one.feature], how_sure(one), advice, one.feature)
    if data.joint.only_joint and data.joint.auc is not None:
        joint = data.joint
        yield _finding(
            "joint",
            "No feature alone has moved, but they no longer go together as in training: a classifier tells window "
            f"from training (ROC AUC {joint.auc:.2f}, by chance 0.5).",
            drift,
            f"{number(joint.reference_rows)} training rows against {number(joint.window_rows)} of the window, by "
            f"permutation{'' if joint.p is None else f', {p_value(joint.p)}'}",
            f"{LOOK_AT_SOURCE} {LABEL_SOME}",
        )
    predicted = data.predictions
    if predicted.status == "drift":
        shares = "; ".join(
            f"'{one.label}' {percent(one.window)} (before: {percent(one.reference)})" for one in predicted.labels
        )
        yield _finding(
            "predictions",
            f"Predictions are distributed otherwise than in training: {shares or f'PSI {predicted.psi or 0.0:.2f}'}.",
            drift,
            "scores of both sides" + ("" if predicted.p is None else f", {p_value(predicted.p)}"),
            LABEL_SOME,
        )
    refused = data.rejects
    if refused.drifted and not any(reason.drifted for reason in refused.reasons):
        usual = "one in a hundred is taken as usual" if refused.reference is None else percent(refused.reference)
        yield _finding(
            "rejects",
            f"{percent(refused.share)} of all records are refused, for several reasons (before: {usual}).",
            since.get("rejects", ""),
            f"{number(refused.rejected)} of {number(refused.rows)} records"
            + ("" if refused.p is None else f", {p_value(refused.p)}"),
            "Look at who sends these records: each reason alone is rare, but together they are not.",
        )
    for reason in data.rejects.reasons:
        if reason.drifted:
            usual = "one in a hundred is taken as usual" if reason.reference is None else percent(reason.reference)
            yield _finding(
                "rejects",
                f"{percent(reason.share)} of all records are refused because of {reason.field or 'the record'} "
                f"({reason.code}; before: {usual}).",
                since.get("rejects", ""),
                f"{number(reason.rows)} of {number(data.rejects.rows)} records"
                + ("" if reason.p is None else f", {p_value(reason.p)}"),
                "Look at how the sender fills this field in: a refused record has no prediction. Change the sender, "
                "or the contract where the value is right.",
                reason.field or None,
            )


def of_performance(performance: Performance, since: dict[str, str]) -> Iterator[Finding]:
    """Findings about labels that came."""
    counted = performance.weighted or performance.plain
    if performance.status == "worse" and counted is not None:
        yield _finding(
            "performance",
            f"The model has become worse: {performance.metric} {_figure(performance.metric, counted)}.",
            since.get("performance", ""),
            f"99% interval of the difference {_interval(performance.metric, counted)}; {number(performance.labelled)} "
            f"labels against {number(performance.reference_rows)} rows of training and holdout",
            f"{RETRAIN} Until then say so to whoever relies on it; andamio promote goes back to an older release, "
            "which helps only where the newest one is the fault.",
        )
    coverage = performance.coverage
    if coverage.status == "uneven":
        yield _finding(
            "coverage",
            f"Labels come for some scores far more often than for others ({percent(coverage.share)} overall). Figures "
            "of performance then mislead.",
            since.get("coverage", ""),
            f"{number(coverage.labelled)} of {number(coverage.rows)} predictions have a label"
            + ("" if coverage.p is None else f", {p_value(coverage.p)}"),
            "Label records at random, not only those that the model calls positive: [monitor] audit_share asks for it "
            "in replies.",
        )


def of_residuals(performance: Performance, unit: str, window: str) -> Iterator[Finding]:
    """Findings about the errors of a regression; no alarm, since the metric decides whether it has become worse."""
    found = performance.residuals
    if found is None:
        return
    labels = f"99% interval, {number(performance.labelled)} labels"
    if found.biased and found.shift.value is not None:
        side, size = ("high", "above") if found.shift.value > 0 else ("low", "below"), abs(found.shift.value)
        yield Finding(
            kind="bias",
            alarm=False,
            subject=None,
            message=f"Predictions are too {side[0]}: {' '.join(filter(None, (number(size), unit)))} {side[1]} what "
            "came true on average, against training.",
            since=window,
            certainty=labels,
            advice=RETRAIN,
        )
    if found.too_narrow and found.held.value is not None:
        yield Finding(
            kind="intervals",
            alarm=False,
            subject=None,
            message=f"The intervals of predictions are too narrow: {percent(found.held.value)} of them hold what came "
            f"true, and {percent(found.level)} were to.",
            since=window,
            certainty=labels,
            advice=f"Do not rely on the intervals. {RETRAIN}",
        )


def of_task(task: Task | None) -> Iterator[str]:
    """A note about what a task has no figure of."""
    if isinstance(task, Regression):
        yield (
            "There is no estimate of performance before labels come: what a regression predicts does not say how wrong "
            "it is, and its intervals are as wide as its errors were in training."
        )


def of_orphans(orphans: int, window: str) -> Iterator[Finding]:
    """A finding about labels whose prediction is nowhere; no alarm."""
    if orphans:
        yield Finding(
            kind="orphans",
            alarm=False,
            subject=None,
            message=f"{count(orphans, 'label')} for no prediction or record that is known.",
            since=window,
            certainty="counted",
            advice="Compare the ids that the sender uses with prediction_id and record_id of replies. Where they are "
            "right, the predictions are older than [batch] keep_days.",
        )


def of_retraining(found: Retraining, window: str) -> Iterator[Finding]:
    """A finding about a training that starts, or does not although something asks for it; no alarm."""
    if found.status != "not-needed":
        yield Finding(
            kind="retraining",
            alarm=False,
            subject=None,
            message=found.message,
            since=window,
            certainty=f"{number(found.records)} labelled records, {number(found.new)} of them new",
            advice=_ABOUT_RETRAINING[found.status],
        )


_ABOUT_RETRAINING: dict[str, str] = {
    "missing": "Once what is missing is there, the next window with an alarm starts a training.",
    "waiting": "The next window with an alarm after that starts a training; andamio train starts one at once.",
    "start": "The gate decides whether the new model serves (andamio history).",
}


_ROLES: dict[Role, str] = {
    "champion": "the champion now",
    "challenger": "a challenger that answers a share of the requests now",
    "shadow": "a challenger that is scored in shadow now and answers nobody",
    "earlier-champion": "the champion before",
    "withdrawn": "withdrawn, as champion or challenger",
    "earlier": "served earlier, as champion or challenger",
}


def of_releases(releases: Iterable[OtherRelease]) -> Iterator[str]:
    """A line of each release whose predictions are not compared."""
    for one in releases:
        yield f"Release {one.release}: {count(one.rows, 'prediction')}, not compared ({_ROLES[one.role]})."


def of_capture(settings: Monitor) -> Iterator[str]:
    """A note that nothing new can be compared, where no prediction is kept."""
    if settings.capture == "none":
        yield (
            '[monitor] capture is "none": since it was deployed so, no prediction is kept or counted, and labels of '
            "those count for nothing."
        )


def of_late(late: int) -> Iterator[str]:
    """A note about labels that no window uses."""
    if late:
        yield (
            f"{number(late)} labels came for predictions before the hours that are looked at, and count for nothing: "
            "set [monitor] label_delay_hours to the time that labels take."
        )


def of_asked(asked: int, answered: int) -> Iterator[str]:
    """A note about predictions whose reply asked for a label that has not come."""
    if asked > answered:
        yield (
            f"Of {number(asked)} predictions that were chosen to be labelled ([monitor] audit_share) "
            f"{number(answered)} have a label, and {number(asked - answered)} wait for one."
        )


def of_silence(since: str, window: str) -> Iterator[Finding]:
    """A finding about hours in which the API's predictions left no trace; no alarm, since there may be none."""
    yield Finding(
        kind="capture",
        alarm=False,
        subject=None,
        message=f"Nothing was captured since {since}.",
        since=window,
        certainty="counted",
        advice="Ask whether the API was asked anything since. If it was, captures do not come: look at the function "
        "capture, its dead letters, and the subscription filter of the API's log group.",
    )


def _figure(metric: str, compared: Comparison) -> str:
    before, now = compared.reference.value, compared.window.value
    if before is None or now is None:
        return ""
    return f"{figure(metric, now)}, and {figure(metric, before)} in training and holdout"


def _interval(metric: str, compared: Comparison) -> str:
    low, high = compared.difference.low, compared.difference.high
    if low is None or high is None:
        return "unknown"
    return f"{figure(metric, low, signed=True)} to {figure(metric, high, signed=True)}"


def _finding(kind: Kind, message: str, since: str, certainty: str, advice: str, subject: str | None = None) -> Finding:
    return Finding(
        kind=kind, alarm=True, subject=subject, message=message, since=since, certainty=certainty, advice=advice
    )
