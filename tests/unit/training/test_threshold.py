"""The threshold: no other one would have done better on the out-of-fold scores."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from andamio.contract.tables import Costs
from andamio.stats.metrics import score
from training.threshold import choose

ROWS = st.lists(st.tuples(st.booleans(), st.floats(0, 1, width=32)), min_size=2, max_size=40)
RULES = st.one_of(st.just("f1"), st.builds(Costs, cost_fp=st.floats(0.1, 10), cost_fn=st.floats(0.1, 10)))


def loss(rule, positive, scores, threshold):
    said = scores >= threshold
    if isinstance(rule, Costs):
        return rule.cost_fp * (said & ~positive).sum() + rule.cost_fn * (~said & positive).sum()
    probabilities = np.column_stack([1 - scores, scores])
    return -score("f1", positive.astype(int), probabilities, positive=1, threshold=threshold)


@given(RULES, ROWS)
def test_no_other_threshold_is_better(rule, rows):
    positive, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assume(isinstance(rule, Costs) or positive.any())  # F1 is undefined without a positive row
    chosen = loss(rule, positive, scores, choose(rule, positive, scores))
    for other in np.minimum(1, np.concatenate([scores, np.nextafter(scores, 2), [0.0, 0.5, 1.0]])):
        assert chosen <= loss(rule, positive, scores, other) + 1e-9


@given(RULES, ROWS)
def test_a_threshold_is_a_probability(rule, rows):
    positive, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert 0 <= choose(rule, positive, scores) <= 1


def test_a_number_is_taken_as_it_is():
    assert choose(0.3, np.array([True, False]), np.array([0.9, 0.1])) == 0.3


def test_a_dear_false_negative_lowers_the_threshold():
    rng = np.random.default_rng(7)
    positive = rng.random(500) < 0.4
    scores = np.clip(0.35 * positive + rng.normal(0.35, 0.15, size=500), 0, 1)
    cautious, even, bold = (
        choose(Costs(cost_fp=fp, cost_fn=fn), positive, scores) for fp, fn in ((1, 10), (1, 1), (10, 1))
    )
    assert cautious < even < bold


@pytest.mark.parametrize("rule", ["f1", Costs(cost_fp=1, cost_fn=1)])
def test_of_equally_good_thresholds_the_one_nearest_to_a_half_is_taken(rule):
    assert choose(rule, np.array([False, False, True, True]), np.array([0.1, 0.2, 0.8, 0.9])) == 0.5
