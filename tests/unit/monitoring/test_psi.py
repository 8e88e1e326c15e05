"""The population stability index says how far something moved, and not how few rows there are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.drift import psi

counts = st.lists(st.integers(0, 500), min_size=1, max_size=20).map(lambda one: np.array(one, dtype=float))


@given(counts)
def test_a_sample_has_not_moved_from_itself(sample):
    assert psi.index(sample, sample) == psi.Index(0.0, 0.0)


def test_it_is_the_sum_over_cells_where_rows_are_many():
    before, after = np.array([0.2, 0.3, 0.5]), np.array([0.4, 0.3, 0.3])
    found = psi.index(before * 1e7, after * 1e7)
    assert found.value == pytest.approx(((after - before) * np.log(after / before)).sum(), abs=1e-5)
    assert found.low == pytest.approx(found.value, abs=2e-3)


@pytest.mark.parametrize("rows", [(242, 200), (1000, 5000)])
def test_chance_adds_nothing_to_it(rows):
    rng = np.random.default_rng(5)
    shares = np.full(10, 0.1)
    drawn = [psi.index(*(rng.multinomial(count, shares).astype(float) for count in rows)).value for _ in range(400)]
    chance = 9 * (1 / rows[0] + 1 / rows[1])
    assert np.mean(drawn) < 0.3 * chance  # what is below 0 counts as 0, so that the mean is a little above it
    assert np.mean(np.array(drawn) > 0.1) <= 0.05


def test_the_bound_lies_below_the_truth_in_95_cases_of_100():
    rng = np.random.default_rng(6)
    before, after = np.full(10, 0.1), np.array([0.2, 0.15, *np.full(7, 0.08), 0.09])
    truth = ((after - before) * np.log(after / before)).sum()
    drawn = [
        psi.index(rng.multinomial(1000, before).astype(float), rng.multinomial(500, after).astype(float)).low
        for _ in range(400)
    ]
    assert 0.92 <= np.mean(np.array(drawn) <= truth) <= 0.99


@given(counts)
def test_two_sides_can_change_places_but_for_the_bound(sample):
    other = sample[::-1].copy()
    assert psi.index(sample, other).value == pytest.approx(psi.index(other, sample).value)


def test_without_rows_or_with_one_cell_nothing_has_moved():
    assert psi.index(np.zeros(3), np.ones(3)) == psi.Index(0.0, 0.0)
    assert psi.index(np.array([5.0]), np.array([9.0])) == psi.Index(0.0, 0.0)


@given(counts, st.integers(2, 10))
def test_bins_are_merged_with_their_neighbours(bins, cells):
    merged = psi.merge(bins, cells)
    assert len(merged) == len(bins)
    assert set(np.diff(merged)) <= {0, 1}
    assert merged[-1] < cells


def test_64_equal_bins_become_ten_of_about_equal_count():
    sizes = np.bincount(psi.merge(np.full(64, 10.0), 10))
    assert len(sizes) == 10
    assert sizes.min() >= 6


def test_few_rows_carry_few_cells():
    assert [psi.number_of_cells(1000, rows) for rows in (5, 45, 10_000)] == [2, 4, 10]
