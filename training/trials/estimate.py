"""What a trial would take: time and memory, from fits on small samples of its rows, before it starts.

A trial that would not end in its function's time or would not fit into its memory is given the rows that do, and its
result says so.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.trials import sample

SMALL, LARGER = 0.01, 0.04
"""The shares of the rows that are tried: what a fit takes at either says how it grows."""
FEWEST = 250
"""Rows of the smaller one, at least, as long as it has no more than `MOST` of all rows."""
MOST = 1 / 16
APART = 2
"""The larger sample has so many times the rows of the smaller one at least: else their difference says nothing."""
CELLS = 1_000_000
"""Rows times columns below which nothing is estimated: such a trial fits into any function."""
CELLS_OF_KERNELS = 50_000
"""The same for families that compare rows with rows."""
STEEPEST = 1.5
"""Time grows with the rows to a power from 1 to this; below 1 only what does not grow was measured."""
STEEPEST_OF_KERNELS = 2.5
"""The same for families that compare rows with rows."""
SAFETY = 0.8
"""Of the time and the memory of a function, what a trial may be estimated to take."""
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """What a trial's function has: seconds, and memory in MB (2^20 bytes)."""

    seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What fits and predictions took on two samples: rows, seconds, and bytes at most held."""

    rows: tuple[int, int]
    seconds: tuple[float, float]
    held: tuple[int, int]
    steepest: float = STEEPEST

    @property
    def power(self) -> float:
        """How the time grows with the rows."""
        (small, larger), (one, other) = self.rows, self.seconds
        measured = math.log(max(other, 1e-6) / max(one, 1e-6)) / math.log(larger / small)
        return min(self.steepest, max(1.0, measured))

    @property
    def bytes_a_row(self) -> float:
        """What a row more takes of memory."""
        return max(0.0, (self.held[1] - self.held[0]) / (self.rows[1] - self.rows[0]))

    def seconds_of(self, rows: int) -> float:
        """The time of so many rows."""
        return float(self.seconds[1] * (rows / self.rows[1]) ** self.power)


def rows_that_fit(rows: int, times: int, cost: Cost, limits: Limits, resident: int) -> tuple[int, str] | None:
    """How many of `rows` can be fitted on `times` times within the limits, and why not all; None where all can.

    `resident` are the bytes that are held beforehand.
    """
    seconds, allowed = times * cost.seconds_of(rows), limits.seconds * SAFETY
    memory, room = cost.bytes_a_row * rows, limits.memory_mb * _MIB * SAFETY - resident
    by_time = rows if seconds <= allowed else int(rows * (allowed / seconds) ** (1 / cost.power))
    by_memory = rows if memory <= room else int(max(room, 0) / cost.bytes_a_row)
    fitting = max(min(by_time, by_memory), cost.rows[0])
    if min(by_time, by_memory) >= rows:
        return None
    if by_time <= by_memory:
        return fitting, f"all rows would take about {seconds:,.0f} s, and its function has {limits.seconds:,.0f} s"
    return fitting, (
        f"all rows would take about {(memory + resident) / _MIB:,.0f} MB, and its function has "
        f"{limits.memory_mb:,.0f} MB"
    )


def measure(
    fit_and_predict: Callable[[NDArray[np.int64]], object],
    places: sample.Places,
    labels: NDArray[np.int64],
    steepest: float = STEEPEST,
) -> Cost | None:
    """The cost of a fit on two nested samples of rows with these places and labels, each with rows of every class.

    Each is fitted for time and then for memory; `steepest` is the power of the rows to which time may grow. None where
    there are too few rows for two samples.
    """
    total = len(places)
    few = max(int(total * SMALL), min(FEWEST, int(total * MOST)), 1)
    small = np.flatnonzero(sample.with_each_class(places, few, labels))
    more = round(max(few, len(small)) * LARGER / SMALL)
    larger = np.flatnonzero(sample.with_each_class(places, more, labels))
    if len(larger) < APART * len(small):
        return None
    rows, seconds, held = [], [], []
    for taken in (small, larger):
        started = time.perf_counter()
        fit_and_predict(taken)
        seconds.append(time.perf_counter() - started)
        rows.append(len(taken))
        tracemalloc.start()
        try:
            fit_and_predict(taken)
            held.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    return Cost((rows[0], rows[1]), (seconds[0], seconds[1]), (held[0], held[1]), steepest)


def resident() -> int:
    """The bytes of memory that this process holds; 0 where the system does not say."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[1]) * 4096 if status.exists() else 0
