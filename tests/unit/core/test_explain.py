"""What an explanation promises, whatever the model: Shapley's axioms, and the same answer to the same question."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andamio.contract.columns import feature_columns
from andamio.errors import ReleaseError
from andamio.records.encode import Encoded, encode
from andamio.records.from_json import parse_records
from andamio.records.parse import parse
from andamio.release.explain import (
    FEWEST_ROWS,
    MOST_ROWS,
    Reference,
    explain,
    read_reference,
    rows_for,
    seed_of,
)
from andamio.release.samples import ReferenceRows
from andamio.storage import documents

from .making import PROBLEM, contract

EXACTLY, ROUGHLY = 10**6, 1
"""Budgets that allow for every coalition, and for one order a row."""


def reference(numbers, categories=None):
    """Reference rows with a feature a column."""
    rows = np.asarray(numbers, dtype=np.float32)
    texts = np.empty((len(rows), 0), dtype=object) if categories is None else np.array(categories, dtype=object)
    features = {f"n{column}": ((column,), ()) for column in range(rows.shape[1])}
    features |= {f"c{column}": ((), (column,)) for column in range(texts.shape[1])}
    return Reference(Encoded(rows, texts), features, ())


def two_classes(positive):
    return np.stack([1 - positive, positive], axis=1)


def crooked(seed):
    """A model with interactions of every order, missing values and categories included."""
    weights = np.random.default_rng(seed).normal(size=(12, 4))

    def predict(encoded):
        numbers = np.nan_to_num(encoded.numbers.astype(np.float64), nan=0.7)
        texts = np.vectorize(len, otypes=[float])(encoded.categories) if encoded.categories.size else encoded.categories
        row = np.concatenate([numbers, texts.astype(np.float64)], axis=1)
        hidden = np.tanh(row @ weights[: row.shape[1]])
        return two_classes(1 / (1 + np.exp(-hidden.sum(axis=1) - hidden.prod(axis=1) * 3)))

    return predict


def why(predict, rows, record, *, budget=EXACTLY, seed=7, target=1):
    probability = float(predict(record)[0, target])
    return explain(predict, rows, record, probability, target, rows=budget, seed=seed)


def brute_force(predict, rows, record, target=1):
    """Shapley's formula, coalition by coalition and row by row: slow, and nothing like the code it judges."""
    names = list(rows.features)

    def worth(coalition):
        total = 0.0
        for row in range(rows.encoded.rows):
            mixed = rows.encoded.take(np.array([row]))
            numbers, categories = mixed.numbers.copy(), mixed.categories.copy()
            for name in coalition:
                some, others = rows.features[name]
                numbers[0, list(some)] = record.numbers[0, list(some)]
                categories[0, list(others)] = record.categories[0, list(others)]
            total += float(predict(Encoded(numbers, categories))[0, target])
        return total / rows.encoded.rows

    found = {}
    for name in names:
        others = [other for other in names if other != name]
        found[name] = sum(
            (worth((*coalition, name)) - worth(coalition)) / (len(names) * math.comb(len(names) - 1, size))
            for size in range(len(names))
            for coalition in itertools.combinations(others, size)
        )
    return found


cell = st.one_of(st.sampled_from([0.0, 1.0, math.nan]), st.floats(-3, 3, width=32))


@st.composite
def cases(draw, widest=6):
    """Reference rows and a record: some values shared, some missing."""
    width, texts, rows = draw(st.integers(1, widest)), draw(st.integers(0, 2)), draw(st.integers(1, 5))
    numbers = draw(st.lists(st.lists(cell, min_size=width, max_size=width), min_size=rows + 1, max_size=rows + 1))
    words = st.lists(st.sampled_from(["", "a", "bb", "ccc"]), min_size=texts, max_size=texts)
    categories = np.array(draw(st.lists(words, min_size=rows + 1, max_size=rows + 1)), dtype=object)
    categories = categories.reshape(rows + 1, texts)
    whole = reference(np.array(numbers), categories)
    record = whole.encoded.take(np.array([rows]))
    return dataclasses.replace(whole, encoded=whole.encoded.take(np.arange(rows))), record


@settings(max_examples=60, deadline=None)
@given(cases(), st.integers(0, 99), st.sampled_from([EXACTLY, 200, ROUGHLY]))
def test_contributions_sum_to_prediction_minus_average(case, model, budget):
    rows, record = case
    predict = crooked(model)
    found = why(predict, rows, record, budget=budget)
    assert sum(found.contributions.values()) == pytest.approx(found.probability - found.average, abs=1e-9)
    assert found.average == pytest.approx(float(predict(rows.encoded)[:, 1].mean()), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(cases(widest=3), st.integers(0, 99))
def test_with_few_features_they_are_shapley_s_own_formula(case, model):
    rows, record = case
    found = why(crooked(model), rows, record)
    assert found.exact
    assert found.contributions == pytest.approx(brute_force(crooked(model), rows, record), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(cases(), st.sampled_from([EXACTLY, 200]))
def test_a_feature_that_the_model_does_not_use_contributes_nothing(case, budget):
    rows, record = case
    predict = crooked(3)

    def blind(encoded):
        numbers = encoded.numbers.copy()
        numbers[:, 0] = 0
        return predict(Encoded(numbers, encoded.categories))

    assert why(blind, rows, record, budget=budget).contributions["n0"] == pytest.approx(0.0, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-2, 2, width=32), min_size=2, max_size=5), st.floats(-2, 2, width=32))
def test_features_that_do_the_same_contribute_the_same(others, value):
    rows = reference([[other, other, 1.0] for other in others])
    record = reference([[value, value, 2.0]]).encoded

    def alike(encoded):
        left, right, third = encoded.numbers.astype(np.float64).T
        return two_classes(1 / (1 + np.exp(-(left * right + left + right) * third)))

    found = why(alike, rows, record).contributions
    assert found["n0"] == pytest.approx(found["n1"], abs=1e-9)


@pytest.mark.parametrize("budget", [EXACTLY, 50 * 18])
def test_of_a_linear_model_they_are_weight_times_distance_from_the_mean(budget):
    random = np.random.default_rng(5)
    rows = reference(random.normal(size=(50, 9)))
    record = reference(random.normal(size=(1, 9))).encoded
    weights = random.normal(size=9)

    def linear(encoded):
        return two_classes(encoded.numbers.astype(np.float64) @ weights)

    found = why(linear, rows, record, budget=budget).contributions
    expected = weights * (record.numbers[0].astype(np.float64) - rows.encoded.numbers.mean(axis=0, dtype=np.float64))
    assert list(found.values()) == pytest.approx(expected.tolist(), abs=1e-9)


def test_sampled_ones_are_near_the_exact_ones_and_the_error_says_how_near():
    random = np.random.default_rng(11)
    rows = reference(random.normal(size=(60, 8)), random.choice(["", "a", "bb"], (60, 2)))
    record = reference(random.normal(size=(1, 8)), [["ccc", "a"]]).encoded
    exact = why(crooked(1), rows, record, budget=10**7)
    assert exact.exact
    assert exact.error == 0
    errors = []
    for seed in range(20):
        near = why(crooked(1), rows, record, budget=12_000, seed=seed)
        assert not near.exact
        gaps = [near.contributions[name] - value for name, value in exact.contributions.items()]
        errors.append(max(map(abs, gaps)))
        assert near.error > 0
    assert max(errors) < 4 * near.error


@settings(max_examples=20, deadline=None)
@given(cases(), st.integers(0, 2**63))
def test_the_same_seed_says_the_same(case, seed):
    rows, record = case
    first = why(crooked(2), rows, record, budget=ROUGHLY, seed=seed)
    assert first == why(crooked(2), rows, record, budget=ROUGHLY, seed=seed)


def test_the_model_is_asked_once_and_never_about_more_than_it_may_be():
    rows = reference(np.random.default_rng(1).normal(size=(100, 12)))
    record = reference(np.zeros((1, 12))).encoded
    asked = []

    def counting(encoded):
        asked.append(encoded.rows)
        return crooked(1)(encoded)

    scored = rows.scored(crooked(1))
    for budget in (500, 2_500, 5_000, 12_000):
        asked.clear()
        found = explain(counting, scored, record, 0.5, 1, rows=budget, seed=1)
        assert asked == [found.evaluations]
        assert found.evaluations <= budget
        assert explain(counting, rows, record, 0.5, 1, rows=budget, seed=1).average == pytest.approx(found.average)
        assert sum(asked[1:]) <= budget, "with the reference rows themselves"


def test_what_record_and_reference_share_is_not_asked_twice():
    rows = reference(np.zeros((50, 12)))
    record = rows.encoded.take(np.array([0]))
    found = why(crooked(1), rows, record)
    assert found.evaluations == 0
    assert set(found.contributions.values()) == {0.0}


def test_of_more_classes_the_one_asked_for_is_explained():
    def three(encoded):
        scores = np.exp(encoded.numbers.astype(np.float64) @ np.array([[1.0, 0, -1], [0, 2, 0]]))
        return scores / scores.sum(axis=1, keepdims=True)

    rows, record = reference([[0, 0], [1, -1]]), reference([[1.0, 1.0]]).encoded
    found = [why(three, rows, record, target=target) for target in range(3)]
    assert sum(each.probability for each in found) == pytest.approx(1)
    for name in ("n0", "n1"):
        assert sum(each.contributions[name] for each in found) == pytest.approx(0, abs=1e-9)


def test_a_large_model_is_asked_less_and_none_beyond_bounds():
    sizes = [rows_for(size) for size in (0, 1_000, 300_000, 500_000, 10**9)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (MOST_ROWS, FEWEST_ROWS)
    assert sizes[2] > sizes[3]


@pytest.mark.parametrize("features", [13, 64, 300, 1200])
def test_many_features_are_explained_within_the_budget_against_the_average_of_all_rows(features):
    random = np.random.default_rng(1)
    rows = reference(random.normal(size=(1000, features)))
    record = reference(random.normal(size=(1, features))).encoded
    predict = ten_classes(features)
    found = why(predict, rows.scored(predict), record, budget=3_000, target=7)
    assert found.evaluations <= 3_000
    assert found.average == pytest.approx(float(predict(rows.encoded)[:, 7].mean()), abs=1e-12)
    assert sum(found.contributions.values()) == pytest.approx(found.probability - found.average, abs=1e-9)
    assert found.error > 0


@pytest.mark.parametrize("features", [64, 600])
def test_where_rows_are_drawn_a_feature_that_the_model_does_not_use_contributes_nothing_either(features):
    random = np.random.default_rng(4)
    rows, predict = reference(random.normal(size=(200, features))), ten_classes(features)
    record = reference(random.normal(size=(1, features))).encoded

    def blind(encoded):
        return predict(Encoded(np.where(np.arange(features) == 0, 0, encoded.numbers), encoded.categories))

    found = why(blind, rows, record, budget=3_000)
    assert (found.contributions["n0"], found.margins["n0"]) == pytest.approx((0, 0), abs=1e-12)
    assert found.margins["n1"] > 0


def ten_classes(features):
    weights = np.random.default_rng(2).normal(size=(features, 10)) * 2 / math.sqrt(features)

    def predict(encoded):
        scores = np.exp(np.tanh(encoded.numbers.astype(np.float64)) @ weights)
        return scores / scores.sum(axis=1, keepdims=True)

    return predict


@pytest.mark.parametrize("budget", [3_000, 12_000])
def test_margins_count_the_drawing_of_rows_and_hold_what_all_rows_and_many_orders_give(budget):
    random = np.random.default_rng(3)
    rows = reference(random.normal(size=(300, 64)))
    predict = ten_classes(64)
    rows, held, judged = rows.scored(predict), 0, 0
    for seed in range(4):
        record = reference(random.normal(size=(1, 64))).encoded
        target = int(predict(record)[0].argmax())
        many = why(predict, rows, record, budget=300 * 127 * 3, target=target)
        found = why(predict, rows, record, budget=budget, target=target, seed=seed)
        gaps = np.array([abs(found.contributions[name] - many.contributions[name]) for name in rows.features])
        held += int((gaps <= np.array(list(found.margins.values()))).sum())
        judged += len(gaps)
    assert 0.9 <= held / judged < 1


# The release's reference rows

MIXED = """
[features.age]
type = "integer"
[features.born_on]
type = "date"
required = false
[features.name]
type = "category"
values = ["Ada", "Grace"]
private = true
[features.smokes]
type = "boolean"
required = false
[features.kind]
type = "category"
values = ["a", "b"]
required = false
"""
DOCUMENT = ReferenceRows(
    rows=3,
    columns={
        "age": (30.0, 40.0, 50.0),
        "born_on": ("1990-05-17", None, "1970-01-02"),
        "smokes": (1.0, 0.0, None),
        "kind": ("a", None, "b"),
    },
)


def test_reference_rows_are_read_as_training_wrote_them():
    mixed = contract(MIXED)
    read = read_reference(mixed, documents.parse(DOCUMENT.to_json(), ReferenceRows, "reference.json"))
    expected = encode(
        mixed,
        parse(
            mixed,
            {
                "age": [30, 40, 50],
                "born_on": ["1990-05-17", None, "1970-01-02"],
                "name": ["", "", ""],
                "smokes": [True, False, None],
                "kind": ["a", None, "b"],
            },
            3,
            text=False,
        ),
    )
    assert np.array_equal(read.encoded.numbers, expected.numbers, equal_nan=True)
    assert read.encoded.categories.tolist() == expected.categories.tolist()


def test_a_date_s_three_columns_are_one_feature_and_private_ones_are_held():
    read = read_reference(contract(MIXED), DOCUMENT)
    assert read.features == {"age": ((0,), ()), "born_on": ((1, 2, 3), ()), "smokes": ((4,), ()), "kind": ((), (1,))}
    assert read.held == ("name",)


def test_a_held_feature_has_the_record_s_value_in_every_row_that_is_asked():
    mixed = contract(MIXED)
    read = read_reference(mixed, DOCUMENT)
    record = encode(mixed, parse_records(mixed, [{"age": 60, "born_on": "2000-02-03", "name": "Ada", "kind": "b"}]))
    seen = []

    def watching(encoded):
        seen.append(encoded)
        return two_classes(np.full(encoded.rows, 0.3))

    found = explain(watching, read, record, 0.3, 1, rows=EXACTLY, seed=1)
    assert "name" not in found.contributions
    for encoded in seen:
        assert set(encoded.categories[:, 0].tolist()) == {"Ada"}
    ages = {tuple(row) for encoded in seen for row in np.nan_to_num(encoded.numbers[:, 1:4], nan=-1).tolist()}
    whole = {tuple(row) for row in np.nan_to_num(read.encoded.numbers[:, 1:4], nan=-1).tolist()}
    assert ages <= whole | {tuple(record.numbers[0, 1:4].tolist())}, "a date joins whole"


def test_a_private_feature_is_held_even_where_a_reference_has_it():
    leaked = dataclasses.replace(DOCUMENT, columns={**DOCUMENT.columns, "name": ("Ada", "Ada", "Grace")})
    assert read_reference(contract(MIXED), leaked).held == ("name",)


def test_where_ages_count_up_to_a_time_that_was_not_kept_dates_are_held():
    timed = contract(MIXED, PROBLEM + 'time = "at"\n')
    assert read_reference(timed, DOCUMENT).held == ("born_on", "name")
    kept = read_reference(timed, dataclasses.replace(DOCUMENT, time=("2020-05-17",) * 3))
    assert kept.held == ("name",)
    assert kept.encoded.numbers[0, 1] == 10958  # 30 years


def test_where_all_features_are_private_there_is_nothing_to_tell_apart():
    private = contract('[features.x]\ntype = "number"\nprivate = true\n')
    read = read_reference(private, ReferenceRows(5, {}))
    record = encode(private, parse_records(private, [{"x": 1.5}]))
    found = explain(lambda encoded: two_classes(np.full(encoded.rows, 0.4)), read, record, 0.4, 1, rows=100, seed=1)
    assert (found.contributions, found.average, read.held) == ({}, 0.4, ("x",))


@pytest.mark.parametrize("document", [ReferenceRows(0, {}), ReferenceRows(1, {"age": ("old",)})])
def test_a_reference_that_is_none_is_refused(document):
    with pytest.raises(ReleaseError, match="reference"):
        read_reference(contract(MIXED), document)


def test_every_column_belongs_to_one_feature():
    mixed = contract(MIXED)
    places = feature_columns(mixed.inputs)
    assert sorted(n for numbers, _ in places.values() for n in numbers) == list(range(len(mixed.number_columns)))
    assert sorted(c for _, others in places.values() for c in others) == list(range(len(mixed.category_columns)))


def test_one_record_has_one_seed_however_it_is_written():
    mixed = contract(MIXED)

    def seed(version="1", **changed):
        record = {"age": 60, "name": "Ada", "kind": "b", "smokes": None, **changed}
        return seed_of(version, encode(mixed, parse_records(mixed, [record])))

    assert seed() == seed(age=60.0) == seed(kind=" b ")
    assert len({seed(), seed(age=61), seed(kind="a"), seed(version="2"), seed(smokes=False)}) == 5
