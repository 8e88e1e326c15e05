"""Where the trials, the fit and the evaluation of a run take place: in a function, or in a task that has no limit of
15 minutes and more memory."""

from __future__ import annotations

from typing import Final

from andamio.contract.tables import Compute
from training.documents import Computing, TaskSize, TrainingPlan, Where

FUNCTION_CELLS: Final = 4_000_000
"""Rows times columns of train up to which every trial ends in a function (`benchmarks/training/compute.py`)."""

FIXED_GIB: Final = 1.0
"""Memory of a step that has no rows yet."""
BYTES_A_CELL: Final = 320
"""Memory of a step, by cell of train: what a forest takes (benchmarks/training/compute.py), with half as much again."""

SIZES: Final = ((2, 16), (4, 30), (8, 60), (16, 120))
"""The sizes of a task, each with the most memory that Fargate gives to so many vCPU: vCPU, GiB."""


def fits_function(rows: int, columns: int) -> bool:
    """Whether every trial, the fit and the evaluation on so many rows of train end in a function."""
    return rows * columns <= FUNCTION_CELLS


def task_size(rows: int, columns: int) -> TaskSize:
    """The smallest task whose memory suffices; the largest one where none does."""
    needed = FIXED_GIB + rows * columns * BYTES_A_CELL / 2**30
    cpus, gib = next((size for size in SIZES if size[1] >= needed), SIZES[-1])
    return TaskSize(cpu=str(cpus * 1024), memory=str(gib * 1024))


def computing(offered: Compute, rows: int, columns: int) -> Computing:
    """What a run on so many rows of train is computed by, where a deployment offers functions, tasks or both."""
    return Computing(
        where=_where(offered, rows, columns), offered=offered, columns=columns, task=task_size(rows, columns)
    )


def of_trial(plan: TrainingPlan, rows: int | None) -> Where:
    """What a trial is computed by that is given so many rows of train, as in a race; None for all of them."""
    by = plan.computing
    if by is None or rows is None:
        return by.where if by else "function"
    return _where(by.offered, rows, by.columns)


def _where(offered: Compute, rows: int, columns: int) -> Where:
    if offered == "auto":
        return "function" if fits_function(rows, columns) else "task"
    return offered
