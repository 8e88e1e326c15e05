"""Function or task: by size, as the deployment offers, and as large as the data need."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from training.compute import FUNCTION_CELLS, SIZES, computing, fits_function, of_trial, task_size


def test_small_data_fit_a_function_and_large_ones_do_not():
    assert fits_function(100_000, 13)
    assert fits_function(FUNCTION_CELLS, 1)
    assert not fits_function(FUNCTION_CELLS + 1, 1)


@pytest.mark.parametrize(
    ("offered", "rows", "where"),
    [
        ("auto", 1_000, "function"),
        ("auto", 1_000_000, "task"),
        ("function", 1_000_000, "function"),
        ("task", 1_000, "task"),
    ],
)
def test_size_decides_where_the_deployment_leaves_it_open(offered, rows, where):
    assert computing(offered, rows, 13).where == where


@pytest.mark.parametrize(
    ("offered", "rows", "where"),
    [("auto", 60_000, "function"), ("auto", None, "task"), ("task", 60_000, "task"), ("function", None, "function")],
)
def test_a_trial_that_is_given_few_rows_in_a_race_needs_no_task(offered, rows, where):
    plan = SimpleNamespace(computing=computing(offered, 1_000_000, 13))
    assert of_trial(plan, rows) == where


def test_a_plan_of_an_earlier_version_is_computed_by_functions():
    assert of_trial(SimpleNamespace(computing=None), None) == "function"


def test_a_task_is_as_large_as_the_data_need_and_never_larger_than_there_is():
    sizes = [task_size(10**power, 13) for power in range(3, 9)]
    memory = [int(size.memory) for size in sizes]
    assert memory == sorted(memory)
    assert memory[0] == SIZES[0][1] * 1024
    assert memory[-1] == SIZES[-1][1] * 1024
    assert task_size(3_000_000, 13).memory == str(16 * 1024)


def test_fargate_has_each_size():
    """Its table: 2 vCPU take 4 to 16 GB, 4 take 8 to 30, 8 take 16 to 60 by fours, 16 take 32 to 120 by eights."""
    allowed = {2: range(4, 17), 4: range(8, 31), 8: range(16, 61, 4), 16: range(32, 121, 8)}
    assert all(gib in allowed[cpus] for cpus, gib in SIZES)
