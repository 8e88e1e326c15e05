"""A challenger on a running system: its share of two thousand requests, no fault of it for a caller, and both ends."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from andamio.release.history import read_history
from andamio.release.pointer import Change, PointerEntry, read_pointer, swap_pointer
from andamio.release.release import MODEL, Release, seal
from andamio.storage import layout
from rollout.challenge import RULE
from tests.support.releases import linear_onnx

from .conftest import COURSE, Clone, Deployed
from .test_verify import NIGHTLY

pytestmark = pytest.mark.e2e

REQUESTS, SHARE = 2000, 0.1
MINUTES = 30  # of the deployed contract, as are the hundred records that decide
SECONDS = 120
UNTIL_JUDGED = 600  # a trial of half an hour is looked at every three minutes


@pytest.fixture
def champion(heart: Deployed) -> Iterator[str]:
    """The champion, which serves again afterwards."""
    models = heart.bucket("models")
    entry = read_pointer(models, "heart")[0].champion
    assert entry is not None
    yield entry.release
    now, etag = read_pointer(models, "heart")
    swap_pointer(models, now.promoted(entry), etag)


def until(true: Callable[[], bool], seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def another(heart: Deployed, champion: str, silent_above: float | None = None) -> Release:
    """A release of another model, which has no answer above an age, if one is given."""
    models = heart.bucket("models")
    release = Release.open(models, champion)
    onnx = linear_onnx(release.contract(), favour=1, silent_above=silent_above)
    files = {name: release.read(name) for name in release.files} | {MODEL: onnx}
    return Release.open(models, seal(models, files, release.info))


def challenge(heart: Deployed, champion: str, since: datetime, silent_above: float | None = None) -> tuple[str, str]:
    """Another model on trial since a moment; its release, and the trial, when the API has loaded it."""
    models, release = heart.bucket("models"), another(heart, champion, silent_above)
    version = release.version
    pointer, etag = read_pointer(models, "heart")
    entry = PointerEntry(version, since.isoformat(timespec="seconds"), release.info["run"])
    change = Change("challenged", entry.since, "the test", "", champion, version, entry.run)
    after = pointer.challenged(entry, "canary", SHARE, change)
    swap_pointer(models, after, etag)

    def loaded() -> bool:
        shown = heart.request("GET", "/version").json()["challenger"]
        return shown is not None and shown["release"] == version and shown["loaded"]

    until(loaded)
    return version, str(after.rollout)


def ask(heart: Deployed, age: int = 67) -> list[str]:
    """Who answered each of two thousand records, each with an id of its own."""
    met = []
    features = COURSE["features"] | {"age": age}
    for first in range(0, REQUESTS, 1000):
        records = [{"features": features, "id": f"trial-{one}"} for one in range(first, first + 1000)]
        reply = heart.request("POST", "/predict/batch", json={"records": records})
        assert reply.status_code == 200, reply.text
        met += [one["model"]["version"] for one in reply.json()["predictions"]]
    return met


def judged(heart: Deployed, rollout: str, records: int = REQUESTS) -> dict[str, object]:
    """What the trial's execution ends with, once so many records are in its evidence."""
    lake = heart.bucket("lake")

    def scored() -> bool:
        parts = [json.loads(lake.get(info.key).body) for info in lake.list(layout.trial_of_challenger(rollout))]
        return sum(sum(part["scored"].values()) for part in parts) >= records

    until(scored)
    arn = heart.account.start(
        heart.outputs["state_machines"]["rollout"], rollout, {"rollout": rollout, "mlflow_run": ""}
    )
    until(lambda: not heart.account.execution(arn).running)
    ended = heart.account.execution(arn)
    assert ended.status == "SUCCEEDED", ended.cause
    return ended.output


def test_a_canary_answers_its_share_and_is_promoted_at_the_end_of_its_minutes(
    heart: Deployed, champion: str, clone: Clone
) -> None:
    challenger, rollout = challenge(heart, champion, datetime.now(UTC) - timedelta(minutes=MINUTES))
    met = ask(heart)
    four_sigmas = 4 * math.sqrt(REQUESTS * SHARE * (1 - SHARE))
    assert abs(met.count(challenger) - REQUESTS * SHARE) < four_sigmas
    assert set(met) == {champion, challenger}
    assert ask(heart) == met, "an id always meets the same model"
    ended = judged(heart, rollout)
    assert ended["status"] == "promoted", ended
    until(lambda: heart.request("GET", "/version").json()["release"] == challenger)
    last = read_history(heart.bucket("models"), "heart")[-1]
    assert (last.kind, last.release, last.before) == ("promoted", challenger, champion)
    assert "the rule of the trial" in clone.ok("history").said


def test_a_challenger_that_raises_is_withdrawn_by_itself_and_no_caller_sees_it(heart: Deployed, champion: str) -> None:
    challenger, rollout = challenge(heart, champion, datetime.now(UTC), silent_above=66)
    for _ in range(3):  # each batch is one fault
        assert set(ask(heart, age=67)) == {champion}
    ended = judged(heart, rollout, 3 * REQUESTS)
    assert ended["status"] == "withdrawn", ended
    pointer, _ = read_pointer(heart.bucket("models"), "heart")
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.challenger) == (champion, None)
    assert [one.release for one in pointer.withdrawn][-1:] == [challenger]


@pytest.mark.timeout(1800)
@pytest.mark.skipif(not NIGHTLY, reason="minutes until a look at the trial: every night, and in `make e2e`")
def test_a_challenger_that_a_person_tries_is_withdrawn_by_the_execution_that_the_command_started(
    heart: Deployed, champion: str, clone: Clone
) -> None:
    models = heart.bucket("models")
    challenger = another(heart, champion, silent_above=65).version
    said = clone.ok("promote", challenger, "--strategy", "canary", "--reason", "it may be better").said
    assert f"Release {challenger} is the challenger now" in said
    rollout = read_pointer(models, "heart")[0].rollout
    for _ in range(3):
        assert set(ask(heart, age=67)) == {champion}, "its faults reach no caller"
    until(lambda: read_pointer(models, "heart")[0].challenger is None, UNTIL_JUDGED)
    until(lambda: all(not one.running for one in heart.executions("rollout")))
    (ended,) = [one for one in heart.executions("rollout") if one.name == rollout]
    assert (ended.status, ended.output["status"]) == ("SUCCEEDED", "withdrawn"), ended.cause
    assert "It had no answer for" in ended.output["reason"]
    pointer, _ = read_pointer(models, "heart")
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.withdrawn[-1].release) == (champion, challenger)
    begun, over = read_history(models, "heart")[-2:]
    assert (begun.kind, begun.release, begun.reason) == ("challenged", challenger, "it may be better")
    assert (over.kind, over.release, over.by) == ("withdrawn", challenger, RULE)
