"""A challenger: one conditional write makes it and ends it, and every change of what serves ends it."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.aws import Execution
from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import show
from andamio.cli.models.challenger import unjudged_rows
from andamio.cli.models.releases import list_releases
from andamio.errors import UsageError
from andamio.release.history import change_pointer, read_history
from andamio.release.pointer import Change, Pointer, PointerEntry, read_pointer
from andamio.storage import layout
from rollout.promote import promote
from rollout.rollback import Rollback, roll_back
from tests.support.racing import race
from tests.support.releases import heart, linear_onnx, seal_release

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def three(objects: MemoryObjects) -> list[str]:
    """Three releases: the one before, the champion, and a challenger."""
    made = [seal_release(objects, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1)]
    made.append(seal_release(objects, heart(), linear_onnx(heart(), favour=0), changed={"decision.json": b"{}"}))
    for minutes, version in enumerate(made[:2]):
        promote(objects, "heart", version, NOW + timedelta(minutes=minutes), by="ada", reason="")
    challenge(objects, made[2])
    return made


def challenge(objects: MemoryObjects, version: str, by: str = "the gate", at: datetime = NOW) -> None:
    pointer, etag = read_pointer(objects, "heart")
    entry = PointerEntry(version, at.isoformat(), "run-2")
    champion = pointer.champion
    change = Change("challenged", at.isoformat(), by, "", champion.release if champion else None, version, "run-2")
    change_pointer(objects, pointer, etag, pointer.challenged(entry, "canary", 0.1, change))


def serving(objects: MemoryObjects) -> tuple[str | None, str | None]:
    pointer, _ = read_pointer(objects, "heart")
    return (
        pointer.champion.release if pointer.champion else None,
        pointer.challenger.release if pointer.challenger else None,
    )


def test_a_challenger_leaves_the_champion_and_the_one_before_as_they_are(
    objects: MemoryObjects, three: list[str]
) -> None:
    pointer, _ = read_pointer(objects, "heart")
    assert serving(objects) == (three[1], three[2])
    assert pointer.previous is not None
    assert (pointer.previous.release, pointer.strategy, pointer.share) == (three[0], "canary", 0.1)
    assert pointer.rollout == f"{three[2]}-3"
    stages = {each.version: each.stage for each in list_releases(objects, "heart")}
    assert stages == dict(zip(three, ("previous", "champion", "challenger"), strict=True))


def test_the_status_shows_the_challenger_beside_the_champion(
    objects: MemoryObjects, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(show, "account_of", lambda _: SimpleNamespace(objects=lambda _: objects))
    rows = dict(show._serving_rows({"buckets": {"models": "models"}, "problem": "heart"}))
    assert three[1] in rows["champion"]
    assert three[2] in rows["challenger"]
    assert "canary, 10% of the records" in rows["challenger"]


@pytest.mark.parametrize(
    ("status", "minutes", "says"),
    [
        ("RUNNING", 60, ""),
        ("PENDING_REDRIVE", 60, ""),
        ("FAILED", 1, "failed"),
        ("ABORTED", 60, "aborted"),
        ("TIMED_OUT", 60, "timed out"),
        (None, 60, "there is none of that name"),
        (None, 5, ""),
    ],
)
def test_the_status_says_where_nothing_judges_a_trial_and_what_to_do(
    objects: MemoryObjects, three: list[str], status: str | None, minutes: int, says: str
) -> None:
    pointer, _ = read_pointer(objects, "heart")
    assert pointer.challenger is not None
    since = datetime.fromisoformat(pointer.challenger.since)
    names = [("another", "RUNNING"), *([(str(pointer.rollout), status)] if status else [])]
    executions = [Execution("arn", name, state, since, None, {}, "") for name, state in names]
    rows = unjudged_rows(pointer, executions, since + timedelta(minutes=minutes))
    said = " ".join(text for _, text in rows)
    assert (says in said) if says else not rows
    if says:
        assert f"andamio promote {three[2]}" in said
        assert "andamio rollback" in said
    assert not unjudged_rows(replace(pointer, challenger=None), executions, since + timedelta(days=1))


def test_without_a_challenger_the_pointer_has_the_fields_that_it_always_had(objects: MemoryObjects) -> None:
    version = seal_release(objects, heart(), linear_onnx(heart()))
    promote(objects, "heart", version, NOW, by="ada", reason="")
    stored = json.loads(objects.get(layout.pointer("heart")).body)
    assert "strategy" not in stored
    assert Pointer("heart").rollout is None


def test_a_promoted_challenger_is_champion_and_the_champion_the_one_before(
    objects: MemoryObjects, three: list[str]
) -> None:
    assert promote(objects, "heart", three[2], LATER, by="ada", reason="sure")
    pointer, _ = read_pointer(objects, "heart")
    assert serving(objects) == (three[2], None)
    assert (pointer.strategy, pointer.share, pointer.rollout) == (None, 0.0, None)
    assert pointer.previous is not None
    assert pointer.previous.release == three[1]


def test_a_rollback_withdraws_the_challenger_and_the_same_command_again_nothing_else(
    objects: MemoryObjects, three: list[str]
) -> None:
    withdrawn = Rollback(withdrawn=three[2], serves=three[1], challenger=True)
    assert roll_back(objects, "heart", LATER, by="ada", reason="odd") == withdrawn
    assert serving(objects) == (three[1], None)
    again = roll_back(objects, "heart", LATER, by="ada", reason="odd")
    assert again == Rollback(withdrawn=three[2], serves=three[1], again=True, challenger=True)
    with pytest.raises(UsageError, match="was withdrawn at"):
        promote(objects, "heart", three[2], LATER, by="ada", reason="")
    last = read_history(objects, "heart")[-1]
    assert (last.kind, last.release, last.before, last.reason) == ("withdrawn", three[2], three[1], "odd")


def test_a_rollback_to_a_named_release_ends_the_trial_too(objects: MemoryObjects, three: list[str]) -> None:
    with pytest.raises(UsageError, match=f"is the challenger. To withdraw it: .*andamio promote {three[2]}"):
        roll_back(objects, "heart", LATER, by="ada", reason="", version=three[2])
    assert roll_back(objects, "heart", LATER, by="ada", reason="", version=three[0]) == Rollback(three[1], three[0])
    assert serving(objects) == (three[0], None)


@pytest.mark.parametrize("way", ["promote", "rollback"])
def test_to_name_the_champion_withdraws_its_challenger(objects: MemoryObjects, three: list[str], way: str) -> None:
    if way == "promote":
        assert promote(objects, "heart", three[1], LATER, by="ada", reason="it is better")
    else:
        assert roll_back(objects, "heart", LATER, by="ada", reason="it is better", version=three[1])
    pointer, _ = read_pointer(objects, "heart")
    assert serving(objects) == (three[1], None)
    assert [one.release for one in pointer.withdrawn] == [three[2]]


def test_fifty_racing_changes_of_all_kinds_leave_one_history_without_holes(
    objects: MemoryObjects, three: list[str]
) -> None:
    def change(seen: Any, chance: random.Random, number: int) -> bool:
        now, version = NOW + timedelta(days=1, seconds=chance.randrange(60)), chance.choice(three)
        kind = chance.choice(("challenge", "promote", "rollback"))
        if kind == "challenge":
            challenge(seen, version, f"c{number}", now)
            return True
        if kind == "promote":
            return promote(seen, "heart", version, now, by=f"p{number}", reason="", force=True)
        found = roll_back(seen, "heart", now, by=f"r{number}", reason="", version=version, force=True)
        return found is not None and not found.again

    refused = race(objects, layout.pointer("heart"), change)
    records = read_history(objects, "heart")
    pointer, _ = read_pointer(objects, "heart")
    assert refused, "they did race"
    assert pointer.revision == 3 + 50
    assert sorted(each.revision or 0 for each in records) == list(range(1, pointer.revision + 1))
    champion, challenger = None, None
    for record in sorted(records, key=lambda record: record.revision or 0):
        assert record.before == champion, record
        if record.kind == "challenged":
            challenger = record.release
        elif record.kind == "withdrawn":
            assert record.release == challenger
            challenger = None
        else:
            champion, challenger = record.release, None
    assert serving(objects) == (champion, challenger)
