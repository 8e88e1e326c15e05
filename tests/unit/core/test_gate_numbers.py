"""The gate's rules for numbers: those of classes, but for what is counted and what a gain is measured in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from andamio.gate.rules import Contender, Decision, Holdout, OutOfFold, Rules, decide
from andamio.gate.slices import worse_slices

ROWS = 120
TRUTH = 100.0 + 20 * np.random.default_rng(1).normal(size=ROWS)
KEYS = np.array([f"k{row}" for row in range(ROWS)])
HOLDOUT = Holdout(TRUTH, KEYS, "split-1")
MEDIAN = np.array([100.0])
RULES = Rules("rmse", confidence=0.95, min_gain=0.0, positive=-1, seed=7, resamples=200, floor="median")


def contender(error: float, seed: int = 0, **other: Any) -> Contender:
    """A model that is off by normal errors of that standard deviation."""
    said = {"identity": f"{error}/{seed}", "graph": f"{error}/{seed}", "split": "split-1", "threshold": 0.5} | other
    noise = error * np.random.default_rng(seed).normal(size=ROWS)
    return Contender(name="a model", probabilities=(TRUTH + noise)[:, None].astype(np.float32), **said)


def judged(challenger: Contender, champion: Contender | None, holdout: Holdout = HOLDOUT, **rules: Any) -> Decision:
    said = {name: getattr(RULES, name) for name in Rules.__dataclass_fields__} | rules
    return decide(holdout, challenger, champion, MEDIAN, Rules(**said))


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2", "pinball"])
def test_the_first_model_must_beat_the_median(metric: str) -> None:
    good, poor = judged(contender(10), None, metric=metric), judged(contender(40), None, metric=metric)

    assert (good.outcome, good.rule, good.against) == ("promoted", "median", "the median")
    assert (poor.outcome, poor.rule) == ("rejected", "median")
    assert good.class_rows == []


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2", "pinball"])
def test_a_better_model_is_promoted_by_every_metric_in_its_own_direction(metric: str) -> None:
    assert judged(contender(8), contender(12, 1), metric=metric).outcome == "promoted"
    assert judged(contender(12), contender(8, 1), metric=metric).outcome == "rejected"


def test_the_least_gain_is_a_share_of_the_champion_s_error_whatever_the_unit() -> None:
    champion = contender(12, 1)
    closer = champion.probabilities * 0.9 + TRUTH[:, None] * 0.1  # every error is a tenth smaller
    challenger = Contender("a model", "c", "c", "split-1", closer, 0.5)

    assert judged(challenger, champion, min_gain=0.05).outcome == "promoted"
    assert judged(challenger, champion, min_gain=0.2).outcome == "rejected"
    assert judged(challenger, champion, min_gain=0.05, metric="mae").outcome == "promoted"


def test_forty_recent_rows_are_needed_to_judge_by_them() -> None:
    for rows, rule in ((39, "champion"), (40, "recent")):
        recent = np.arange(ROWS) < rows
        found = judged(contender(8), contender(12, 1), Holdout(TRUTH, KEYS, "split-1", recent))
        assert found.rule == rule
        assert found.recent is not None
        assert found.recent.enough == (rule == "recent")
        if rule == "champion":
            assert "and 40 are needed to judge by them" in found.reason


@pytest.mark.parametrize("recent", [None, np.arange(ROWS) < ROWS // 2], ids=["champion", "recent"])
def test_a_gain_counts_however_small_the_target_s_unit(recent: Any) -> None:
    unit = 1e-14
    challenger, champion = (
        Contender(each.name, each.identity, each.graph, each.split, each.probabilities * unit, 0.5)
        for each in (contender(8), contender(12, 1))
    )

    found = judged(challenger, champion, Holdout(TRUTH * unit, KEYS, "split-1", recent))

    assert found.outcome == "promoted"
    assert found.baseline is not None
    assert f"against {found.baseline.value:.3g} of" in found.reason
    assert "+0.0000" not in found.reason
    assert judged(champion, challenger, Holdout(TRUTH * unit, KEYS, "split-1", recent)).outcome == "rejected"


def test_a_holdout_of_fewer_than_twenty_rows_is_replaced_by_out_of_fold_predictions() -> None:
    few = Holdout(TRUTH[:19], KEYS[:19], "split-1")
    challenger = Contender("a model", "c", "c", "split-1", contender(5).probabilities[:19], 0.5)
    honest = OutOfFold(TRUTH, KEYS, contender(5).probabilities)

    found = decide(few, challenger, None, MEDIAN, RULES, out_of_fold=(honest, None))

    assert (found.outcome, found.evidence, found.out_of_fold_rows) == ("promoted", "cross_validation", ROWS)
    assert found.reason.startswith("The holdout has 19 rows, and the gate needs 20.")


def test_r2_of_equal_targets_is_undefined_and_says_so() -> None:
    same = Holdout(np.full(ROWS, 3.0), KEYS, "split-1")

    found = judged(contender(5), contender(6, 1), same, metric="r2")

    assert found.outcome == "rejected"
    assert "whose targets are all the same" in found.reason


def test_a_slice_on_which_errors_grew_is_named() -> None:
    half = np.arange(ROWS) < ROWS // 2
    challenger, champion = contender(5), contender(5, 1)
    challenger.probabilities[half] += 15

    worse, compared = worse_slices(HOLDOUT, challenger, champion, {"half": half, "other": ~half}, RULES)

    assert list(worse) == ["half"]
    assert compared == 2
