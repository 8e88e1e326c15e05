"""The rates of the leakage audit, on what `benchmarks/sureness/leaks.py` has without a download; the rest is there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks.sureness import leaks
from etl.twins import Records


def heart() -> leaks.Table:
    return leaks.table_of(pd.read_csv(leaks.HEART), "disease")


def found(leak: str) -> int:
    """In how many draws of ten a leak is found in heart's table."""
    plant, sign = leaks.LEAKS[leak]
    table = heart()
    hits = 0
    for seed in range(10):
        suspects = leaks.audited(plant(table, np.random.default_rng(seed)))
        assert {one.feature for one in suspects} <= {"leak", ""}, "no honest column is suspected beside the leak"
        hits += any(sign in (one.kind, one.feature) for one in suspects)
    return hits


@pytest.mark.parametrize("leak", [name for name in leaks.LEAKS if "copy" in name or "missing" in name])
def test_a_copy_of_the_label_with_up_to_5_percent_mistakes_is_found_in_nine_of_ten_draws(leak: str) -> None:
    assert found(leak) >= 9


@pytest.mark.parametrize("leak", ["30% of rows twice", "10% of rows with a value off"])
def test_copies_and_versions_of_rows_are_found_in_nine_of_ten_draws(leak: str) -> None:
    assert found(leak) >= 9


def test_honest_tables_that_tempt_an_audit_raise_no_suspect() -> None:
    assert leaks.audited(heart()) == []
    raised = [(name, one.message) for name, table in leaks.made_tables(4) for one in leaks.audited(table)]
    assert raised == []


def test_a_boolean_as_good_as_a_copy_is_no_suspect_where_the_others_are_in_doubt_too() -> None:
    rng = np.random.default_rng(4)
    health = rng.normal(size=1500)
    labels = (health > 0).astype(np.int64)
    signs = {f"sign{n}": (health + 0.15 * rng.normal(size=1500) > 0).astype(float) for n in range(6)}
    honest = leaks.Table(signs, labels)
    assert (signs["sign0"] == labels).mean() > 0.93, "as strong as a copy with 5% mistakes"
    assert leaks.audited(honest) == []
    (copy,) = leaks.audited(leaks.copy_of_target(0.05)(honest, rng))
    assert (copy.kind, copy.feature) == ("copies_target", "leak")
    assert "nearly copies the label" in copy.message


def test_two_copies_with_the_same_mistakes_do_not_excuse_each_other() -> None:
    rng = np.random.default_rng(5)
    table = heart()
    copy = leaks.flipped(table, 0.04, rng)
    both = table.with_column("one", copy.astype(float)).with_column("two", np.where(copy, "ill", "well").astype(object))
    assert {one.feature for one in leaks.audited(both)} == {"one", "two"}


def test_near_twins_are_counted_as_a_comparison_of_all_pairs_counts_them() -> None:
    rng = np.random.default_rng(0)
    columns = [rng.integers(3, size=60) for _ in range(5)]
    rows, of = np.stack(columns, axis=1), np.arange(60) < 20
    differing = (rows[of][:, None] != rows[~of][None]).sum(axis=2)
    records = Records(columns)
    labels = np.zeros(60, dtype=np.int64)
    assert records.equal(of, ~of).found[of].tolist() == (differing.min(axis=1) == 0).tolist()
    assert records.near(of, ~of, labels).found[of].tolist() == (differing.min(axis=1) == 1).tolist()
