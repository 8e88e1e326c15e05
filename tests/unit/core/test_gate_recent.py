"""The gate's other evidence: rows that arrived since the champion's data, guards, and no holdout worth the name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.gate.rules import Contender, Decision, Guard, Holdout, OutOfFold, Rules, apply_guards, decide
from andamio.gate.slices import has_enough_rows, worse_slices

ROWS = 400
LABELS = np.array([0, 1] * (ROWS // 2))
KEYS = np.array([f"k{row}" for row in range(ROWS)])
NEW = np.arange(ROWS) >= ROWS - 100
PRIOR = np.array([0.5, 0.5])
RULES = Rules("roc_auc", confidence=0.95, min_gain=0.0, positive=1, seed=7, resamples=200)


def contender(name: str, old: float, new: float, seed: int = 0) -> Contender:
    """A model that knows `old` of the truth of old rows, `new` of that of new ones; noise is shared by all."""
    rng = np.random.default_rng(5)
    noise = rng.normal(size=ROWS) + 0.2 * np.random.default_rng(seed).normal(size=ROWS)
    skill = np.where(NEW, new, old)
    positive = 1 / (1 + np.exp(-(skill * (LABELS * 2 - 1) + noise)))
    return Contender(name, name, name, "s", np.column_stack([1 - positive, positive]), 0.5)


def judged(challenger: Contender, champion: Contender, recent: Any = NEW, rules: Rules = RULES) -> Decision:
    return decide(Holdout(LABELS, KEYS, "s", recent), challenger, champion, PRIOR, rules)


SLIGHTLY = contender("b", 1.03, 1.03, 9)
"""A little better than the model `a` on old and on new rows, and by no means surely."""


def test_with_new_rows_a_model_that_is_worse_on_neither_is_promoted_without_proof() -> None:
    """It has seen newer data: asking for proof on a holdout that hardly changes would stop every retraining."""
    slightly = judged(SLIGHTLY, contender("a", 1, 1))
    assert slightly.probability is not None
    assert slightly.probability < 0.95
    assert (slightly.outcome, slightly.rule) == ("promoted", "recent")
    assert "worse on neither" in slightly.reason


def test_the_same_gain_without_new_rows_is_not_enough() -> None:
    for recent in (None, np.zeros(ROWS, dtype=bool)):
        found = judged(SLIGHTLY, contender("a", 1, 1), recent)
        assert (found.outcome, found.rule) == ("rejected", "champion")


def test_after_the_world_has_changed_the_new_rows_alone_can_promote() -> None:
    found = judged(contender("b", 0.2, 1.5, 1), contender("a", 1.5, -0.5, 2))
    assert found.gain is not None
    assert found.recent is not None
    assert found.recent.probability == 1.0
    assert (found.gain.value < 0, found.outcome, found.rule) == (True, "promoted", "recent")
    assert "whatever the older rows say" in found.reason


def test_worse_on_the_new_rows_is_not_promoted_however_good_on_the_old() -> None:
    found = judged(contender("b", 3, 0.7, 1), contender("a", 1, 1, 2))
    assert found.gain is not None
    assert found.gain.value > 0
    assert found.outcome == "rejected"
    assert "worse on the new rows" in found.reason


def test_exactly_as_good_on_both_is_not_promoted() -> None:
    model = contender("a", 1, 1)
    found = judged(replace(model, identity="b", graph="b"), model)
    assert (found.outcome, found.rule) == ("rejected", "recent")
    assert "exactly as good" in found.reason


def test_too_few_new_rows_are_said_and_the_stricter_rule_is_used() -> None:
    few = np.arange(ROWS) >= ROWS - 38
    found = judged(SLIGHTLY, contender("a", 1, 1), few)
    assert (found.outcome, found.rule) == ("rejected", "champion")
    assert found.recent is not None
    assert (found.recent.class_rows, found.recent.enough) == ([19, 19], False)
    assert "Only 38 of them arrived since the champion's data (by class 19, 19" in found.reason
    enough = judged(SLIGHTLY, contender("a", 1, 1), np.arange(ROWS) >= ROWS - 40)
    assert enough.rule == "recent"


@settings(max_examples=30)
@given(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.integers(0, 1000))
def test_of_two_models_one_at_most_replaces_the_other_by_being_no_worse(old: float, new: float, seed: int) -> None:
    one, other = contender("a", 1, 1, seed), contender("b", old, new, seed + 1)
    first, second = judged(one, other), judged(other, one)
    both = [found for found in (first, second) if "worse on neither" in found.reason and found.outcome == "promoted"]
    assert len(both) <= 1


# Guards


def guard(name: str, *, holds: bool, bars: bool) -> Guard:
    return Guard(name=name, holds=holds, bars=bars, value=9.0, limit=5.0, message=f"{name} is 9, and 5 is allowed")


def test_a_guard_that_bars_stops_a_promotion_and_says_so() -> None:
    promoted = judged(contender("b", 1.5, 1.5), contender("a", 1, 1))
    found = apply_guards(promoted, [guard("latency", holds=False, bars=True), guard("size", holds=True, bars=True)])
    assert found.outcome == "rejected"
    assert "But latency is 9, and 5 is allowed: it is not promoted after all." in found.reason
    assert "size" not in found.reason
    assert [said.name for said in found.guards] == ["latency", "size"]


def test_a_guard_that_warns_leaves_the_outcome() -> None:
    promoted = judged(contender("b", 1.5, 1.5), contender("a", 1, 1))
    found = apply_guards(promoted, [guard("slices", holds=False, bars=False)])
    assert (promoted.outcome, found.outcome) == ("promoted", "promoted")
    assert "Note: slices is 9" in found.reason


def test_a_slice_that_is_served_worse_is_found_though_the_whole_is_better() -> None:
    champion, challenger = contender("a", 1, 1.5, 1), contender("b", 3, -1, 2)
    masks = {"new": NEW, "old": ~NEW, "few": np.arange(ROWS) < 10}
    found, judged_slices = worse_slices(Holdout(LABELS, KEYS, "s"), challenger, champion, masks, RULES)
    assert set(found) == {"new"}
    assert found["new"].high < 0
    assert judged_slices == 2


def test_among_many_slices_of_equal_models_a_false_alarm_is_rare() -> None:
    rng = np.random.default_rng(3)
    alarms = 0
    for seed in range(20):
        masks = {f"s{part}": rng.random(ROWS) < 0.25 for part in range(30)}
        found, count = worse_slices(
            Holdout(LABELS, KEYS, "s"), contender("b", 1, 1, 2 * seed), contender("a", 1, 1, 2 * seed + 1), masks, RULES
        )
        assert count == 30
        alarms += bool(found)
    assert alarms <= 3


def test_a_slice_is_worth_judging_from_20_rows_on_and_to_rank_needs_both_classes() -> None:
    assert not has_enough_rows("accuracy", np.zeros(19, dtype=np.int64))
    assert has_enough_rows("accuracy", np.zeros(20, dtype=np.int64))
    assert not has_enough_rows("roc_auc", np.array([0] * 30 + [1] * 4))
    assert has_enough_rows("roc_auc", np.array([0] * 30 + [1] * 5))


# A holdout that says too little

FEW = Holdout(LABELS[:18], KEYS[:18], "s")


def few(model: Contender) -> Contender:
    return replace(model, probabilities=model.probabilities[:18])


def out_of_fold(model: Contender) -> OutOfFold:
    return OutOfFold(LABELS, KEYS, model.probabilities)


def test_with_fewer_than_ten_rows_of_a_class_out_of_fold_scores_are_judged() -> None:
    model = contender("b", 1, 1)
    found = decide(FEW, few(model), None, PRIOR, RULES, out_of_fold=(out_of_fold(model), None))
    assert (found.outcome, found.rule, found.evidence) == ("promoted", "majority_class", "cross_validation")
    assert (found.rows, found.out_of_fold_rows) == (18, ROWS)
    assert "9, 9 rows by class" in found.reason
    assert "The evidence is low" in found.reason


@pytest.mark.parametrize(("skill", "outcome"), [(3.0, "promoted"), (1.05, "rejected")])
def test_against_a_champion_out_of_fold_scores_are_not_paired(skill: float, outcome: str) -> None:
    champion, challenger = contender("a", 1, 1, 1), contender("b", skill, skill, 2)
    honest = out_of_fold(challenger), out_of_fold(champion)
    found = decide(FEW, few(challenger), few(champion), PRIOR, RULES, out_of_fold=honest)
    assert (found.outcome, found.rule, found.evidence) == (outcome, "champion", "cross_validation")
    assert "each on its own training rows" in found.reason


def test_a_holdout_of_ten_rows_of_each_class_is_judged_itself() -> None:
    model = contender("b", 3, 3)
    held = Holdout(LABELS[:20], KEYS[:20], "s")
    cut = replace(model, probabilities=model.probabilities[:20])
    assert decide(held, cut, None, PRIOR, RULES, out_of_fold=(out_of_fold(model), None)).evidence == "holdout"
