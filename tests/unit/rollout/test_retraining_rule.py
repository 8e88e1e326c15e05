"""When the watch starts a training, and what it says where it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.contract.tables import Monitor
from monitoring.report import Persistence, Report, Retraining
from monitoring.window import iso
from rollout.retraining.lock import GRACE, Start, Starts
from rollout.retraining.rule import CONTRADICTING, LEFT_OUT, NEW_RECORDS, Labelled, decide, reason

NOW = datetime(2026, 11, 27, 18, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LONGEST = timedelta(hours=6)
ENOUGH = Labelled(records=60, new=60, classes={"0": 40, "1": 20})


def report(*, persistent: bool = True, alarms: tuple[str, ...] = ("drift",), coverage: str = "ok") -> Report:
    """A report of a window that ends now, as far as the rule reads it."""
    window = {"start": iso(NOW - DAY), "end": iso(NOW), "hours": 24}
    performance: Any = {"metric": "roc_auc", "labelled": 60, "weighted": None, "plain": object()}
    made = Report.model_construct(
        window=_construct(**window),
        model=_construct(release="r1", since=iso(NOW - 30 * DAY), run="run"),
        alarms=list(alarms),
        persistence=Persistence(
            windows=3,
            needed=2,
            looked_at=[],
            with_drift=[iso(NOW), iso(NOW - DAY)] if persistent else [],
            persistent=persistent,
        ),
        data=_construct(drifted=["ca", "thal", "slope", "chol"]),
        performance=_construct(**performance, coverage=_construct(status=coverage)),
    )
    return made


def _construct(**fields: Any) -> Any:
    return type("Part", (), fields)()


def start(before: timedelta, *, release: str = "r1", begun: bool = True) -> Start:
    """A training that was started so long ago."""
    at = iso(NOW - before)
    return Start(
        release=release, window=at, execution=f"retrain-{release}-{at}", reason="drift", since=at,
        started=at if begun else None,
    )  # fmt: skip


def decided(labelled: Labelled | None = ENOUGH, *starts: Start, **said: Any) -> Retraining:
    settings = Monitor(
        retrain=True, **{key: said.pop(key) for key in ("cooldown_hours", "retrain_per_week") if key in said}
    )
    return decide(report(**said), labelled, Starts(starts=list(starts)), settings, LONGEST, NOW)


def test_persistent_drift_with_labels_starts_a_training_and_says_why() -> None:
    found = decided()
    assert found.status == "start"
    assert found.reason == "drift in 2 of the last 3 windows (ca, thal, slope moved most)"
    assert "60 labelled records are new" in found.message


def test_a_worse_model_starts_one_without_drift() -> None:
    found = decided(persistent=False, alarms=("performance",))
    assert found.status == "start"
    assert found.reason == "the model has become worse (roc_auc on 60 labels)"


def test_drift_of_one_window_asks_for_nothing() -> None:
    assert reason(report(persistent=False)) is None
    assert decided(None, persistent=False).status == "not-needed"


@pytest.mark.parametrize(
    ("labelled", "coverage", "said"),
    [
        (Labelled(new=NEW_RECORDS - 1, classes={"0": 30, "1": 19}), "ok", "49 labelled records are new, and 50 are"),
        (Labelled(new=60, classes={"0": 51, "1": 9}), "ok", "two classes need 10 each: label records of the other"),
        (ENOUGH, "uneven", "Labels come far more often for some scores"),
        (
            Labelled(records=60, new=60, classes={"0": 40, "1": 20}, equal=40, contradicting=CONTRADICTING),
            "ok",
            "10 of 40 labels contradict those of equal rows",
        ),
        (
            Labelled(classes={"0": 0, "1": 0}, left_out={"private": 70}),
            "ok",
            "70 labels are left out, because private features are not captured; andamio ingest FILE takes",
        ),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(labelled: Labelled, coverage: str, said: str) -> None:
    found = decided(labelled, coverage=coverage)
    assert found.status == "missing"
    assert said in " ".join(found.missing)
    assert found.message.startswith("No retraining, although there is drift in 2 of")


def test_some_contradictions_are_no_reason_to_wait() -> None:
    few = Labelled(records=60, new=60, classes={"0": 40, "1": 20}, equal=5, contradicting=5)
    shared = Labelled(records=99, new=60, classes={"0": 40, "1": 20}, equal=50, contradicting=CONTRADICTING)
    assert decided(few).status == decided(shared).status == "start"


def test_the_cool_down_ends_to_the_second() -> None:
    assert "the cool-down ends at 2026-11-27T18:00:01Z" in decided(ENOUGH, start(DAY - timedelta(seconds=1))).message
    assert decided(ENOUGH, start(DAY)).status == "start"


def test_one_at_a_time_as_long_as_the_same_release_serves() -> None:
    assert "may be running still" in decided(ENOUGH, start(2 * HOUR), cooldown_hours=1).message
    assert decided(ENOUGH, start(2 * HOUR, release="r0"), cooldown_hours=1).status == "start"
    assert decided(ENOUGH, start(LONGEST), cooldown_hours=1).status == "start"


def test_the_weekly_budget_says_when_the_next_one_is_possible() -> None:
    found = decided(ENOUGH, start(6 * DAY), start(3 * DAY))
    assert found.status == "waiting"
    assert "started 2 times in seven days" in found.message
    assert f"possible from {iso(NOW + DAY)} on" in found.message
    assert decided(ENOUGH, start(7 * DAY), start(3 * DAY)).status == "start"


def test_a_start_that_was_cut_off_is_finished_whatever_the_window_says() -> None:
    waiting = decided(ENOUGH, start(GRACE - timedelta(seconds=1), begun=False))
    assert waiting.status == "waiting"
    found = decided(None, start(GRACE, begun=False), persistent=False)
    assert (found.status, found.reason) == ("start", "drift")


def test_every_reason_to_leave_a_label_out_has_words() -> None:
    for why in LEFT_OUT:
        assert f"3 labels {LEFT_OUT[why]}" in decided(Labelled(left_out={why: 3})).message
