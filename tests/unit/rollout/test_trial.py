"""A look at a trial reads what captures kept, asks the rule, and ends the trial once, whoever else does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio import feedback
from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.contract import Contract
from andamio.errors import PreconditionFailed
from andamio.feedback import Statement
from andamio.release.history import read_history
from andamio.release.pointer import read_pointer
from andamio.storage import layout
from monitoring.delivery import read, store
from rollout.evidence import gather
from rollout.rollback import Rollback, roll_back
from rollout.trial import look, withdraw_by_alarm
from tests.support.capture import delivery, identity, prediction
from tests.support.releases import challenge, heart, linear_onnx, promote, seal_release

SINCE = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
END = SINCE + timedelta(minutes=30)


class Trial:
    """A champion, a challenger, and what the API logs of them."""

    def __init__(self, strategy: Any = "canary") -> None:
        self.lake, self.models, self.table = MemoryObjects("lake"), MemoryObjects("models"), MemoryPredictionStore()
        self.contract: Contract = heart()
        versions = [seal_release(self.models, heart(), linear_onnx(heart(), favour=favour)) for favour in (0, 1)]
        self.champion, self.challenger = versions
        promote(self.models, "heart", self.champion)
        self.rollout = challenge(self.models, "heart", self.challenger, strategy, since=SINCE.isoformat())

    def say(self, lines: Sequence[dict[str, Any]], contract: Contract | None = None) -> None:
        with_contract = contract or self.contract
        store(read(delivery(lines), with_contract), with_contract, self.lake, self.table)

    def line(self, number: int, variant: str, label: str = "1", ms: float = 0.2) -> dict[str, Any]:
        version = self.challenger if variant == "challenger" else self.champion
        said = {"variant": variant, "rollout": self.rollout, "model_ms": ms, "label": label}
        return prediction(number, at=SINCE + timedelta(seconds=number), release=version, **said)

    def shadow(self, number: int, label: str, champion: str = "1") -> dict[str, Any]:
        line = self.line(number, "shadow", label) | {"event": "andamio.shadow"}
        return line | {"champion": {"label": champion, "probabilities": {}}}

    def fault(self, code: str = "no-answer", records: int = 1) -> dict[str, Any]:
        return {
            "event": "andamio.challenger.failed",
            "time": SINCE.isoformat(),
            "rollout": self.rollout,
            "variant": "challenger",
            "code": code,
            "records": records,
        }

    def look(self, now: datetime = END) -> str:
        return look(self.lake, self.models, self.contract, self.rollout, now).status

    def serving(self) -> tuple[str, str | None]:
        pointer, _ = read_pointer(self.models, "heart")
        assert pointer.champion is not None
        return pointer.champion.release, pointer.challenger.release if pointer.challenger else None


@pytest.fixture
def trial() -> Trial:
    return Trial()


def answers(trial: Trial, count: int = 1000, **more: Any) -> list[dict[str, Any]]:
    return [trial.line(one, "champion" if one % 10 else "challenger", **more) for one in range(count)]


def test_what_was_logged_is_added_up_and_a_delivery_that_comes_twice_counts_once(trial: Trial) -> None:
    for _ in range(2):
        trial.say(answers(trial))
        trial.say([trial.fault(), trial.fault("record-refused", 3)])
    found = gather(trial.lake, trial.rollout, SINCE, END)
    assert (found.champion_scored, found.challenger_scored, found.faults, found.failed) == (900, 100, 2, 4)
    assert found.champion_ms == pytest.approx(0.2, rel=0.1)
    assert (found.champion_labelled, found.challenger_labelled) == (0, 0)


def test_labels_are_joined_by_prediction_and_by_record(trial: Trial) -> None:
    trial.say(answers(trial, 20))
    said = [Statement(identity(10), None, "0"), Statement(None, "patient-11", "1"), Statement(None, "patient-99", "1")]
    feedback.keep(trial.lake, said, SINCE + timedelta(minutes=1), trial.champion)
    found = gather(trial.lake, trial.rollout, SINCE, END)
    assert (found.champion_labelled, found.champion_right) == (1, 1)
    assert (found.challenger_labelled, found.challenger_right) == (1, 0)


def test_pairs_of_a_shadow_are_counted_whichever_delivery_they_come_with() -> None:
    trial = Trial("shadow")
    trial.say([trial.line(0, "champion"), trial.shadow(0, "0"), trial.line(1, "champion")])
    trial.say([trial.shadow(1, "1")])
    said = [Statement(identity(number), None, "1") for number in (0, 1)]
    feedback.keep(trial.lake, said, SINCE + timedelta(minutes=1), trial.champion)
    found = gather(trial.lake, trial.rollout, SINCE, END)
    assert (found.champion_scored, found.challenger_scored, found.pairs, found.disagreed) == (2, 2, 2, 1)
    assert (found.champion_right, found.challenger_right, found.only_champion, found.only_challenger) == (2, 1, 1, 0)


def test_a_shadow_is_no_second_prediction() -> None:
    trial = Trial("shadow")
    trial.say([trial.line(0, "champion"), trial.shadow(0, "0")])
    assert [item["label"] for item in trial.table.of_record("patient-0", limit=9)] == ["1"]
    captured = [info.key for info in trial.lake.list(layout.CAPTURES)]
    assert len(captured) == 1


def test_where_nothing_is_captured_a_trial_is_judged_without_any_id(trial: Trial) -> None:
    none = heart().model_copy(update={"monitor": heart().monitor.model_copy(update={"capture": "none"})})
    trial.say(answers(trial), none)
    (part,) = [trial.lake.get(info.key).body for info in trial.lake.list("")]
    assert identity(1).encode() not in part
    assert b"patient" not in part
    assert trial.look() == "promoted"


def test_a_good_challenger_is_promoted_at_the_end_of_its_minutes_and_not_before(trial: Trial) -> None:
    trial.say(answers(trial))
    assert trial.look(END - timedelta(seconds=1)) == "wait"
    assert trial.serving() == (trial.champion, trial.challenger)
    assert trial.look() == "promoted"
    assert trial.serving() == (trial.challenger, None)
    last = read_history(trial.models, "heart")[-1]
    assert (last.kind, last.by, last.before) == ("promoted", "the rule of the trial", trial.champion)
    assert last.numbers["challenger_scored"] == 100
    assert trial.look() == "promoted", "the same look, cut off after its write"
    assert len(read_history(trial.models, "heart")) == 2


def test_a_challenger_with_faults_is_withdrawn_at_the_next_look_and_marked(trial: Trial) -> None:
    trial.say([*answers(trial), *(trial.fault() | {"request": one} for one in range(3))])
    assert trial.look(SINCE + timedelta(minutes=1)) == "withdrawn"
    assert trial.serving() == (trial.champion, None)
    pointer, _ = read_pointer(trial.models, "heart")
    assert [one.release for one in pointer.withdrawn] == [trial.challenger]
    assert trial.look(SINCE + timedelta(minutes=1)) == "withdrawn"


def test_without_requests_it_ends_without_a_mark(trial: Trial) -> None:
    assert trial.look(SINCE + timedelta(minutes=299)) == "wait"
    assert trial.look(SINCE + timedelta(minutes=300)) == "withdrawn"
    assert read_pointer(trial.models, "heart")[0].withdrawn == ()


@pytest.mark.parametrize("end", ["the rule", "an alarm"])
def test_after_a_trial_that_nobody_ended_by_hand_a_rollback_takes_the_champion_back(trial: Trial, end: str) -> None:
    before, challenger = trial.champion, trial.challenger
    trial.say(answers(trial))
    assert trial.look() == "promoted"
    third = seal_release(trial.models, heart(), linear_onnx(heart(), scale=0.02))
    trial.rollout = challenge(trial.models, "heart", third, since=END.isoformat())
    if end == "the rule":
        assert trial.look(END + timedelta(minutes=300)) == "withdrawn"
    else:
        withdraw_by_alarm(trial.models, "heart", "heart-challenger-errors", END + timedelta(minutes=1), END)
    assert trial.serving() == (challenger, None)
    assert roll_back(trial.models, "heart", END, by="ada", reason="odd") == Rollback(challenger, before)
    assert trial.serving() == (before, None)


def test_a_trial_that_somebody_ended_is_left_alone(trial: Trial) -> None:
    trial.say(answers(trial))
    roll_back(trial.models, "heart", SINCE, by="ada", reason="odd")
    found = look(trial.lake, trial.models, trial.contract, trial.rollout, END)
    assert (found.status, found.reason) == ("ended", "ada ended the trial: odd")
    another = challenge(trial.models, "heart", trial.challenger, since=END.isoformat())
    assert another != trial.rollout
    assert trial.look() == "ended"
    assert trial.serving() == (trial.champion, trial.challenger)


def test_of_a_look_and_a_rollback_at_once_one_ends_the_trial(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.say(answers(trial))
    put = MemoryObjects.put

    def first(self: MemoryObjects, key: str, body: bytes, **said: Any) -> str:
        if key == layout.pointer("heart"):
            monkeypatch.setattr(MemoryObjects, "put", put)
            roll_back(trial.models, "heart", END, by="ada", reason="odd")
        return put(self, key, body, **said)

    monkeypatch.setattr(MemoryObjects, "put", first)
    assert trial.look() == "ended"
    assert trial.serving() == (trial.champion, None)
    assert [one.kind for one in read_history(trial.models, "heart")] == ["challenged", "withdrawn"]


def test_a_write_whose_answer_was_lost_counts(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.say(answers(trial))
    put = MemoryObjects.put

    def lost(self: MemoryObjects, key: str, body: bytes, **said: Any) -> str:
        put(self, key, body, **said)
        raise PreconditionFailed("the client tried again, and found its own write")

    monkeypatch.setattr(MemoryObjects, "put", lost)
    assert trial.look() == "promoted"
    monkeypatch.undo()
    assert [one.kind for one in read_history(trial.models, "heart")] == ["challenged", "promoted"]


def test_an_alarm_withdraws_the_challenger_that_it_is_about_and_no_later_one(trial: Trial) -> None:
    early = withdraw_by_alarm(trial.models, "heart", "challenger-errors", SINCE - timedelta(seconds=1), END)
    assert early.status == "ended"
    assert trial.serving() == (trial.champion, trial.challenger)
    for _ in range(2):  # an event that is delivered twice
        found = withdraw_by_alarm(trial.models, "heart", "challenger-errors", SINCE + timedelta(seconds=90), END)
        assert found.status == "withdrawn"
    assert trial.serving() == (trial.champion, None)
    last = read_history(trial.models, "heart")[-1]
    assert (last.kind, last.by) == ("withdrawn", "the alarm challenger-errors")
    assert trial.look() == "withdrawn"


def test_the_function_that_looks_is_bundled_without_arrow() -> None:
    absent = "import sys; sys.modules['pyarrow'] = sys.modules['fastapi'] = None; "
    done = subprocess.run(
        [sys.executable, "-c", absent + "import lambdas.registry.handler"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
