"""A trial of numbers: answers agree by their intervals, and the true numbers tell which model is nearer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from andamio import feedback
from andamio.adapters.memory import MemoryObjects, MemoryPredictionStore
from andamio.captures.trials import TrialValue, better, read_line
from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.feedback import Statement
from monitoring.delivery import read, store
from rollout.evidence import gather
from rollout.ranks import chance_of_larger
from rollout.rule import LOOKS, Errors, Evidence, judge
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


def canary(champion_error: float, challenger_error: float, champion_width: float, challenger_width: float) -> Evidence:
    """Sixty true numbers of a canary, whose sides err so much in the mean, with intervals of their own width."""
    random = np.random.default_rng(15)
    lines: list[dict[str, Any]] = []
    truths: dict[int, float | str] = {}
    for number in range(60):
        ours = number % 2 == 0
        spread, width = (champion_error, champion_width) if ours else (challenger_error, challenger_width)
        value = 150.0 + float(random.normal()) * spread
        interval = {"low": value - width, "high": value + width, "level": 0.9}
        lines.append(line(number, "champion" if ours else "challenger", value) | {"interval": interval})
        truths[number] = 150.0
    return gathered(lines, truths)


def test_a_canary_of_larger_errors_is_withdrawn_however_wide_its_intervals_are() -> None:
    found = canary(10.0, 40.0, 5.0, 500.0)
    assert (found.champion_labelled, found.challenger_labelled) == (30, 30)
    verdict = judge(DIABETES, "canary", found, 60.0)
    assert (verdict.status, verdict.mark) == ("withdraw", True)
    assert "half of its 30 answers are off by more than" in verdict.reason
    assert found.numbers()["challenger_error"] > 2 * found.numbers()["champion_error"]
    assert "challenger_right" not in found.numbers()


@pytest.mark.parametrize("error", [10.0, 4.0])
def test_a_canary_of_errors_no_larger_goes_on_however_narrow_its_intervals_are(error: float) -> None:
    assert judge(DIABETES, "canary", canary(10.0, error, 100.0, 1.0), 60.0).status == "wait"


def withdrawn(random: np.random.Generator, strategy: str, ratio: float, looks: int, a_look: int) -> bool:
    """Whether true numbers withdraw a challenger in a trial, `a_look` more of each side before each look.

    Errors have heavy tails, and half of a shadow's is the champion's too; the challenger's are `ratio` times as large.
    """
    errors = random.standard_t(5, (2, looks * a_look)) + random.standard_t(5, looks * a_look) * (strategy == "shadow")
    errors[1] *= ratio
    ours, theirs = ([TrialValue(value=error, low=error, high=error) for error in side] for side in errors.tolist())
    nearer = np.array([[better(a, b, 0.0), better(b, a, 0.0)] for a, b in zip(ours, theirs, strict=True)])
    for count in range(a_look, looks * a_look + 1, a_look):
        found = Evidence(champion_scored=900, challenger_scored=900, champion_labelled=count, challenger_labelled=count)
        if strategy == "shadow":
            one, other = (int(each) for each in nearer[:count].sum(axis=0))
            found = replace(found, pairs=count, only_champion=one, only_challenger=other)
        else:
            sizes = np.abs(errors[:, :count]).tolist()
            found = replace(found, errors=Errors(median(sizes[0]), median(sizes[1]), chance_of_larger(*sizes)))
        if judge(DIABETES, strategy, found, 60.0).status == "withdraw":
            return True
    return False


@pytest.mark.parametrize("strategy", ["canary", "shadow"])
def test_true_numbers_rarely_withdraw_a_challenger_that_is_as_good(strategy: str) -> None:
    random = np.random.default_rng(5)
    assert sum(withdrawn(random, strategy, 1.0, 1, 300) for _ in range(400)) <= 10, "four are expected at the most"
    assert sum(withdrawn(random, strategy, 1.0, LOOKS, 30) for _ in range(200)) <= 16, "1% at each of ten looks adds up"
    assert sum(withdrawn(random, strategy, 1.5, LOOKS, 30) for _ in range(50)) >= 45, "and a worse one is found"


def test_a_label_of_a_class_is_no_error_of_a_number() -> None:
    found = gathered([line(0, "champion", 100.0), line(1, "challenger", 100.0)], {0: "1", 1: 100.0})
    assert (found.champion_labelled, found.champion_right) == (1, 0)
    assert found.errors is not None
    assert (found.errors.champion, found.errors.challenger) == (None, 0.0)
    assert judge(DIABETES, "canary", found, 60.0).status == "wait"


@pytest.mark.parametrize("rounded", [0, 3], ids=["with ties", "without"])
def test_larger_numbers_are_found_as_scipy_finds_them(rounded: int) -> None:
    random = np.random.default_rng(7)
    for by in (0.0, 0.3, 1.0, -0.5):
        first = np.round(random.normal(size=40) * 3, rounded).tolist()
        second = np.round((random.normal(size=30) + by) * 3, rounded).tolist()
        known = mannwhitneyu(second, first, alternative="greater", method="asymptotic").pvalue
        assert chance_of_larger(first, second) == pytest.approx(known, abs=1e-12)
    assert chance_of_larger([1.0] * 30, [1.0] * 30) == 1.0
    assert chance_of_larger([], [1.0]) == 1.0


@pytest.mark.parametrize("broken", [{"interval": None}, {"value": "100"}, {"champion": {"value": 1.0}}])
def test_a_line_without_a_whole_answer_is_none_of_a_trial(broken: dict[str, Any]) -> None:
    assert read_line(shadow(0, 100.0, 100.0))
    assert not read_line(shadow(0, 100.0, 100.0) | broken)
