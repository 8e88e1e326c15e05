"""`andamio rollback`: one write takes a release out of service, and the history has no holes, whoever is in between."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models.releases import list_releases
from andamio.errors import DocumentError, PreconditionFailed, ReleaseError, UsageError
from andamio.release.history import change_pointer, read_history
from andamio.release.pointer import Pointer, read_pointer
from andamio.storage import layout
from rollout.promote import promote
from rollout.rollback import Rollback, roll_back
from tests.support.racing import race
from tests.support.releases import heart, linear_onnx, seal_release

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


@pytest.fixture
def two(objects: MemoryObjects) -> tuple[str, str]:
    """Two releases, promoted one after the other."""
    first, second = (seal_release(objects, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1))
    for minutes, version in enumerate((first, second)):
        promote(objects, "heart", version, NOW + timedelta(minutes=minutes), by="ada", reason=f"promotion {minutes}")
    return first, second


def back(objects: MemoryObjects, version: str | None = None, *, force: bool = False) -> Rollback | None:
    later = NOW + timedelta(hours=1)
    return roll_back(objects, "heart", later, by="ada", reason="it is wrong", version=version, force=force)


def test_the_release_before_serves_again_and_the_champion_is_withdrawn(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    first, second = two
    assert back(objects) == Rollback(withdrawn=second, serves=first)
    pointer, _ = read_pointer(objects, "heart")
    assert pointer.champion is not None
    assert (pointer.champion.release, pointer.champion.since) == (first, "2026-11-27T10:00:00+00:00")
    assert (pointer.previous, pointer.revision) == (None, 3)
    assert [(one.release, one.reason) for one in pointer.withdrawn] == [(second, "it is wrong")]
    assert {each.version: each.stage for each in list_releases(objects, "heart")} == {
        first: "champion",
        second: "withdrawn",
    }


def test_there_is_no_way_back_from_a_rollback_but_by_name_and_force(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    first, second = two
    back(objects)
    assert back(objects) == Rollback(withdrawn=second, serves=first, again=True), "the same command, cut off before"
    assert read_pointer(objects, "heart")[0].revision == 3
    with pytest.raises(UsageError, match=r"was withdrawn at .* \(it is wrong\).*--force"):
        back(objects, second)
    assert back(objects, first) is None, "it serves already"
    assert back(objects, second, force=True) == Rollback(withdrawn=first, serves=second)
    pointer, _ = read_pointer(objects, "heart")
    assert [one.release for one in pointer.withdrawn] == [first]


def test_with_one_release_there_is_nothing_to_go_back_to(objects: MemoryObjects) -> None:
    only = seal_release(objects, heart(), linear_onnx(heart()))
    promote(objects, "heart", only, NOW, by="ada", reason="the first")
    with pytest.raises(UsageError, match=f"no release served before {only}.* Name the one"):
        back(objects)


def test_another_release_of_the_withdrawn_model_is_refused_too_and_forced_it_is_withdrawn_no_longer(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    _, second = two
    back(objects)
    decided_again = {"decision.json": b'{"reason": "decided again"}'}
    same = seal_release(objects, heart(), linear_onnx(heart(), favour=1), changed=decided_again)
    assert same != second
    with pytest.raises(UsageError, match=f"whose model was served as release {second}, was withdrawn"):
        promote(objects, "heart", same, NOW, by="ada", reason="")
    assert promote(objects, "heart", same, NOW, by="ada", reason="", force=True)
    assert read_pointer(objects, "heart")[0].withdrawn == ()


def test_a_swap_whose_answer_was_lost_counts_as_done(
    objects: MemoryObjects, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put = MemoryObjects.put

    def answer_lost(self: MemoryObjects, key: str, body: bytes, **said: object) -> str:
        put(self, key, body, **said)  # type: ignore[arg-type]
        raise PreconditionFailed("the client tried again, and found its own write")

    monkeypatch.setattr(MemoryObjects, "put", answer_lost)
    assert back(objects) == Rollback(withdrawn=two[1], serves=two[0])
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 3]


def test_a_slow_clock_does_not_turn_the_history_around(objects: MemoryObjects, two: tuple[str, str]) -> None:
    slow = NOW - timedelta(minutes=5)
    roll_back(objects, "heart", slow, by="ada", reason="it is wrong")
    promote(objects, "heart", two[1], NOW + timedelta(hours=1), by="ada", reason="again", force=True)
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 3, 4]


def test_before_the_first_model_nothing_can_be_rolled_back(objects: MemoryObjects) -> None:
    with pytest.raises(UsageError, match="no model of 'heart' serves yet"):
        back(objects)


def test_what_is_damaged_is_not_gone_back_to_and_is_gone_back_from(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    first, second = two
    objects.put(layout.release(second, "manifest.json"), b"damaged")
    whole = objects.get(layout.release(first, "model.onnx")).body
    objects.put(layout.release(first, "model.onnx"), b"damaged")
    with pytest.raises(ReleaseError, match=r"Not rolled back.*model.onnx was changed"):
        back(objects)
    objects.put(layout.release(first, "model.onnx"), whole)
    assert back(objects) == Rollback(withdrawn=second, serves=first)
    pointer, _ = read_pointer(objects, "heart")
    assert pointer.withdrawal_of(identity="") is None, "a model without an identity is not every model"


def test_the_history_tells_what_happened_to_whom_and_why(objects: MemoryObjects, two: tuple[str, str]) -> None:
    first, second = two
    back(objects)
    told = [
        (each.kind, each.revision, each.before, each.release, each.reason) for each in read_history(objects, "heart")
    ]
    assert told == [
        ("promoted", 1, None, first, "promotion 0"),
        ("promoted", 2, first, second, "promotion 1"),
        ("rolled_back", 3, second, first, "it is wrong"),
    ]


def test_a_change_whose_record_was_not_written_any_more_is_in_the_history_and_written_by_the_next(
    objects: MemoryObjects, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, second = two

    def died(*_: object, **__: object) -> bool:
        raise ConnectionError("killed after the pointer was swapped")

    put_new = MemoryObjects.put_new
    keys = {item.key for item in objects.list(layout.DECISIONS)}

    def dies_at_the_new_record(self: MemoryObjects, key: str, body: bytes, **said: str) -> bool:
        return put_new(self, key, body, **said) if key in keys or not key.startswith(layout.DECISIONS) else died()

    monkeypatch.setattr(MemoryObjects, "put_new", dies_at_the_new_record)
    with pytest.raises(ConnectionError):
        back(objects)
    monkeypatch.undo()
    assert len(list(objects.list(layout.DECISIONS))) == 2, "the third record is missing"
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 3]
    back(objects, second, force=True)
    assert len(list(objects.list(layout.DECISIONS))) == 4, "and the next change has written both"
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 3, 4]


def test_a_pointer_that_was_deleted_to_start_over_goes_on_in_the_same_history(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    objects.delete(layout.pointer("heart"))
    promote(objects, "heart", two[1], NOW + timedelta(hours=2), by="ada", reason="from the start")
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 1]


def test_a_record_that_somebody_changed_is_named(objects: MemoryObjects, two: tuple[str, str]) -> None:
    key = next(item.key for item in objects.list(layout.DECISIONS))
    objects.put(key, b'{"kind": "promoted"}')
    with pytest.raises(DocumentError, match=key):
        read_history(objects, "heart")


def test_fifty_racing_promotions_and_rollbacks_leave_one_history_without_holes(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    def change(seen: Any, chance: random.Random, number: int) -> bool:
        now, version = NOW + timedelta(days=1, seconds=chance.randrange(60)), chance.choice(two)
        if chance.random() < 0.5:
            return promote(seen, "heart", version, now, by=f"p{number}", reason="", force=True)
        return bool(roll_back(seen, "heart", now, by=f"r{number}", reason="", version=version, force=True))

    refused = race(objects, layout.pointer("heart"), change)
    records = sorted(read_history(objects, "heart"), key=lambda record: record.revision or 0)
    assert refused, "they did race"
    assert all("at the same moment" in said for said in refused)
    assert [each.revision for each in records] == list(range(1, 2 + 50 + 1))
    assert all(after.before == before.release for before, after in pairwise(records))
    pointer, _ = read_pointer(objects, "heart")
    assert pointer.champion is not None
    assert pointer.champion.release == records[-1].release
    assert pointer.champion.release not in {one.release for one in pointer.withdrawn}


def test_of_two_changes_of_one_state_one_is_refused_and_leaves_no_record(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    pointer, etag = read_pointer(objects, "heart")
    assert pointer.change is not None
    stale = replace(pointer, revision=99, change=replace(pointer.change, reason="too late"))
    back(objects)
    with pytest.raises(PreconditionFailed):
        change_pointer(objects, pointer, etag, stale)
    assert [each.revision for each in read_history(objects, "heart")] == [1, 2, 3]


def test_a_pointer_of_an_older_version_is_read_and_changed(objects: MemoryObjects, two: tuple[str, str]) -> None:
    first, _ = two
    body = (
        b'{"problem": "heart", "revision": 7, "champion": {"release": "%s", "since": "2026-01-01", "run": "r"}, '
        b'"challenger": null, "share": 0.0, "previous": null, "format_number": 1}'
    ) % first.encode()
    objects.put(layout.pointer("heart"), body)
    pointer, _ = read_pointer(objects, "heart")
    assert pointer == Pointer("heart", 7, champion=pointer.champion)
    promote(objects, "heart", two[1], NOW + timedelta(days=2), by="ada", reason="")
    assert read_history(objects, "heart")[-1].revision == 8
