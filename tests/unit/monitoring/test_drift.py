"""Drift is found where something moved, named by what moved, and by nothing that did not."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits
from monitoring.drift.rejects import Refused
from tests.unit.monitoring import references
from tests.unit.monitoring.references import calibrated, feature, two

DAY = np.datetime64("2026-01-01")


def rows_of(rng, rows):
    size = rng.normal(100, 15, rows)
    return {
        "size": size,
        "weight": 0.8 * (size - 100) + rng.normal(0, 9, rows),
        "colour": rng.choice(np.array(["red", "green", "blue"], dtype=object), rows, p=[0.6, 0.3, 0.1]),
        "new": rng.integers(0, 2, rows).astype(float),
        "since": DAY + rng.integers(0, 300, rows).astype("timedelta64[D]"),
    }


TYPES = {"size": "number", "weight": "number", "colour": "category", "new": "boolean", "since": "date"}


def some(rng, column, share, value):
    """The column with another value in a share of its rows."""
    return np.where(rng.random(len(column)) < share, value, column).astype(column.dtype)


def reference_of(columns, scores, labels, **options):
    return references.reference(
        {name: feature(TYPES[name], column) for name, column in columns.items()}, scores, labels, **options
    )


@pytest.fixture
def rng():
    return np.random.default_rng(8)


@pytest.fixture
def known(rng):
    return reference_of(rows_of(rng, 800), *calibrated(rng, 800))


def seen(known, columns, scores=None, **options):
    rows = len(next(iter(columns.values()), []))
    if scores is None:
        scores = calibrated(np.random.default_rng(9), rows)[0]
    return compare(known, columns, scores, (scores[:, 1] >= 0.5).astype(np.int64), Limits(), **options)


def test_a_reference_has_not_drifted_from_itself(rng):
    columns, (scores, labels) = rows_of(rng, 600), calibrated(rng, 600)
    found = seen(reference_of(columns, scores, labels), columns, scores)
    assert found.status == "ok"
    assert [one.statistic for one in found.features] == [0.0] * 5
    assert found.message == "No feature has moved, of 5."


def test_rows_of_the_same_kind_are_silent(known, rng):
    found = seen(known, rows_of(rng, 700))
    assert (found.status, found.drifted, found.joint.status, found.predictions.status) == ("ok", [], "ok", "ok")
    assert (found.reference_rows, found.window_rows, found.rows_seen) == (800, 700, 700)


def test_a_window_of_which_nothing_can_be_compared_is_not_called_well(rng):
    private = references.reference({}, *calibrated(rng, 4))
    found = seen(private, rows_of(rng, 700))
    assert (found.status, found.features, found.predictions.status) == ("not-enough-data", [], "not-enough-data")
    assert found.message.startswith("Nothing of the records can be compared")
    assert seen(references.reference({}, *calibrated(rng, 800)), rows_of(rng, 700)).status == "ok", "predictions were"


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("size", lambda column, rng: column + 10, "distribution"),
        ("size", lambda column, rng: some(rng, column, 0.1, np.nan), "missing"),
        ("size", lambda column, rng: some(rng, column, 0.08, 900.0), "out-of-range"),
        ("colour", lambda column, rng: np.where(column == "red", "green", column).astype(object), "distribution"),
        ("colour", lambda column, rng: some(rng, column, 0.1, "pink"), "unseen"),
        ("colour", lambda column, rng: some(rng, column, 0.1, ""), "missing"),
        ("new", lambda column, rng: some(rng, column, 0.4, 1.0), "distribution"),
        ("since", lambda column, rng: column + np.timedelta64(60, "D"), "distribution"),
        ("since", lambda column, rng: some(rng, column, 0.2, np.datetime64("NaT", "D")), "missing"),
    ],
)
def test_what_moved_is_named_with_how(known, rng, name, change, reason):
    columns = rows_of(rng, 500)
    found = seen(known, columns | {name: change(columns[name], rng)})
    assert found.status == "drift"
    assert found.drifted == [name]
    assert reason in found.features[0].reasons
    assert found.features[0].effect > 0
    assert name in found.message


def test_an_unseen_value_is_told_with_its_count(known, rng):
    columns = rows_of(rng, 500)
    columns["colour"][:60] = "pink"
    unseen = seen(known, columns).features[0].unseen
    assert (unseen.values, unseen.share, unseen.drifted) == ({"pink": 60}, 60 / 500, True)


def test_values_that_occur_once_make_new_ones_unsurprising(rng):
    names = np.array([f"v{number}" for number in range(100_000)], dtype=object)
    columns = {"colour": rng.choice(names[:90], 400)}
    columns["colour"][:200] = names[1000:1200]  # every second value is of its own
    window = {"colour": rng.choice(names[:90], 400)}
    window["colour"][:200] = names[5000:5200]
    found = seen(reference_of(columns, *calibrated(rng, 400)), window)
    unseen = found.features[0].unseen
    assert (unseen.drifted, unseen.share >= 0.5, unseen.expected >= 0.5) == (False, True, True)


def test_where_the_reference_does_not_name_all_values_none_counts_as_unseen(known, rng):
    colour = replace(known.features["colour"], other=40, rows=840)
    columns = rows_of(rng, 500)
    columns["colour"][:30] = "pink"
    found = seen(replace(known, features={"colour": colour}), columns)
    assert found.features[0].unseen is None
    assert found.features[0].cells[-1].label == "(other)"


def test_features_that_moved_most_come_first(known, rng):
    columns = rows_of(rng, 500)
    columns["since"] = columns["since"] + np.timedelta64(40, "D")
    columns["weight"] = np.where(rng.random(500) < 0.95, np.nan, columns["weight"])
    columns["size"] = columns["size"] + 15
    found = seen(known, columns)
    assert found.drifted == ["weight", "size", "since"]
    assert found.message.startswith("3 of 5 features have moved: weight (missing)")


def test_a_feature_that_has_hardly_any_value_left_is_missing_and_not_distributed_otherwise(known, rng):
    columns = rows_of(rng, 500)
    columns["size"][:495] = np.nan
    first = seen(known, columns).features[0]
    assert (first.feature, first.test, first.p, first.psi, first.reasons) == ("size", "none", None, None, ["missing"])


def test_features_that_change_together_are_seen_by_the_classifier_alone(known, rng):
    columns = rows_of(rng, 1000)
    columns["weight"] = rng.permutation(columns["weight"])
    found = seen(known, columns)
    assert (found.status, found.drifted) == ("drift", [])
    assert (found.joint.status, found.joint.only_joint) == ("drift", True)
    assert found.joint.auc > 0.6
    assert "no longer go together" in found.message


def test_joint_drift_is_the_same_for_the_same_seed(known, rng):
    columns = rows_of(rng, 3000)
    assert seen(known, columns, seed=4).joint == seen(known, columns, seed=4).joint
    assert seen(known, columns, seed=4).joint.window_rows == 2000


def test_permutations_are_right_about_chance():
    from monitoring.drift import joint

    p_values = []
    for number in range(200):
        rng = np.random.default_rng(number)
        rows = rng.normal(size=(120, 3))
        p_values.append(joint.classify(rows, np.arange(120) >= 60, rng)[1])
    assert 0.02 <= np.mean(np.array(p_values) <= 0.05) <= 0.09
    assert 0.42 <= np.mean(np.array(p_values) <= 0.5) <= 0.58


def test_many_columns_are_projected_before_they_are_classified(rng):
    from monitoring.drift import joint

    rows = rng.normal(size=(300, 150))
    rows[150:] += 0.5
    auc, p = joint.classify(rows, np.arange(300) >= 150, rng)
    assert auc > 0.9
    assert p < 1e-6


def test_predictions_that_moved_are_drift_without_any_feature(known, rng):
    scores = two(np.clip(calibrated(rng, 600)[0][:, 1] + 0.25, 0, 1))
    found = seen(known, rows_of(rng, 600), scores).predictions
    assert (found.status, found.scores_drifted, found.labels_drifted) == ("drift", True, True)
    assert [one.label for one in found.labels] == ["a", "b"]


def test_of_three_classes_the_one_that_moved_most_is_told(rng):
    def draw(rows, bias):
        scores = np.exp(rng.normal(size=(rows, 3)) + np.array([0, 0, bias]))
        return scores / scores.sum(axis=1, keepdims=True)

    known = reference_of(rows_of(rng, 500), draw(500, 0.0), rng.integers(0, 3, 500))
    columns = rows_of(rng, 500)
    same, moved = draw(500, 0.0), draw(500, 1.0)
    assert compare(known, columns, same, same.argmax(axis=1), Limits()).predictions.status == "ok"
    found = compare(known, columns, moved, moved.argmax(axis=1), Limits()).predictions
    assert (found.status, found.p < 1e-9, len(found.labels)) == ("drift", True, 3)


def test_few_rows_are_never_no_drift(known, rng):
    for rows in (0, 199):
        columns = {name: column + 500 if name == "size" else column for name, column in rows_of(rng, rows).items()}
        found = seen(known, columns)
        assert (found.status, found.features, found.joint.status) == ("not-enough-data", [], "not-enough-data")
        assert found.predictions.status == "not-enough-data"
        assert f"The window has {rows} rows; 200 are needed" in found.message


def test_refused_records_ring_where_no_row_is_left_to_compare(known):
    refused = Refused(rows=294, rejected=294, reasons={("chol", "below-minimum"): 290, ("age", "not-a-number"): 2})
    columns = rows_of(np.random.default_rng(1), 0)
    found = seen(known, columns, refused=refused, refused_before=Refused(303, 0, {}))
    assert (found.status, found.rejects.status) == ("drift", "drift")
    assert [(one.field, one.drifted) for one in found.rejects.reasons] == [("chol", True), ("age", False)]
    assert "chol (below-minimum, 99%)" in found.message


@pytest.mark.parametrize(
    ("before", "drifts"),
    [(Refused(1000, 120, {("size", "above-maximum"): 120}), False), (Refused(1000, 2, {}), True), (None, True)],
)
def test_refused_records_count_against_what_is_usual(known, rng, before, drifts):
    refused = Refused(500, 60, {("size", "above-maximum"): 60})
    found = seen(known, rows_of(rng, 440), refused=refused, refused_before=before).rejects
    assert found.status == ("drift" if drifts else "ok")
    assert found.reasons[0].reference == (None if before is None else 0.12 if not drifts else 0.0)


def test_few_records_are_too_few_to_say_that_many_are_refused(known, rng):
    refused = Refused(20, 19, {("size", "above-maximum"): 19})
    assert seen(known, rows_of(rng, 0), refused=refused).rejects.status == "not-enough-data"


def test_a_feature_without_a_column_is_skipped_and_said_so(known, rng):
    columns = rows_of(rng, 300)
    del columns["size"]
    found = seen(replace(known, skipped={"name": "private: it is never captured"}), columns)
    assert found.skipped == {"name": "private: it is never captured", "size": "the captures have no column of it"}
    assert "size" not in [one.feature for one in found.features]
    assert "name" not in [one.feature for one in found.features]


def test_a_constant_feature_and_one_without_values_are_compared_without_a_fault(rng):
    columns = {"size": np.full(300, 7.0), "weight": np.full(300, np.nan), "colour": np.full(300, "", dtype=object)}
    known = reference_of(columns, *calibrated(rng, 300))
    assert seen(known, columns).status == "ok"
    moved = seen(known, columns | {"size": np.full(300, 8.0), "weight": np.full(300, 1.0)})
    assert moved.drifted == ["weight", "size"]
    assert moved.features[0].reasons == ["missing"]


def test_a_window_with_one_predicted_class_is_compared(known, rng):
    found = seen(known, rows_of(rng, 300), two(np.full(300, 0.9)))
    assert found.predictions.status == "drift"
    assert found.predictions.labels[1].window == 1.0


def test_limits_follow_the_contract():
    from andamio.contract.tables import Monitor

    limits = Limits.of(Monitor(drift_psi=0.3, min_rows=50))
    assert (limits.psi, limits.share, limits.min_rows) == (0.3, 0.15, 50)


def test_a_small_change_is_no_drift_however_many_rows_show_it(rng):
    columns, window = rows_of(rng, 20_000), rows_of(rng, 20_000)
    window["size"] = window["size"] + 1.5
    found = seen(reference_of(columns, *calibrated(rng, 5000)), window, with_joint=False)
    first = next(one for one in found.features if one.feature == "size")
    assert first.p <= found.p_limit
    assert (first.psi < 0.1, first.drifted, found.status) == (True, False, "ok")


def test_many_rare_reasons_are_together_a_change(known, rng):
    """Of 1,000 records 400 are refused: 40 for each of ten fields, which is no change of any of them."""
    refused = Refused(1000, 400, {(f"f{index}", "not-a-number"): 40 for index in range(10)})
    found = seen(known, rows_of(rng, 600), refused=refused, refused_before=Refused(1000, 10, {}))
    assert found.rejects.drifted
    assert (found.rejects.status, [one.drifted for one in found.rejects.reasons]) == ("drift", [False] * 10)
    assert "40% of all, for several reasons" in found.message
