"""`andamio promote --strategy`: a release is tried beside the champion by hand, or it is said why it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from andamio.errors import PreconditionFailed, ReleaseError, UsageError
from andamio.release.history import read_history
from andamio.release.pointer import Pointer, Strategy, read_pointer
from andamio.storage import layout
from rollout.challenger import challenge
from rollout.promote import promote
from rollout.rollback import roll_back
from tests.support.releases import heart, linear_onnx, seal_release
from tests.support.releases import promote as promote_unseen

NOW = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)


@pytest.fixture
def two(objects: MemoryObjects) -> tuple[str, str]:
    """A champion, and a release that never served."""
    champion, other = (seal_release(objects, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1))
    promote(objects, "heart", champion, NOW, by="ada", reason="the first")
    return champion, other


def tried(
    objects: MemoryObjects, version: str, strategy: Strategy = "canary", at: datetime = LATER, *, force: bool = False
) -> Pointer:
    return challenge(objects, "heart", version, at, by="ada", reason="to see it", strategy=strategy, force=force)


def test_a_release_that_never_served_is_tried_and_the_history_says_who_and_why(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    champion, other = two
    pointer = tried(objects, other)
    assert pointer == read_pointer(objects, "heart")[0]
    assert pointer.champion is not None
    assert pointer.challenger is not None
    assert (pointer.champion.release, pointer.challenger.release) == (champion, other)
    assert (pointer.strategy, pointer.share, pointer.rollout) == ("canary", heart().release.share, f"{other}-2")
    last = read_history(objects, "heart")[-1]
    assert (last.kind, last.release, last.before) == ("challenged", other, champion)
    assert (last.by, last.reason) == ("ada", "to see it")
    assert promote(objects, "heart", other, LATER, by="ada", reason="it is right"), "a person may end its trial"


def test_a_shadow_answers_no_share(objects: MemoryObjects, two: tuple[str, str]) -> None:
    pointer = tried(objects, two[1], "shadow")
    assert (pointer.strategy, pointer.share) == ("shadow", 0.0)


def test_the_same_call_once_more_is_the_same_trial_and_another_strategy_is_another(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    first = tried(objects, two[1])
    assert tried(objects, two[1], at=LATER + timedelta(minutes=1)) == first
    assert tried(objects, two[1], "shadow").rollout != first.rollout


def test_a_call_that_was_cut_off_before_its_record_is_completed_by_the_same_one(
    objects: MemoryObjects, two: tuple[str, str]
) -> None:
    tried(objects, two[1])
    (record,) = [info.key for info in objects.list(layout.DECISIONS) if "challenged" in info.key]
    objects.delete(record)
    tried(objects, two[1], at=LATER + timedelta(minutes=1))
    assert objects.head(record)


def test_the_champion_is_not_tried_against_itself(objects: MemoryObjects, two: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="is champion already"):
        tried(objects, two[0])


def test_what_was_withdrawn_is_tried_only_by_force(objects: MemoryObjects, two: tuple[str, str]) -> None:
    _, other = two
    promote(objects, "heart", other, NOW, by="ada", reason="")
    roll_back(objects, "heart", NOW, by="ada", reason="it is wrong")
    with pytest.raises(UsageError, match=r"it is wrong.*--force"):
        tried(objects, other)
    assert tried(objects, other, force=True).rollout is not None


def test_a_release_that_is_not_intact_is_not_tried(objects: MemoryObjects, two: tuple[str, str]) -> None:
    objects.put(layout.release(two[1], "model.onnx"), b"damaged")
    with pytest.raises(ReleaseError, match="Not tried"):
        tried(objects, two[1])
    assert read_pointer(objects, "heart")[0].challenger is None


def test_without_a_champion_that_answers_nothing_is_tried_and_it_is_said_what_to_do(
    objects: MemoryObjects,
) -> None:
    first, other = (seal_release(objects, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1))
    with pytest.raises(UsageError, match=f"no model serves .*andamio promote {other}"):
        tried(objects, other)
    promote(objects, "heart", first, NOW, by="ada", reason="")
    objects.put(layout.release(first, "model.onnx"), b"damaged")
    with pytest.raises(UsageError, match=f"cannot answer .*andamio promote {other}"):
        tried(objects, other)


@pytest.mark.parametrize(
    ("changed", "said"),
    [({"prepare": "0" * 64}, "another prepare.py"), ({"labels": ("0", "2")}, "their answers cannot be compared")],
)
def test_models_of_other_records_or_answers_are_not_tried_against_each_other(
    objects: MemoryObjects, changed: dict[str, Any], said: str
) -> None:
    data = heart().model_dump(mode="json", exclude_defaults=True)
    if "prepare" in changed:
        data["prepare"] = changed["prepare"]
        data["features"]["oldpeak_squared"] = {"type": "number", "derived": True}
    else:
        labels = data["problem"]["labels"]
        data["problem"] |= {"labels": {"0": labels["0"], "2": labels["1"]}, "positive": "2"}
    champion, other = (
        seal_release(objects, contract, linear_onnx(heart())) for contract in (Contract.model_validate(data), heart())
    )
    promote_unseen(objects, "heart", champion)
    with pytest.raises(UsageError, match=said):
        tried(objects, other)


def test_of_two_changes_at_once_one_is_told(
    objects: MemoryObjects, two: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_was_faster(*_: object) -> None:
        raise PreconditionFailed("serving/heart.json")

    monkeypatch.setattr("rollout.promote.change_pointer", somebody_was_faster)
    with pytest.raises(UsageError, match="at the same moment"):
        tried(objects, two[1])
    assert read_pointer(objects, "heart")[0].challenger is None
