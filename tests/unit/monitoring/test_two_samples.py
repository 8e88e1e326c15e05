"""Statistics agree with SciPy's, whatever the samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitoring.drift import two_samples
from monitoring.drift.two_samples import beyond_share, chi_square, false_discovery_limit, kolmogorov_smirnov, two_shares

values = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=40).map(np.array)
counts = st.lists(st.integers(0, 50), min_size=2, max_size=6)


@given(values, values)
def test_the_distance_of_two_distributions_is_that_of_scipy(first, second):
    statistic, _ = kolmogorov_smirnov(first, second)
    assert statistic == pytest.approx(stats.ks_2samp(first, second, method="asymp").statistic)
    assert kolmogorov_smirnov(second, first)[0] == pytest.approx(statistic)


@pytest.mark.parametrize("rows", [(200, 242), (1000, 200), (1000, 20_000)])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_the_p_value_of_kolmogorov_and_smirnov_is_that_of_scipy(rows, shift):
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=rows[0]), rng.normal(shift, size=rows[1])
    expected = stats.ks_2samp(first, second, method="exact" if max(rows) <= 1000 else "asymp").pvalue
    assert kolmogorov_smirnov(first, second)[1] == pytest.approx(expected, rel=0.075)


@given(values, values, st.floats(0.01, 100), st.floats(-100, 100))
def test_scale_does_not_matter(first, second, scale, offset):
    plain, moved = (
        kolmogorov_smirnov(first, second),
        kolmogorov_smirnov(scale * first + offset, scale * second + offset),
    )
    assert moved == pytest.approx(plain)


@given(values)
def test_a_sample_does_not_differ_from_itself(sample):
    assert kolmogorov_smirnov(sample, sample) == (0.0, 1.0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=6))
def test_chi_square_is_that_of_scipy(pairs):
    table = np.array(pairs, dtype=float).T
    table = table[:, table.sum(axis=0) > 0]
    found = chi_square(*np.array(pairs, dtype=float).T)
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        assert found == (0.0, None)
        return
    expected = stats.chi2_contingency(table, correction=False)
    assert found == pytest.approx((expected.statistic, expected.pvalue), abs=1e-9)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_two_shares_are_tested_as_fisher_does(first_rows, second_rows, data):
    first, second = data.draw(st.integers(0, first_rows)), data.draw(st.integers(0, second_rows))
    table = [[second, second_rows - second], [first, first_rows - first]]
    greater = stats.fisher_exact(table, alternative="greater").pvalue
    less = stats.fisher_exact(table, alternative="less").pvalue
    assert two_shares(first, first_rows, second, second_rows, greater=True) == pytest.approx(greater, abs=1e-9)
    assert two_shares(first, first_rows, second, second_rows) == pytest.approx(min(1, 2 * min(greater, less)), abs=1e-9)


def test_large_samples_are_tested_nearly_as_exactly(monkeypatch):
    arguments = (3000, 30_000, 3160, 30_000)
    exact = two_shares(*arguments), two_shares(*arguments, greater=True)
    monkeypatch.setattr(two_samples, "_EXACT_CELLS", 1000)
    assert (two_shares(*arguments), two_shares(*arguments, greater=True)) == pytest.approx(exact, rel=0.02)


def test_a_side_without_rows_is_not_tested():
    assert two_shares(0, 0, 3, 10) is None
    assert two_shares(3, 10, 0, 0) is None
    assert beyond_share(0, 0, 0.01) is None


def test_refused_records_against_a_share_are_a_binomial_test():
    assert beyond_share(7, 100, 0.01) == pytest.approx(stats.binomtest(7, 100, 0.01, alternative="greater").pvalue)
    assert beyond_share(0, 100, 0.01) == 1.0


@settings(max_examples=200)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=30), st.floats(0.001, 0.5))
def test_the_tests_that_count_are_those_that_scipy_keeps(p_values, q):
    tested = [p for p in p_values if p is not None]
    tests, limit = false_discovery_limit(p_values, q)
    assert tests == len(tested)
    if tested:
        kept = np.array(tested) <= limit if limit > 0 else np.array(tested) == 0
        assert kept.sum() == (stats.false_discovery_control(tested) <= q).sum()
