"""Concept drift is found where labels show it, and not where it is only labels that came unevenly."""

from dataclasses import replace

import numpy as np
import pytest

from andamio.stats import metrics
from monitoring.performance import difference, strata
from monitoring.performance import estimate as estimates
from monitoring.performance.difference import Measure
from monitoring.performance.estimate import estimate
from monitoring.performance.performance import Terms, performance
from monitoring.performance.window import Labelled
from monitoring.reference import HoldoutFigure
from tests.unit.monitoring.references import calibrated, reference, two


@pytest.fixture
def rng():
    return np.random.default_rng(12)


@pytest.fixture
def known(rng):
    return reference({}, *calibrated(rng, 1500, 2.5))


def window_of(scores, labels, age=100.0):
    rows = len(labels)
    return Labelled(scores, labels, np.broadcast_to(age, rows).astype(float), np.where(labels >= 0, 24.0, np.nan))


def flipped(rng, labels, share):
    return np.where(rng.random(len(labels)) < share, 1 - labels, labels)


@pytest.mark.parametrize("metric", sorted(metrics.METRICS))
def test_a_model_that_is_as_good_as_before_is_ok(known, rng, metric):
    found = performance(replace(known, metric=metric), window_of(*calibrated(rng, 1000, 2.5)), Terms())
    assert (found.status, found.coverage.status, found.restricted) == ("ok", "ok", False)
    assert found.plain.difference.low < 0 < found.plain.difference.high
    assert found.plain.difference == found.weighted.difference  # every row has its label: all weigh 1


@pytest.mark.parametrize("metric", sorted(metrics.METRICS))
def test_flipped_labels_are_concept_drift(known, rng, metric):
    scores, labels = calibrated(rng, 1500, 2.5)
    found = performance(replace(known, metric=metric), window_of(scores, flipped(rng, labels, 0.25)), Terms())
    assert found.status == "worse"
    assert found.weighted.difference.high < 0
    assert found.message.startswith(f"The model has become worse: {metric} is ")
    assert found.brier.difference.high < 0
    assert found.calibration.error > found.calibration.by_chance_high


def test_the_margin_is_how_far_below_zero_it_must_lie(known, rng):
    scores, labels = calibrated(rng, 1500, 2.5)
    window = window_of(scores, flipped(rng, labels, 0.25))
    low = performance(known, window, Terms()).weighted.difference.high
    assert performance(known, window, Terms(margin=-low - 0.001)).status == "worse"
    assert performance(known, window, Terms(margin=-low + 0.001)).status == "ok"


def test_feedback_for_predicted_positives_is_uneven_coverage_and_no_concept_drift(known, rng):
    scores, labels = calibrated(rng, 3000, 2.5)
    came = rng.random(3000) < np.where(scores[:, 1] >= 0.5, 0.9, 0.1)
    found = performance(known, window_of(scores, np.where(came, labels, -1)), Terms())
    assert (found.status, found.coverage.status) == ("ok", "uneven")
    assert found.plain.difference.high < 0  # what plain figures would have said
    assert found.weighted.difference.low < 0 < found.weighted.difference.high
    assert {one.label for one in found.coverage.deciles} == {"a", "b"}
    assert all((one.coverage > 0.5) == (one.label == "b") for one in found.coverage.deciles)


def test_feedback_for_predicted_positives_alone_compares_these_alone(known, rng):
    scores, labels = calibrated(rng, 3000, 2.5)
    came = np.where(scores[:, 1] >= 0.5, labels, -1)
    known = replace(known, holdout={"roc_auc": HoldoutFigure(0.99, 0.001, 100_000)})
    found = performance(known, window_of(scores, came), Terms())
    assert (found.status, found.coverage.status, found.restricted) == ("ok", "uneven", True)
    assert found.weighted.reference.value < 0.9  # of positives alone, and not the holdout's
    flips = performance(known, window_of(scores, np.where(came >= 0, flipped(rng, labels, 0.3), -1)), Terms())
    assert (flips.status, flips.coverage.status) == ("worse", "uneven")


def test_half_of_the_labels_at_random_is_even_coverage(known, rng):
    scores, labels = calibrated(rng, 1500, 2.5)
    found = performance(known, window_of(scores, np.where(rng.random(1500) < 0.5, labels, -1)), Terms())
    assert (found.status, found.coverage.status) == ("ok", "ok")
    assert found.coverage.message == f"{found.labelled} of 1500 predictions have a label, evenly by score."


def thinned(rng, scores, labels, share):
    """All labelled rows, and a share of the others."""
    kept = (labels >= 0) | (rng.random(len(labels)) < share)
    window = window_of(scores[kept], labels[kept])
    return replace(window, stands_for=np.where(labels[kept] >= 0, 1.0, 1 / share))


def test_where_few_of_many_are_labelled_the_others_stand_for_those_that_were_not_read(known, rng):
    scores, labels = calibrated(rng, 60_000, 2.5)
    even = np.where(rng.random(60_000) < 0.02, labels, -1)
    found = performance(known, thinned(rng, scores, even, 0.05), Terms())
    assert (found.status, found.coverage.status, found.labelled) == ("ok", "ok", (even >= 0).sum())
    assert found.rows == pytest.approx(60_000, rel=0.1)
    assert found.coverage.share == pytest.approx(0.02, rel=0.15)
    came = np.where(rng.random(60_000) < np.where(scores[:, 1] >= 0.5, 0.02, 0.002), labels, -1)
    uneven = performance(known, thinned(rng, scores, came, 0.05), Terms())
    whole = performance(known, window_of(scores, came), Terms())
    assert (uneven.status, uneven.coverage.status) == ("ok", "uneven")
    assert uneven.weighted.window.value == pytest.approx(whole.weighted.window.value, abs=0.01)
    for one in uneven.coverage.deciles:
        assert one.coverage == pytest.approx(0.02 if one.label == "b" else 0.002, rel=0.7)


def test_even_coverage_of_a_thinned_window_is_hardly_ever_called_uneven(known):
    rng, p = np.random.default_rng(6), []
    for _ in range(100):
        scores, labels = calibrated(rng, 8000, 2.5)
        even = np.where(rng.random(8000) < 0.05, labels, -1)
        p.append(strata.coverage(known, thinned(rng, scores, even, 0.1), 0, 200, 0.1).p)
    assert np.mean(np.array(p) < 0.1) < 0.25


def test_young_predictions_wait_and_their_early_labels_do_not_count(known, rng):
    scores, labels = calibrated(rng, 1000, 2.5)
    age = np.where(np.arange(1000) < 400, 10.0, 100.0)
    wrong = np.where(age == 10, 1 - labels, labels)
    found = performance(known, window_of(scores, wrong, age), Terms(label_delay_hours=48))
    assert (found.status, found.waiting, found.rows, found.coverage.rows) == ("ok", 400, 600, 600)
    young = performance(known, window_of(scores, np.full(1000, -1), 10.0), Terms(label_delay_hours=48))
    assert (young.status, young.coverage.status, young.labelled) == ("waiting", "waiting", 0)
    assert "1000 predictions are younger than the label delay" in young.message


@pytest.mark.parametrize("rows", [0, 30])
def test_few_labels_are_not_enough(known, rng, rows):
    scores, labels = calibrated(rng, 500, 2.5)
    labels[rows:] = -1
    found = performance(known, window_of(scores, labels), Terms())
    assert (found.status, found.weighted, found.labelled) == ("not-enough-data", None, rows)


def test_an_empty_window_is_not_enough(known):
    found = performance(known, window_of(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)), Terms())
    assert (found.status, found.coverage.status, found.delay.median) == ("not-enough-data", "not-enough-data", None)


def test_a_class_without_labels_is_said(known, rng):
    scores, none = calibrated(rng, 500, 2.5)[0], np.zeros(500, dtype=np.int64)
    found = performance(known, window_of(scores, none), Terms())
    assert (found.status, found.message) == ("not-enough-data", "0 labels are 'b'; roc_auc needs 10 of each class.")
    accuracy = performance(replace(known, metric="accuracy"), window_of(scores, none), Terms())
    assert accuracy.status == "worse"


def test_out_of_fold_and_holdout_count_by_their_rows(known, rng):
    window = window_of(*calibrated(rng, 500, 2.5))
    alone = performance(known, window, Terms()).plain
    holdout = {"roc_auc": HoldoutFigure(0.5, 0.01, 500)}
    both = performance(replace(known, holdout=holdout), window, Terms())
    assert both.plain.reference.value == pytest.approx(0.75 * alone.reference.value + 0.25 * 0.5)
    assert both.reference_rows == 2000


def test_rows_of_a_group_make_a_wider_interval(rng):
    scores, labels = calibrated(rng, 300, 2.5)
    fivefold = [np.repeat(one, 5, axis=0) for one in (scores, labels)]
    window = window_of(*calibrated(rng, 5000, 2.5))
    alone = performance(reference({}, *fivefold), window, Terms()).plain.reference
    grouped = performance(
        reference({}, *fivefold, groups=np.repeat(np.arange(300), 5)), window, Terms()
    ).plain.reference
    assert 1.8 < (grouped.high - grouped.low) / (alone.high - alone.low) < 2.7


@pytest.mark.parametrize("of_a_group", [1, 4])
@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_the_error_of_many_rows_is_how_far_their_figures_lie_apart(monkeypatch, metric, of_a_group):
    monkeypatch.setattr(difference, "MOST_ROWS", 200)
    monkeypatch.setattr(difference, "RESAMPLES", 100)
    rng, measure, found = np.random.default_rng(4), Measure(metric, 1, 0.5), []
    groups = np.repeat(np.arange(2000 // of_a_group), of_a_group)
    for seed in range(200):
        scores, labels = (np.repeat(one, of_a_group, axis=0) for one in calibrated(rng, 2000 // of_a_group, 2.5))
        found.append(difference.estimate(measure, labels, scores, np.ones(2000), groups, seed))
    spread = np.std([one.value for one in found])
    assert 0.85 < np.mean([one.error for one in found]) / spread < 1.15


def test_more_labels_show_a_smaller_drop(known, rng):
    few, many = (performance(known, window_of(*calibrated(rng, n, 2.5)), Terms()).plain for n in (200, 5000))
    assert many.smallest_drop < few.smallest_drop < 0.2


def test_the_drop_that_could_be_seen_is_seen_in_about_four_cases_of_five():
    rng = np.random.default_rng(3)
    known = replace(reference({}, *calibrated(rng, 1500, 2.5)), metric="accuracy")
    known = replace(known, holdout={"accuracy": HoldoutFigure(0.811, 0.0001, 10**9)})  # the truth, for 2.5
    own = performance(known, window_of(*calibrated(rng, 500, 2.5)), Terms()).plain
    share = own.smallest_drop / (2 * own.reference.value - 1)
    seen = [
        performance(known, window_of(scores, flipped(rng, labels, share)), Terms(), seed=number).status == "worse"
        for number in range(40)
        for scores, labels in [calibrated(rng, 500, 2.5)]
    ]
    assert 0.6 <= np.mean(seen) <= 0.97


def test_three_classes_are_compared_and_covered_by_predicted_label(rng):
    def draw(rows):
        scores = np.exp(1.5 * rng.normal(size=(rows, 3)))
        scores = scores / scores.sum(axis=1, keepdims=True)
        return scores, (scores.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1).clip(max=2)

    known, (scores, labels) = reference({}, *draw(1500)), draw(2000)
    assert performance(known, window_of(scores, labels), Terms()).status == "ok"
    found = performance(known, window_of(scores, np.where(scores.argmax(axis=1) == 1, labels, -1)), Terms())
    assert (found.status, found.coverage.status, found.restricted) == ("ok", "uneven", True)
    assert {one.label for one in found.coverage.deciles if one.coverage} == {"b"}
    shuffled = performance(known, window_of(scores, rng.permutation(labels)), Terms())
    assert shuffled.status == "worse"


def test_a_window_that_predicts_one_label_alone_has_strata_of_it(known, rng):
    scores = two(rng.uniform(0.6, 0.95, 400))
    labels = (rng.random(400) < scores[:, 1]).astype(np.int64)
    found = performance(replace(known, metric="log_loss"), window_of(scores, labels), Terms())
    assert {one.label for one in found.coverage.deciles} == {"b"}
    assert found.status != "waiting"


def test_delays_are_told(known, rng):
    scores, labels = calibrated(rng, 300, 2.5)
    window = replace(window_of(scores, labels), delay=np.linspace(1, 101, 300))
    found = performance(known, window, Terms())
    assert (found.delay.median, found.delay.longest) == (pytest.approx(51), 101)
    assert found.coverage.deciles[0].delay_median is not None


@pytest.mark.parametrize("rows", [400, 30_000])
def test_probabilities_that_are_right_let_expect_what_comes(known, rng, rows):
    scores, labels = calibrated(rng, rows, 2.5)
    found = estimate(known, scores, labels, 200)
    for figure in found.figures:
        truth = metrics.score(figure.metric, labels, scores, positive=1)
        assert figure.observed == pytest.approx(truth)
        spread = figure.high - figure.low
        assert abs(figure.expected - truth) < spread
        assert abs(figure.error) < spread
        assert spread < (0.2 if rows < 1000 else 0.03)


def test_what_many_probabilities_let_expect_is_of_all_of_them(known, rng, monkeypatch):
    monkeypatch.setattr(estimates, "MOST_ROWS", 500)
    scores = calibrated(rng, 5000, 2.5)[0]
    figure = estimate(known, scores, np.full(5000, -1), 200).figures[0]
    assert figure.expected == pytest.approx(scores.max(axis=1).mean())
    chance = np.sqrt((scores[:, 0] * scores[:, 1]).sum()) / 5000
    assert (figure.high - figure.low) / (2 * 1.96 * chance) == pytest.approx(1, abs=0.15)


def test_expected_roc_auc_is_exact_on_few_rows():
    scores = np.array([0.2, 0.5, 0.5, 0.9])
    pairs = right = 0.0
    for i in range(4):
        for j in range(4):
            if i != j:
                weight = scores[i] * (1 - scores[j])
                pairs += weight
                right += weight * (1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0)
    known = reference({}, two(scores), np.array([0, 1, 0, 1]))
    figure = estimate(known, two(scores), np.full(4, -1), 4).figures[2]
    assert (figure.metric, figure.expected) == ("roc_auc", pytest.approx(right / pairs))
    assert (figure.on_labelled, figure.observed, figure.error) == (None, None, None)


def test_concept_drift_is_invisible_to_the_estimate_until_labels_come(known, rng):
    scores, labels = calibrated(rng, 1000, 2.5)
    silent = estimate(known, scores, np.full(1000, -1), 200)
    told = estimate(known, scores, flipped(rng, labels, 0.3), 200)
    assert [one.expected for one in silent.figures] == [one.expected for one in told.figures]
    assert told.figures[0].error > 0.1
    assert "Concept drift cannot be seen" in told.assumption


def test_few_rows_have_no_estimate(known, rng):
    found = estimate(known, *calibrated(rng, 199), 200)
    assert (found.status, found.figures) == ("not-enough-data", [])


def test_certain_predictions_have_no_expected_roc_auc(known):
    found = estimate(known, two(np.ones(300)), np.full(300, -1), 200)
    assert [one.expected for one in found.figures] == [1.0, 0.0, None]


def test_three_classes_are_estimated(rng):
    scores = np.exp(rng.normal(size=(2000, 3)))
    scores = scores / scores.sum(axis=1, keepdims=True)
    labels = (scores.cumsum(axis=1) < rng.random((2000, 1))).sum(axis=1).clip(max=2)
    found = estimate(reference({}, scores, labels), scores, labels, 200)
    assert all(abs(one.error) < one.high - one.low for one in found.figures)
