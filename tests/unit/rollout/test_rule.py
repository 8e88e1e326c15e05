"""The rule that ends a trial: what counts against a challenger, and when it is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from andamio.contract import Contract
from rollout.rule import Evidence, judge
from tests.support.releases import heart

MINUTE = 60.0
FINE = Evidence(champion_scored=900, challenger_scored=100, champion_ms=0.2, challenger_ms=0.3)
PAIRED = replace(FINE, pairs=100, disagreed=3)


def contract(**release: Any) -> Contract:
    known = heart()
    return known.model_copy(update={"release": known.release.model_copy(update=release)})


def verdict(evidence: Evidence, minutes: float, strategy: str = "canary", **release: Any) -> tuple[str, bool, str]:
    found = judge(contract(**release), strategy, evidence, minutes * MINUTE)
    return found.status, found.mark, found.reason


def test_before_its_minutes_are_over_a_good_challenger_waits_and_is_promoted_at_the_end() -> None:
    assert verdict(FINE, 29.9)[:2] == ("wait", False)
    status, _, reason = verdict(FINE, 30)
    assert (status, reason) == ("promote", "In 30 minutes it scored 100 records, without a fault.")


@pytest.mark.parametrize(("minutes", "elapsed", "seconds"), [(30, 0, 180), (30, 1750, 50), (1, 0, 60), (1440, 0, 600)])
def test_the_next_look_comes_in_time_for_the_end(minutes: int, elapsed: float, seconds: int) -> None:
    assert judge(contract(minutes=minutes), "canary", FINE, elapsed).seconds == seconds


def test_with_too_few_records_it_is_watched_for_longer_and_then_withdrawn_without_a_mark() -> None:
    few = replace(FINE, challenger_scored=99)
    assert verdict(few, 30)[:2] == ("wait", False)
    assert verdict(few, 299)[:2] == ("wait", False)
    status, mark, reason = verdict(few, 300)
    assert (status, mark) == ("withdraw", False)
    assert "scored 99 records, and 100 decide. Set a smaller [release] min_requests" in reason


@pytest.mark.parametrize(
    ("faults", "failed", "scored", "status"),
    [
        (2, 2, 100, "wait"),
        (3, 3, 100, "withdraw"),
        (1, 1000, 0, "wait"),
        (3, 3, 2997, "wait"),
        (3, 4, 2997, "withdraw"),
    ],
)
def test_faults_withdraw_at_once_unless_they_may_be_an_accident(
    faults: int, failed: int, scored: int, status: str
) -> None:
    found = verdict(replace(FINE, faults=faults, failed=failed, challenger_scored=scored), 1)
    assert found[:2] == (status, status == "withdraw")


@pytest.mark.parametrize(
    ("champion", "challenger", "scored", "status"),
    [
        (0.2, 4.9, 100, "wait"),
        (0.2, 5.1, 100, "withdraw"),
        (0.2, 5.1, 99, "wait"),
        (3.0, 5.9, 100, "wait"),
        (3.0, 6.1, 100, "withdraw"),
    ],
)
def test_a_challenger_may_take_what_the_gate_allows_or_twice_the_champions_time(
    champion: float, challenger: float, scored: int, status: str
) -> None:
    found = replace(FINE, champion_ms=champion, challenger_ms=challenger, challenger_scored=scored)
    assert verdict(found, 1)[0] == status


def test_a_shadow_that_disagrees_too_often_is_withdrawn_at_the_end() -> None:
    assert verdict(PAIRED, 30, "shadow")[0] == "promote"
    odd = replace(PAIRED, disagreed=21)
    assert verdict(odd, 29, "shadow")[0] == "wait"
    assert verdict(odd, 30, "shadow")[:2] == ("withdraw", True)
    assert verdict(odd, 30, "shadow", max_disagreement=0.21)[0] == "promote"
    assert verdict(odd, 30, "canary")[0] == "promote", "there are no pairs of which to speak"


def test_labels_withdraw_a_canary_that_is_right_less_often() -> None:
    labelled = replace(FINE, champion_labelled=300, champion_right=270, challenger_labelled=30, challenger_right=26)
    assert verdict(labelled, 1)[0] == "wait", "26 of 30 happens by chance"
    status, mark, reason = verdict(replace(labelled, challenger_right=20), 1)
    assert (status, mark) == ("withdraw", True)
    assert "right in 20 of 30 answers, the champion in 270 of 300" in reason
    assert verdict(replace(labelled, challenger_labelled=29, challenger_right=0), 1)[0] == "wait"


def test_labels_withdraw_a_shadow_by_the_records_in_which_one_alone_is_right() -> None:
    labelled = replace(PAIRED, champion_labelled=400, champion_right=300, challenger_labelled=400)
    even = replace(labelled, challenger_right=299, only_champion=11, only_challenger=10)
    assert verdict(even, 1, "shadow")[0] == "wait"
    assert verdict(replace(labelled, challenger_right=291, only_champion=10, only_challenger=1), 1, "shadow")[0] == (
        "withdraw"
    )
    many = replace(labelled, champion_labelled=200_000, challenger_labelled=200_000, only_champion=3000)
    assert verdict(replace(many, only_challenger=2500), 1, "shadow")[0] == "withdraw"
    assert verdict(replace(many, only_challenger=2950), 1, "shadow")[0] == "wait"


@pytest.mark.parametrize("strategy", ["canary", "shadow"])
def test_labels_rarely_withdraw_a_challenger_that_is_as_good(strategy: str) -> None:
    random = np.random.default_rng(5)
    withdrawn = 0
    for _ in range(400):
        both = random.random((300, 2)) < 0.8
        mine, theirs = (int(count) for count in both.sum(axis=0))
        found = replace(
            PAIRED,
            champion_labelled=300,
            champion_right=mine,
            challenger_labelled=300,
            challenger_right=theirs,
            only_champion=int((both[:, 0] & ~both[:, 1]).sum()),
            only_challenger=int((both[:, 1] & ~both[:, 0]).sum()),
        )
        withdrawn += verdict(found, 1, strategy)[0] == "withdraw"
    assert withdrawn <= 10, "four are expected at the most"


def test_the_record_of_a_decision_has_the_numbers_that_there_are() -> None:
    numbers = replace(PAIRED, challenger_labelled=40, challenger_right=30).numbers()
    assert numbers["disagreement"] == 0.03
    assert numbers["challenger_right"] == 0.75
    assert "champion_right" not in numbers
    assert "challenger_ms" not in Evidence().numbers()
