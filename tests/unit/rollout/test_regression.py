"""A trial of numbers: answers agree by their intervals, and the true numbers tell which model is nearer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from andamio import feedback
from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.trials import read_line
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.feedback import Statement
from monitoring.delivery import read, store
from rollout.evidence import gather
from rollout.rule import Evidence
from tests.support.capture import RELEASE, delivery, identity, prediction
from tests.support.releases import ROOT

DIABETES = Contract.load(ROOT / "problems" / "diabetes")
PATIENT = example_record(DIABETES)
ROLLOUT = f"{RELEASE}-3"
SINCE = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def answer(value: float) -> dict[str, Any]:
    return {"value": value, "interval": {"low": value - 40, "high": value + 60, "level": 0.9}, "unit": "points"}


def line(number: int, variant: str, value: float) -> dict[str, Any]:
    made = prediction(number, at=SINCE, features=PATIENT, variant=variant, rollout=ROLLOUT, model_ms=0.2)
    for name in ("label", "label_text", "probabilities"):
        del made[name]
    return made | answer(value)


def shadow(number: int, value: float, champion: float) -> dict[str, Any]:
    said = {key: answer(champion)[key] for key in ("value", "interval")}
    return line(number, "shadow", value) | {"event": "andamio.shadow", "champion": said}


def gathered(lines: list[dict[str, Any]], truths: dict[int, float | str]) -> Evidence:
    lake = MemoryObjects("lake")
    found = read(delivery(lines), DIABETES)
    assert found.broken == 0
    store(found, DIABETES, lake, MemoryPredictionStore())
    said = [Statement(identity(number), None, truth) for number, truth in truths.items()]
    feedback.keep(lake, said, SINCE + timedelta(minutes=1), RELEASE)
    return gather(lake, ROLLOUT, SINCE, SINCE + timedelta(minutes=30))


@pytest.mark.parametrize(("other", "differs"), [(100.5, 0), (139.0, 0), (141.0, 1), (61.0, 0), (59.0, 1), (200.0, 1)])
def test_two_numbers_differ_where_one_lies_outside_the_interval_of_the_other(other: float, differs: int) -> None:
    found = gathered([line(0, "champion", 100.0), shadow(0, other, 100.0)], {})
    assert (found.pairs, found.disagreed) == (1, differs)


def test_of_a_shadow_s_pairs_the_nearer_number_is_right() -> None:
    pairs = {0: (100.0, 120.0), 1: (100.0, 120.0), 2: (100.0, 100.0)}
    lines = [each for number, (ours, theirs) in pairs.items() for each in
             (line(number, "champion", ours), shadow(number, theirs, ours))]  # fmt: skip
    found = gathered(lines, {0: 104.0, 1: 119.0, 2: 90.0})
    assert (found.only_champion, found.only_challenger, found.champion_labelled) == (1, 1, 3)


def test_of_a_canary_s_answers_those_whose_interval_holds_the_truth_are_right() -> None:
    lines = [line(number, "champion" if number < 2 else "challenger", 100.0) for number in range(4)]
    found = gathered(lines, {0: 150.0, 1: 161.0, 2: 50.0, 3: 60.0})
    assert (found.champion_labelled, found.champion_right) == (2, 1)
    assert (found.challenger_labelled, found.challenger_right) == (2, 1)


def test_a_label_of_a_class_makes_no_number_right() -> None:
    found = gathered([line(0, "champion", 100.0)], {0: "1"})
    assert (found.champion_labelled, found.champion_right) == (1, 0)


@pytest.mark.parametrize("broken", [{"interval": None}, {"value": "100"}, {"champion": {"value": 1.0}}])
def test_a_line_without_a_whole_answer_is_none_of_a_trial(broken: dict[str, Any]) -> None:
    assert read_line(shadow(0, 100.0, 100.0))
    assert not read_line(shadow(0, 100.0, 100.0) | broken)
