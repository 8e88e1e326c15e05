"""The steps of the watch, in the order of `stepfunctions/monitor.asl.json`.

They are gather, compare, draw, publish, tell; claim and begun where a training follows.

The first fixes window and champion; each writes what it found under the window's key, once. An execution that is cut
off and started again for the same window ends with the same files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from andamio import step
from andamio.contract import Contract
from andamio.errors import DataError, ReleaseError
from andamio.release.pointer import read_pointer
from andamio.release.release import Release
from andamio.step import Step
from andamio.storage import documents, layout
from andamio.storage.events import EventType, make_event
from andamio.storage.ports import Events, Objects
from monitoring import evidence, history, latest, words
from monitoring.events import (
    BegunEvent,
    BegunRetraining,
    ClaimedRetraining,
    ComparedWindow,
    DrawnPage,
    GatheredWindow,
    GatherEvent,
    HeldRetraining,
    NoModel,
    Told,
    Verdict,
    WindowEvent,
)
from monitoring.feedback import Elsewhere
from monitoring.judge import Before, judge
from monitoring.ports import Metrics, Retrainer
from monitoring.reference import Reference, of_release
from monitoring.releases import others
from monitoring.report import PAGE, REPORT, WINDOW, Alarm, Report
from monitoring.window import FixedWindow, Window, iso, moment, of_event

_IN_WORDS = 5
"""How many findings and features the state machine carries; the report has them all."""
TOLD: dict[EventType, tuple[Alarm, ...]] = {
    "Drift seen": ("drift", "rejects"),
    "Performance worse": ("performance",),
}
"""The events, and the alarms that they tell of."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the steps work with: buckets, predictions of other windows, the deployment's contract, and who is told."""

    lake: Objects
    models: Objects
    predictions: Elsewhere
    contract: Contract
    system: str
    metrics: Metrics
    events: Events
    retrainer: Retrainer
    now: datetime


def gather_step(to: Watch, event: GatherEvent) -> GatheredWindow | NoModel:
    """Fix the window and its champion, and make one file of each hour's captures and of its labels.

    Records that were kept for a retraining go where one of their features is private now.
    """
    to.retrainer.forget()
    settings, problem = to.contract.monitor, to.contract.problem.name
    window = of_event(event.event, event.started, settings.window_hours)
    fixed = documents.find(to.lake, window.key(WINDOW), FixedWindow)
    if fixed is None:
        champion = read_pointer(to.models, problem)[0].champion
        if champion is None:
            return NoModel(
                message=f"No model of '{problem}' is served yet, so there is nothing to watch. Put data under raw/ in "
                "the lake (andamio ingest FILE): training follows."
            )
        fixed = documents.once(
            to.lake,
            window.key(WINDOW),
            FixedWindow,
            lambda: FixedWindow(
                start=iso(window.start),
                end=iso(window.end),
                release=champion.release,
                since=champion.since,
                run=champion.run,
            ),
        )
    hours = evidence.compact(to.lake, to.models, window, to.contract)
    evidence.compact_labels(to.lake, window, settings, to.now)
    return GatheredWindow(window=window.name, release=fixed.release, hours=hours)


def compare_step(to: Watch, event: WindowEvent) -> ComparedWindow:
    """Compare the window with its champion, unless its report is there."""
    window, fixed = _fixed(to.lake, event)
    report = documents.once(to.lake, window.key(REPORT), Report, lambda: _considered(to, window, fixed))
    return ComparedWindow(window=window.name, status=report.status, report=window.key(REPORT))


def draw_step(to: Watch, event: WindowEvent) -> DrawnPage:
    """Draw the page of a window's report, unless it is there."""
    from monitoring.page import page  # Altair takes a second to import, and no other step needs it

    window, report = _report(to.lake, event)
    if next(iter(to.lake.list(window.key(PAGE))), None) is None:
        drawn = page(report, to.contract)
        to.lake.put_new(window.key(PAGE), drawn, content_type="text/html; charset=utf-8")
    return DrawnPage(page=window.key(PAGE))


def publish_step(to: Watch, event: WindowEvent) -> Verdict:
    """Make a window's report the latest one, unless a newer window has one, and put its metrics."""
    window, report = _report(to.lake, event)
    page = next((info.key for info in to.lake.list(window.key(PAGE))), None)
    held = latest.advance(to.lake, window, report)
    if held is not None:
        to.metrics.put(report.metrics)
    return Verdict(
        window=window.name,
        release=report.model.release,
        status=report.status,
        message=report.message,
        alarms=report.alarms,
        persistent=report.persistence.persistent,
        moved=[] if report.data is None else report.data.drifted[:_IN_WORDS],
        findings=[finding.message for finding in report.findings[:_IN_WORDS]],
        report=window.key(REPORT),
        page=page,
        latest=held is not None,
        retrain=held is not None and report.retraining is not None and report.retraining.status == "start",
        retraining=None if report.retraining is None else report.retraining.message,
        tell=held is not None and bool(_untold(latest.untold(held, report))),
    )


def tell_step(to: Watch, event: WindowEvent) -> Told:
    """Send an event for each kind of alarm that nobody was told of yet, and note that."""
    window, report = _report(to.lake, event)
    kinds = _untold(latest.news(to.lake, report))
    for kind in kinds:
        to.events.put(
            make_event(
                kind,
                problem=report.problem,
                system=report.system,
                occasion=window.name,
                message=report.message,
                release=report.model.release,
                window=window.name,
                report=window.key(REPORT),
            )
        )
    if kinds:
        latest.told(to.lake, window, [alarm for kind in kinds for alarm in TOLD[kind] if alarm in report.alarms])
    return Told(sent=[*kinds])


def claim_step(to: Watch, event: WindowEvent) -> ClaimedRetraining | HeldRetraining:
    """Take the lock of retraining for a window, and keep the records that are trained on."""
    window, report = _report(to.lake, event)
    claimed = to.retrainer.claim(report, window, to.now)
    if isinstance(claimed, str):
        return HeldRetraining(window=window.name, message=f"No retraining now: {claimed}")
    return ClaimedRetraining(window=window.name, execution=claimed.execution, because=f"Retraining: {claimed.reason}")


def begun_step(to: Watch, event: BegunEvent) -> BegunRetraining:
    """Note that a training has begun, and tell of it."""
    begun = to.retrainer.confirm(event.execution, to.now)
    if begun is None:
        raise DataError(f"{layout.RETRAINING} has no start of {event.execution}: the step 'claim' has to run first")
    to.events.put(
        make_event(
            "Retraining started",
            problem=to.contract.problem.name,
            system=to.system,
            occasion=begun.execution,
            message=f"A training on the records with labels was started, because of {begun.reason}.",
            release=begun.release,
            window=begun.window,
            report=layout.monitoring(moment(begun.window), REPORT),
        )
    )
    return BegunRetraining(execution=begun.execution)


def _untold(alarms: Sequence[Alarm]) -> list[EventType]:
    """The events that alarms are told by."""
    return [kind for kind, told in TOLD.items() if any(alarm in alarms for alarm in told)]


def _fixed(lake: Objects, event: WindowEvent) -> tuple[Window, FixedWindow]:
    key = layout.monitoring(moment(event.window), WINDOW)
    fixed = documents.find(lake, key, FixedWindow)
    if fixed is None:
        raise DataError(f"{key} is not there: the step 'gather' has to run first")
    return fixed.window(), fixed


def _report(lake: Objects, event: WindowEvent) -> tuple[Window, Report]:
    window, _ = _fixed(lake, event)
    report = documents.find(lake, window.key(REPORT), Report)
    if report is None:
        raise DataError(f"{window.key(REPORT)} is not there: the step 'compare' has to run first")
    return window, report


def _considered(to: Watch, window: Window, fixed: FixedWindow) -> Report:
    """The report of a window, and what follows of it for a training."""
    report = _compared(to, window, fixed)
    if not to.contract.monitor.retrain:
        return report
    found = to.retrainer.consider(report, window, to.now)
    said = list(words.of_retraining(found, window.name))
    return report.model_copy(
        update={
            "retraining": found,
            "findings": [*report.findings, *said],
            "message": " ".join([report.message, *(one.message for one in said)]),
        }
    )


def _compared(to: Watch, window: Window, fixed: FixedWindow) -> Report:
    windows = to.contract.monitor.windows
    ends = history.ends_before(to.lake, window, windows)
    near = bool(ends) and history.near(window, ends[-1])
    earlier = [(end, history.read(to.lake, end, fixed.release)) for end in history.apart(window, ends, windows)]
    before = Before(
        last=history.read(to.lake, ends[-1], fixed.release) if near else None,
        apart=[(end, report) for end, report in earlier if report is not None],
    )
    notes: list[str] = []
    release = Release.open(to.models, fixed.release)
    deployed = to.contract
    contract = release.contract().hiding(deployed.private)
    reference = _reference(release, contract, notes)
    found = evidence.read(to.lake, contract, window, fixed.release, deployed.monitor, deployed.batch, to.predictions)
    if found.unreadable:
        notes.append(f"{found.unreadable:,} kept records cannot be read under the contract of the release.")
    if moment(fixed.since) > window.start:
        notes.append(
            f"The release is served since {fixed.since}: it answered only a part of the window, and only its own "
            "predictions are compared."
        )
    return judge(
        to.contract.problem.name,
        to.system,
        fixed,
        to.contract.monitor,
        found,
        reference,
        before,
        notes,
        to.now,
        others(read_pointer(to.models, to.contract.problem.name)[0], found.other_releases, fixed.release),
    )


def _reference(release: Release, contract: Contract, notes: list[str]) -> Reference | None:
    """What a release is compared by; None, and a note, where another version of Andamio sealed it without."""
    try:
        return of_release(release, contract)
    except ReleaseError as error:
        if error.fault != "absent":
            raise
        notes.append(f"There is nothing to compare with: {error}. The next release that is trained brings it along.")
        return None


STEPS: step.Steps[Watch] = {
    "gather": Step(GatherEvent, gather_step),
    "compare": Step(WindowEvent, compare_step),
    "draw": Step(WindowEvent, draw_step),
    "publish": Step(WindowEvent, publish_step),
    "tell": Step(WindowEvent, tell_step),
    "claim": Step(WindowEvent, claim_step),
    "begun": Step(BegunEvent, begun_step),
}
