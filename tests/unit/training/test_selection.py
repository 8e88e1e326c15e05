"""The one-standard-error rule: as simple as the data allow, never simpler, and of no worse probabilities."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.runs import scored
from training.trials.selection import Score, choose, error_of_difference, fold_ratio, standard_error

FOLDS = 4
SCORES = st.lists(
    st.builds(
        lambda name, simplicity, folds: score(name, simplicity, folds),
        st.text("abcdefgh", min_size=1, max_size=6),
        st.integers(0, 3),
        st.lists(st.floats(-2, 2), min_size=FOLDS, max_size=FOLDS),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda score: score.trial,
)


def score(name, simplicity, folds, **changed):
    return Score(name, simplicity, math.fsum(folds) / len(folds), tuple(folds), **changed)


def best_of(scores, higher):
    return (max if higher else min)(score.mean for score in scores)


@given(SCORES, st.booleans())
def test_the_chosen_one_is_within_an_error_of_the_difference_to_the_best(scores, higher):
    chosen = choose(scores, higher_is_better=higher)[0]
    best = best_of(scores, higher)
    allowed = max(error_of_difference(score, chosen) for score in scores if score.mean == best)
    assert abs(chosen.mean - best) <= allowed


@given(SCORES, st.booleans())
def test_nothing_simpler_is_as_good_as_the_best_to_within_that_error(scores, higher):
    chosen = choose(scores, higher_is_better=higher)[0]
    best = [score for score in scores if score.mean == best_of(scores, higher)]
    simpler = [score for score in scores if score.simplicity < chosen.simplicity]
    assert not [each for each in simpler if all(abs(each.mean - b.mean) < error_of_difference(each, b) for b in best)]


@given(SCORES, st.booleans())
def test_after_the_chosen_one_come_all_others_best_first(scores, higher):
    ordered = choose(scores, higher_is_better=higher)
    assert sorted(score.trial for score in ordered) == sorted(score.trial for score in scores)
    rest = [score.mean for score in ordered[1:]]
    assert rest == sorted(rest, reverse=higher)


@given(SCORES, st.booleans(), st.randoms())
def test_the_order_in_which_trials_finish_does_not_matter(scores, higher, random):
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert choose(scores, higher_is_better=higher) == choose(shuffled, higher_is_better=higher)


def test_simple_and_nearly_as_good_beats_complex_and_best():
    simple, complex_ = score("simple", 0, [0.90, 0.92, 0.89]), score("complex", 2, [0.92, 0.91, 0.90])
    assert choose([simple, complex_], higher_is_better=True) == [simple, complex_]


def test_complex_and_better_on_every_fold_beats_simple_however_much_the_folds_differ():
    simple, complex_ = score("simple", 0, [0.70, 0.80, 0.90]), score("complex", 2, [0.72, 0.82, 0.93])
    alone = standard_error([0.72, 0.82, 0.93], 0.25)
    assert complex_.mean - simple.mean < alone
    assert choose([simple, complex_], higher_is_better=True) == [complex_, simple]


def test_for_a_loss_less_is_better():
    simple, complex_ = score("simple", 0, [0.80, 0.81]), score("complex", 2, [0.70, 0.72])
    assert choose([simple, complex_], higher_is_better=False) == [complex_, simple]


def test_a_best_trial_without_any_spread_leaves_the_rule_in_force():
    simple, complex_ = score("simple", 0, [1.0, 1.0, 0.99]), score("complex", 2, [1.0, 1.0, 1.0])
    assert choose([simple, complex_], higher_is_better=True) == [simple, complex_]


def test_folds_without_a_score_are_left_out_of_the_difference():
    one = Score("one", 0, 0.8, (0.9, None, 0.7, 0.8))
    other = Score("other", 1, 0.85, (0.9, 0.8, 0.9, None))
    assert error_of_difference(one, other) == pytest.approx(standard_error([0.0, -0.2], 0.25))


def test_trials_of_other_folds_are_not_compared_fold_by_fold():
    simple, complex_ = score("simple", 0, [0.90, 0.92]), score("complex", 2, [0.92, 0.91, 0.93])
    assert choose([simple, complex_], higher_is_better=True) == [complex_, simple]


def test_the_simplest_that_passes_the_guard_is_chosen_and_the_next_offers_pass_it_too():
    trials = [score(name, place, [0.9, 0.8 + place / 100, 0.7]) for place, name in enumerate("abcd")]
    asked = []

    def passes(name):
        asked.append(name)
        return name in "bd"

    ordered = choose(trials, higher_is_better=True, passes=passes, offers=3)
    assert [each.trial for each in ordered] == ["b", "d", "c", "a"]
    assert sorted(asked) == ["a", "b", "c", "d"], "each is asked once"


def test_where_nothing_near_passes_the_best_that_does_is_chosen():
    far, near, best = score("far", 0, [0.7, 0.6]), score("near", 1, [0.9, 0.81]), score("best", 2, [0.91, 0.81])
    assert choose([far, near, best], higher_is_better=True, passes=lambda name: name == "far")[0] is far


def test_where_nothing_passes_the_guard_is_left_out():
    trials = [score("a", 0, [0.9, 0.8]), score("b", 1, [0.91, 0.8])]
    without = choose(trials, higher_is_better=True)
    assert choose(trials, higher_is_better=True, passes=lambda name: False, offers=3) == without


def test_the_share_of_a_fold_is_that_of_all_its_repeats():
    assert fold_ratio([20, 20, 20, 20, 20] * 2, 2) == pytest.approx(0.25)
    assert fold_ratio([10, 30], 1) == pytest.approx((10 / 30 + 30 / 10) / 2)


def test_a_trial_on_fewer_rows_has_a_larger_share_in_a_fold():
    assert fold_ratio([20, 20, 20, 20, 20] * 2, 2, fitted=50) == pytest.approx(0.5)
    limited = scored("a", folds=[0.7, 0.8], fold_rows=[20, 20], rows=10)
    assert Score.of(limited, 1).test_to_train == pytest.approx(4.0)


def test_a_score_is_made_of_a_trial():
    trial = scored("a", folds=[0.7, None], fold_rows=[10, 10], size_bytes=9)
    assert Score.of(trial, 1) == Score("a", 0, 0.7, (0.7, None), 1.0, 3.0, 9)
