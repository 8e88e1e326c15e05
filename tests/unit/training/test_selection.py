"""The one-standard-error rule: as simple as the data allow, and never simpler."""

from hypothesis import given
from hypothesis import strategies as st

from training.trials.selection import Score, choose

SCORES = st.lists(
    st.builds(
        Score,
        trial=st.text("abcdefgh", min_size=1, max_size=6),
        simplicity=st.integers(0, 3),
        mean=st.floats(-2, 2),
        standard_error=st.floats(0, 0.5),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda score: score.trial,
)


def best_of(scores, higher):
    return (max if higher else min)(score.mean for score in scores)


@given(SCORES, st.booleans())
def test_the_chosen_one_is_within_a_standard_error_of_the_best(scores, higher):
    chosen = choose(scores, higher_is_better=higher)[0]
    best = best_of(scores, higher)
    allowed = max(score.standard_error for score in scores if score.mean == best)
    assert abs(chosen.mean - best) <= allowed


@given(SCORES, st.booleans())
def test_nothing_simpler_is_as_good_as_the_best_to_within_its_error(scores, higher):
    chosen = choose(scores, higher_is_better=higher)[0]
    best = best_of(scores, higher)
    surely = min(score.standard_error for score in scores if score.mean == best)
    assert not [s for s in scores if s.simplicity < chosen.simplicity and abs(s.mean - best) < surely]


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
    simple, complex_ = Score("simple", 0, 0.90, 0.02), Score("complex", 2, 0.91, 0.02)
    assert choose([simple, complex_], higher_is_better=True) == [simple, complex_]


def test_complex_and_clearly_better_beats_simple():
    simple, complex_ = Score("simple", 0, 0.80, 0.02), Score("complex", 2, 0.91, 0.02)
    assert choose([simple, complex_], higher_is_better=True) == [complex_, simple]


def test_for_a_loss_less_is_better():
    simple, complex_ = Score("simple", 0, 0.80, 0.02), Score("complex", 2, 0.70, 0.02)
    assert choose([simple, complex_], higher_is_better=False) == [complex_, simple]
