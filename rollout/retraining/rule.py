"""The rule of retraining: a function of values that says whether a training starts, or what is missing for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from andamio.contract.tables import Monitor
from monitoring.report import Report, Retraining
from monitoring.window import iso, moment
from rollout.retraining.lock import Start, Starts

NEW_RECORDS = 50
"""Labelled records that the current data version does not have; with fewer, nothing new could be learned."""
OF_A_CLASS = 10
"""At least two classes need so many of them."""
CONTRADICTING_SHARE = 0.2
CONTRADICTING = 10
"""From both on, labels contradict those of equal rows too often."""
WEEK = timedelta(days=7)
_FEATURES_SHOWN = 3

LEFT_OUT = {
    "private": "are left out, because private features are not captured",
    "incomplete": "are left out, because the [problem] group of a record is not captured",
    "contract": "are left out, because their release had other features or another prepare.py",
    "release": "are left out, because their release is not there any more",
    "raw row": "are left out, because a raw row has their [problem] id and counts instead",
    "etl": "are left out, because ETL left them out of the current data version: its rejects say why, or prepare.py "
    "keeps the raw row of their [problem] id out",
    "not kept": "have no record: it was not captured, or not kept ([monitor] capture, sample)",
}
"""Why a label is of no use here, in words that go on after how many there are."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What was counted of the records with labels.

    `records` may be trained on; `new` of them are not in the current data version, by class in `classes`. `equal` ones
    equal a row of it, of which `contradicting` have a label that no such row has. `left_out` counts labels by the
    reason of `LEFT_OUT`.
    """

    records: int = 0
    new: int = 0
    classes: Mapping[str, int] = field(default_factory=dict)
    equal: int = 0
    contradicting: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)


def reason(report: Report) -> str | None:
    """Why the model of a report wants to be trained again; None where nothing says so."""
    why = []
    if "performance" in report.alarms and report.performance is not None:
        measured = report.performance.weighted or report.performance.plain
        by = "" if measured is None else f" ({report.performance.metric} on {report.performance.labelled} labels)"
        why.append(f"the model has become worse{by}")
    if report.persistence.persistent:
        windows, drifted = report.persistence.windows, len(report.persistence.with_drift)
        seen = "drift in this window" if windows == 1 else f"drift in {drifted} of the last {windows} windows"
        moved = [] if report.data is None else report.data.drifted[:_FEATURES_SHOWN]
        why.append(f"{seen} ({', '.join(moved)} moved most)" if moved else seen)
    return " and ".join(why) or None


def decide(
    report: Report, labelled: Labelled | None, starts: Starts, settings: Monitor, longest: timedelta, now: datetime
) -> Retraining:
    """Whether a training starts for this report, or else why not.

    `labelled` is None where it was not asked for, since nothing wants a training; `longest` is how long one may take.
    """
    why = reason(report)
    unfinished = starts.unfinished(now)
    if unfinished is not None:
        return Retraining(
            status="start",
            message=f"Retraining starts: that of the window {unfinished.window} was cut off before it began.",
            reason=unfinished.reason,
        )
    if why is None or labelled is None:
        return Retraining(status="not-needed", message="Nothing asks for a retraining.", reason=None)
    counted = Retraining(
        status="start",
        message=f"Retraining starts, because of {why}: {labelled.new:,} labelled records are new.",
        reason=why,
        records=labelled.records,
        new=labelled.new,
        classes=dict(labelled.classes),
        equal=labelled.equal,
        contradicting=labelled.contradicting,
        left_out=dict(labelled.left_out),
    )
    lacking = missing(report, labelled)
    if lacking:
        said = f"No retraining, although there is {why}: {' '.join(lacking)}"
        return counted.model_copy(update={"status": "missing", "message": said, "missing": lacking})
    held = waiting(starts, report, settings, longest, now)
    if held is not None:
        return counted.model_copy(update={"status": "waiting", "message": f"No retraining now: {held}"})
    return counted


def missing(report: Report, labelled: Labelled) -> list[str]:
    """What a training lacks to be of use, a sentence each, with what to do."""
    found = []
    if labelled.new < NEW_RECORDS:
        found.append(
            f"{labelled.new:,} labelled records are new, and {NEW_RECORDS} are needed: send labels (andamio feedback "
            "FILE, POST /feedback), or put labelled rows under raw/ (andamio ingest FILE)."
        )
    elif labelled.classes and sum(count >= OF_A_CLASS for count in labelled.classes.values()) < 2:
        counts = ", ".join(f"'{key}': {count:,}" for key, count in labelled.classes.items())
        found.append(
            f"The new labels are {counts}, and two classes need {OF_A_CLASS} each: label records of the other classes."
        )
    found += [
        f"{count:,} labels {LEFT_OUT[why]}{_instead(why)}."
        for why, count in labelled.left_out.items()
        if found and count
    ]
    if report.performance is not None and report.performance.coverage.status == "uneven":
        found.append(
            "Labels come far more often for some scores than for others, so that a model would learn who is labelled: "
            "label records at random ([monitor] audit_share)."
        )
    if labelled.contradicting >= CONTRADICTING and labelled.contradicting > CONTRADICTING_SHARE * labelled.equal:
        found.append(
            f"{labelled.contradicting:,} of {labelled.equal:,} labels contradict those of equal rows in the data: look "
            "whether the sender means the same by the label; then correct the labels, or the raw rows."
        )
    return found


def _instead(why: str) -> str:
    """What to do about labels that are left out."""
    match why:
        case "not kept":
            return ""
        case "raw row":
            return "; where the label is another one now, correct the raw row (andamio ingest FILE)"
        case "etl":
            return "; correct the contract or the data, and ingest anew"
        case _:
            return "; andamio ingest FILE takes such rows with all columns"


def waiting(starts: Starts, report: Report, settings: Monitor, longest: timedelta, now: datetime) -> str | None:
    """What keeps a training back, and until when: lock, cool-down or weekly budget; None where nothing does."""
    last = starts.last
    if last is None or last.window == report.window.end:
        return None
    if last.started is None:
        return f"the watch is about to start one for the window {last.window}."
    since = moment(last.since)
    cool = since + timedelta(hours=settings.cooldown_hours)
    if now < cool:
        return f"one started at {last.since}, and the cool-down ends at {iso(cool)} ([monitor] cooldown_hours)."
    if last.release == report.model.release and now < since + longest:
        return f"the one that started at {last.since} may be running still, until {iso(since + longest)}."
    week = [start for start in starts.starts if moment(start.since) > now - WEEK]
    if len(week) >= settings.retrain_per_week:
        free = iso(moment(week[-settings.retrain_per_week].since) + WEEK)
        return (
            f"{_times(week)} in seven days, and [monitor] retrain_per_week is {settings.retrain_per_week}. The next "
            f"one is possible from {free} on; andamio train starts one at once."
        )
    return None


def _times(starts: Sequence[Start]) -> str:
    return "it was started once" if len(starts) == 1 else f"it was started {len(starts)} times"
