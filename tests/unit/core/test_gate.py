"""Only a model that is better on rows that neither saw is promoted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.gate.rules import Contender, Decision, Holdout, Rules, decide
from andamio.stats.metrics import METRICS

ROWS = 120
LABELS = np.array([0, 1, 0] * (ROWS // 3))
HOLDOUT = Holdout(LABELS, np.array([f"k{row}" for row in range(ROWS)]), "split-1")
PRIOR = np.array([2 / 3, 1 / 3])
RULES = Rules("roc_auc", confidence=0.95, min_gain=0.0, positive=1, seed=7, resamples=100)


def contender(skill: float, seed: int = 0, name: str = "a model", **other: Any) -> Contender:
    """A model that knows `skill` of the truth, the rest is noise of its own."""
    noise = np.random.default_rng(seed).normal(size=ROWS)
    positive = 1 / (1 + np.exp(-(skill * (LABELS * 4 - 2) + noise)))
    digest = f"{name}/{skill}/{seed}"
    said = {"identity": digest, "graph": digest, "split": "split-1", "threshold": 0.5} | other
    return Contender(name=name, probabilities=np.column_stack([1 - positive, positive]).astype(np.float32), **said)


def judged(
    challenger: Contender, champion: Contender | None, rules: Rules = RULES, holdout: Holdout = HOLDOUT
) -> Decision:
    return decide(holdout, challenger, champion, PRIOR, rules)


@given(st.sampled_from(list(METRICS)), st.floats(-2, 2))
@settings(max_examples=25)
def test_the_champion_itself_ties_and_is_not_judged(metric: str, skill: float) -> None:
    model = contender(skill)
    found = judged(model, replace(model, name="release 1"), replace(RULES, metric=metric))
    assert (found.outcome, found.rule) == ("tied", "same_model")
    assert found.score is found.gain is found.probability is None
    assert "nothing to compare" in found.reason


def test_an_edit_of_the_contract_alone_is_served_without_being_judged() -> None:
    model = contender(1.0)
    edited = replace(model, identity="the same graph, another text")
    found = judged(edited, model)
    assert (found.outcome, found.rule) == ("promoted", "same_graph")
    assert found.probability is None


def test_an_edit_that_changes_answers_is_judged_like_any_other_model() -> None:
    model = contender(1.0)
    edited = replace(model, identity="the same graph, another range", probabilities=contender(0.0).probabilities)
    assert judged(edited, model).rule == "champion"
    assert judged(edited, model).outcome == "rejected"


@given(st.sampled_from(list(METRICS)), st.floats(-2, 2), st.integers(0, 50))
@settings(max_examples=40)
def test_equal_predictions_are_never_promoted(metric: str, skill: float, seed: int) -> None:
    """ "At least 0 better" would promote exact ties: the gain must be strictly more."""
    model = contender(skill, seed)
    other = replace(model, identity="another", graph="another", probabilities=model.probabilities.copy())
    found = judged(other, model, replace(RULES, metric=metric, confidence=0.5))
    assert found.outcome == "rejected"
    assert found.probability == 0
    assert found.gain is not None
    assert found.gain.value == 0


def test_a_gain_of_exactly_the_minimum_is_not_more_than_it() -> None:
    """In floating point 0.86 - 0.85 is a little more than 0.01."""
    labels = np.array([0, 1] * 50)
    keys = np.array(["one"] * 100)  # one group: every resample is the holdout itself

    def right(rows: int) -> Contender:
        positive = np.where(np.arange(100) < rows, labels, 1 - labels).astype(np.float64)
        return Contender(f"{rows}", f"{rows}", f"{rows}", "s", np.column_stack([1 - positive, positive]), 0.5)

    rules = Rules("accuracy", 0.95, 0.01, positive=1, seed=7, resamples=20)
    assert 0.86 - 0.85 > 0.01
    for better, outcome in ((86, "rejected"), (87, "promoted")):
        assert decide(Holdout(labels, keys, "s"), right(better), right(85), PRIOR, rules).outcome == outcome


def test_a_clearly_better_model_is_promoted_and_a_worse_one_is_not() -> None:
    good, bad = contender(1.5, 1, "good"), contender(0.3, 2, "bad")
    assert judged(good, bad).outcome == "promoted"
    assert judged(bad, good).outcome == "rejected"
    assert "so it is promoted" in judged(good, bad).reason
    assert "so it is not promoted" in judged(bad, good).reason


@pytest.mark.parametrize("metric", METRICS)
def test_a_better_model_is_promoted_by_every_metric_in_its_own_direction(metric: str) -> None:
    found = judged(contender(2, 1), contender(-0.5, 2), replace(RULES, metric=metric))
    assert found.outcome == "promoted"
    assert found.gain is not None
    assert found.score is not None
    assert found.baseline is not None
    assert found.gain.value > 0
    assert (found.score.value < found.baseline.value) == (metric in ("log_loss", "brier"))


@pytest.mark.parametrize("metric", METRICS)
def test_the_first_model_must_beat_the_majority_class(metric: str) -> None:
    rules = replace(RULES, metric=metric, min_gain=0.3)
    found = judged(contender(2, 1), None, rules)
    assert (found.outcome, found.rule, found.against) == ("promoted", "majority_class", "the majority class")
    assert found.min_gain == 0  # what a champion must be beaten by is not asked of a first model
    flat = replace(contender(0), probabilities=np.tile(PRIOR, (ROWS, 1)))
    assert judged(flat, None, rules).outcome == "rejected"
    assert judged(contender(-2, 1), None, rules).outcome == "rejected"


def test_models_of_other_splits_are_not_compared() -> None:
    other = contender(3, 1, split="split-2")
    found = judged(contender(0.1), other)
    assert (found.outcome, found.rule) == ("rejected", "other_split")
    assert "delete the pointer" in found.reason
    assert found.gain is None


def test_a_challenger_is_not_judged_on_rows_that_it_may_have_seen() -> None:
    for champion in (None, contender(0.1, 1, split="split-2")):
        found = judged(contender(3, 2, split="split-2"), champion)
        assert (found.outcome, found.rule) == ("rejected", "other_split")
        assert "it may have seen these rows" in found.reason


@given(st.integers(0, 200), st.floats(0, 1.5))
@settings(max_examples=12)
def test_asking_for_more_never_promotes_more(seed: int, skill: float) -> None:
    challenger, champion = contender(skill, seed), contender(0.5, seed + 1)
    probabilities = []
    for gain in (0.0, 0.02, 0.1):
        found = judged(challenger, champion, replace(RULES, min_gain=gain))
        assert found.probability is not None
        probabilities.append(found.probability)
        asked = [judged(challenger, champion, replace(RULES, min_gain=gain, confidence=c)).outcome for c in (0.6, 0.9)]
        assert asked != ["rejected", "promoted"]
    assert probabilities == sorted(probabilities, reverse=True)


def test_a_threshold_is_the_contenders_own() -> None:
    model = contender(1, 3)
    careful = replace(model, identity="b", graph="b", threshold=0.2)
    found = judged(careful, model, replace(RULES, metric="f1"))
    assert found.score is not None
    assert found.baseline is not None
    assert found.score.value != found.baseline.value
    assert judged(careful, model).gain == found.gain.model_copy(update={"value": 0.0, "low": 0.0, "high": 0.0})


def test_a_metric_that_is_undefined_rejects_with_the_reason_and_is_json() -> None:
    one_class = Holdout(np.zeros(ROWS, dtype=np.int64), HOLDOUT.keys, "split-1")
    found = judged(contender(2), contender(1, 5), holdout=one_class)
    assert found.outcome == "rejected"
    assert "roc_auc is undefined on these 120 rows, which show only 1 of 2 classes" in found.reason


def test_a_decision_is_json_and_the_same_each_time() -> None:
    cases = [(contender(1.5, 1), contender(0.3, 2)), (contender(1), contender(1)), (contender(1, 1), None)]
    for challenger, champion in cases:
        written = judged(challenger, champion).model_dump_json()
        assert written == judged(challenger, champion).model_dump_json()
        assert json.loads(written)["class_rows"] == [80, 40]
    assert judged(*cases[0]) != judged(*cases[0], replace(RULES, seed=8))
