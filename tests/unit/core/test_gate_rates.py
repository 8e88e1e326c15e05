"""What the gate sees, in rates: the benchmark's own simulation, in small."""

import pytest

from benchmarks.sureness import gate_numbers
from benchmarks.sureness.gate import CONFIDENCE, STRICT, Effort, mean, pair, power, report, retrained

SMALL = Effort(pairs={60: 150, 500: 80}, frozen={60: 12}, growing={60: 4}, resamples=200, retrainings=12)


def run(step, count):
    return [step(seed) for seed in range(count)]


def test_equal_models_are_promoted_about_as_often_as_the_confidence_allows():
    rates = power(SMALL, run, recent=False, gains=(0.0,))
    for (rate, error), *_ in rates.values():
        assert rate <= 1 - CONFIDENCE + 3 * max(error, 0.015)


@pytest.mark.parametrize(("metric", "tails"), [("rmse", "normal"), ("mae", "heavy")])
def test_of_numbers_equal_models_are_promoted_about_as_often_as_the_confidence_allows(metric, tails):
    effort = Effort(pairs={60: 200, 500: 150}, frozen={}, growing={}, resamples=150)
    rates = gate_numbers.power(effort, run, metric=metric, tails=tails, gains=(0.0, 0.1))
    for (rate, error), _ in rates.values():
        assert rate <= 1 - CONFIDENCE + 3 * max(error, 0.015)
    assert rates[60][1][0] < 0.8 < rates[500][1][0]


def test_of_numbers_a_clear_loss_is_promoted_rarely_with_new_rows_too():
    effort = Effort(pairs={500: 100}, frozen={}, growing={}, resamples=150)
    (worse, _), (equal, _) = gate_numbers.power(effort, run, recent=True, gains=(-0.1, 0.0))[500]
    assert worse < 0.05
    assert 0.2 < equal < 0.5


@pytest.mark.slow
def test_more_confidence_promotes_less():
    rates = {
        confidence: power(SMALL, run, recent=False, gains=(0.0, 0.05), confidence=confidence)[60]
        for confidence in (CONFIDENCE, STRICT)
    }
    for strict, usual in zip(rates[STRICT], rates[CONFIDENCE], strict=True):
        assert strict[0] < usual[0]


def test_a_gain_of_five_hundredths_shows_on_500_rows_and_seldom_on_60():
    rates = power(SMALL, run, recent=False, gains=(0.05,))
    assert rates[500][0][0] > 0.9
    assert 0.2 < rates[60][0][0] < 0.8


def test_with_new_rows_a_clear_loss_is_promoted_rarely():
    (rate, _), *_ = power(Effort({500: 80}, {}, {}, 200), run, recent=True, gains=(-0.05,))[500]
    assert rate < 0.05


def test_on_a_frozen_holdout_equal_models_do_not_take_turns():
    frozen, growing = (retrained(SMALL, run, growing=growing)[60]["promotions"][0] for growing in (False, True))
    assert frozen < 2
    assert growing > frozen


def test_the_same_seed_gives_the_same_answer_and_errors_are_those_of_a_mean():
    assert [pair(60, 0.02, False, 100, 0.95, seed) for seed in range(20)] == [
        pair(60, 0.02, False, 100, 0.95, seed) for seed in range(20)
    ]
    assert mean([0.0, 1.0, 0.0, 1.0]) == (0.5, 0.28867513459481287)


def test_every_table_is_printed():
    tiny = Effort(pairs={60: 4}, frozen={60: 2}, growing={60: 2}, resamples=20, retrainings=3)
    said = report(tiny, run)
    assert said.count("| holdout rows |") == 8
    assert "±" in said
    assert gate_numbers.report(tiny, run).count("| holdout rows |") == 5
