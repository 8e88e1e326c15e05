"""What a look keeps of a trial's parts changes nothing of what any look finds."""

from __future__ import annotations

import gzip
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andamio import feedback
from andamio.adapters.memory import MemoryObjects
from andamio.feedback import Statement
from andamio.storage import layout
from andamio.storage.ports import ObjectInfo, StoredObject
from rollout import added
from rollout.evidence import gather
from tests.support.capture import identity
from tests.unit.rollout.test_trial import END, SINCE, Trial

LINES = ("champion", "shadow", "fault")
shadowed = cache(lambda: Trial("shadow"))


class Counting(MemoryObjects):
    """A lake that counts the parts that are read of it."""

    read = 0

    def get(self, key: str, *, version: str | None = None) -> StoredObject:
        self.read += "/part-" in key
        return super().get(key, version=version)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    monkeypatch.setattr(added, "KEPT_FROM", 3)
    made = Trial()
    made.lake = Counting("lake")
    return made


def say(trial: Trial, numbers: range, variant: str = "champion") -> None:
    for number in numbers:
        trial.say([trial.line(number, variant)])


def keeps(trial: Trial) -> bool:
    return any(info.key == layout.added_of_challenger(trial.rollout) for info in trial.lake.list(layout.TRIALS))


def test_a_part_is_read_once_also_one_that_sorts_before_those_that_were_read(trial: Trial) -> None:
    counting: Any = trial.lake
    say(trial, range(10))
    for _ in range(2):
        assert gather(trial.lake, trial.rollout, SINCE, END).champion_scored == 10
    assert counting.read == 10
    say(trial, range(10, 30), "challenger")
    found = gather(trial.lake, trial.rollout, SINCE, END)
    assert (found.champion_scored, found.challenger_scored) == (10, 20)
    assert counting.read == 30
    names = [info.key for info in trial.lake.list(layout.trial_of_challenger(trial.rollout, "part-"))]
    first = {name.rsplit("/", 1)[-1] for name in names[:10]}
    assert first != added._kept(trial.lake, trial.rollout).parts, "no late part came between earlier ones"


def test_few_parts_are_not_kept(trial: Trial) -> None:
    say(trial, range(2))
    gather(trial.lake, trial.rollout, SINCE, END)
    assert not keeps(trial)


def test_a_look_that_is_cut_off_has_kept_what_it_read(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(added, "KEPT_EVERY", 4)
    counting: Any = trial.lake
    say(trial, range(6))
    # The last part cannot be read: as a look would end with its function.
    last = max(info.key for info in trial.lake.list(layout.TRIALS))
    body = trial.lake.get(last).body
    trial.lake.put(last, b"{}")
    with pytest.raises(Exception, match=last):
        gather(trial.lake, trial.rollout, SINCE, END)
    trial.lake.put(last, body)
    counting.read = 0
    assert gather(trial.lake, trial.rollout, SINCE, END).champion_scored == 6
    assert counting.read == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", gzip.compress(b'{"scored": {"champion": "many"}}', mtime=0)],
    ids=["empty", "not zipped", "of another kind"],
)
def test_what_was_kept_and_cannot_be_read_is_added_up_anew(trial: Trial, body: bytes) -> None:
    say(trial, range(5))
    expected = gather(trial.lake, trial.rollout, SINCE, END)
    trial.lake.put(layout.added_of_challenger(trial.rollout), body)
    assert gather(trial.lake, trial.rollout, SINCE, END) == expected


class Slow(MemoryObjects):
    """A lake whose listing is of an earlier moment: as that of a look which began before another one."""

    shown: list[ObjectInfo] | None = None

    def list(self, prefix: str, *, after: str = "") -> Any:
        some = list(super().list(prefix, after=after))
        return iter(some if self.shown is None else [one for one in some if one in self.shown])


def _line(trial: Trial, kind: str, number: int) -> dict[str, Any]:
    """A line of a delivery; a prediction's answers are the same wherever they come."""
    if kind == "fault":
        return trial.fault(records=number)
    label = str(number % 2)
    return trial.shadow(number, "0", label) if kind == "shadow" else trial.line(number, kind, label)


@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(LINES), st.integers(0, 7)), max_size=5),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    ),
    st.dictionaries(st.integers(0, 7), st.sampled_from("01")),
)
def test_what_looks_find_does_not_depend_on_the_looks_before(
    said: list[tuple[list[tuple[str, int]], bool, bool]], labels: dict[int, str]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(added, "KEPT_FROM", 1)
        trial = shadowed()
        trial.lake = lake = Slow("lake")
        statements = [Statement(identity(number), None, label) for number, label in labels.items()]
        feedback.keep(lake, statements, SINCE + timedelta(minutes=1), trial.champion)
        before: list[ObjectInfo] = []
        for lines, looked, late in said:
            trial.say([_line(trial, kind, number) for kind, number in lines])
            if looked:
                lake.shown = before if late else None
                gather(lake, trial.rollout, SINCE, END)
                lake.shown = None
                before = list(lake.list(""))
        found = gather(lake, trial.rollout, SINCE, END)
        lake.delete(layout.added_of_challenger(trial.rollout))
        assert gather(lake, trial.rollout, SINCE, END) == found
