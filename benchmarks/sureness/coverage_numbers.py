"""How often the intervals of a regression hold the truth: those of its metrics, and those of its predictions.

    .venv/bin/python -m benchmarks.sureness.coverage_numbers [--quick]

The errors of a model are normal, skewed (a gamma) or heavy-tailed (Student's t with 4 degrees of freedom), of one
spread or growing with the prediction; or three rows share a key and most of their error. The true figures are those on
400,000 rows. Metrics: the 95% interval on a holdout. Predictions: the interval of margins made of as many out-of-fold
errors, at a level of 0.9, asked on 2,000 new rows. Slices: forty quarters of ten features that say nothing of the
errors; the share of holdouts in which one of them is called worse, and in how many the one is found that is planted, a
quarter in which errors are twice as large.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.stats import conformal, metrics
from andamio.stats.metrics import REGRESSION_METRICS
from training.evaluate import intervals
from training.evaluate.slices import ErrorSurprise

Floats = NDArray[np.float64]
Errors = Callable[[np.random.Generator, int], Floats]

TRUTH_ROWS, NEW_ROWS, LEVEL = 400_000, 2_000, 0.9
SIZES = {20: 1500, 60: 1000, 500: 400, 5000: 100}
"""Rows, and how many times so many are drawn of each world."""
SLICED = {200: 600, 1000: 400, 5000: 150}
FEATURES, QUARTERS = 10, 4


@dataclass(frozen=True)
class World:
    """Where rows come from: `errors(rng, n)` of a spread of 1, of which the target has `signal` times as much."""

    name: str
    errors: Errors
    signal: float = 1.0
    growing: bool = False
    together: int = 1

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Floats, NDArray[np.str_]]:
        """Truth `[n]`, predictions `[n]` and keys `[n]`."""
        keys = np.arange(n) // self.together
        predicted = 10 + self.signal * rng.normal(size=n)
        errors = self.errors(rng, n)
        if self.together > 1:
            errors = math.sqrt(0.8) * self.errors(rng, int(keys[-1]) + 1)[keys] + math.sqrt(0.2) * errors
        if self.growing:
            errors = errors * predicted / 10
        return predicted + errors, predicted, keys.astype(str)


def _normal(rng: np.random.Generator, n: int) -> Floats:
    return rng.normal(size=n)


def _skewed(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_gamma(1.5, size=n) / math.sqrt(1.5) - math.sqrt(1.5)


def _heavy(rng: np.random.Generator, n: int) -> Floats:
    return rng.standard_t(4, size=n) / math.sqrt(2)


WORLDS = [
    World("normal errors", _normal),
    World("normal, four times the signal", _normal, signal=4.0),
    World("skewed errors", _skewed),
    World("heavy tails", _heavy),
    World("growing with the prediction", _normal, signal=3.0, growing=True),
    World("three rows a key", _normal, together=3),
]


def main(arguments: list[str] | None = None) -> None:
    """Simulate and print a table of each world."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    options = parser.parse_args(arguments)
    print("| world | figure |" + "".join(f" {size:,} rows |" for size in SIZES))
    print("|---|---|" + "---|" * len(SIZES))
    for index, world in enumerate(WORLDS):
        found = [_coverage(world, size, max(1, SIZES[size] // (10 if options.quick else 1)), index) for size in SIZES]
        for figure in found[0]:
            print(f"| {world.name} | {figure} |" + "".join(f" {each[figure]} |" for each in found))
    print("\n| world | slices |" + "".join(f" {size:,} rows |" for size in SLICED))
    print("|---|---|" + "---|" * len(SLICED))
    for index, world in enumerate(WORLDS):
        if world.growing:
            continue  # there some rows are harder, and a slice that says so is right
        sliced = [_slices(world, size, max(1, draws // (10 if options.quick else 1)), index)
                  for size, draws in SLICED.items()]  # fmt: skip
        for place, name in enumerate(("called worse, none is", "planted: found", "planted: another one")):
            print(f"| {world.name} | {name} |" + "".join(f" {each[place]:.1%} |" for each in sliced))


def _coverage(world: World, size: int, draws: int, seed: int) -> dict[str, str]:
    rng = np.random.default_rng((seed, size))
    truth, predicted, _ = world.draw(np.random.default_rng((seed, 0)), TRUTH_ROWS)
    true = {name: metrics.score(name, truth, predicted[:, None]) for name in REGRESSION_METRICS}
    held: dict[str, list[float]] = {name: [] for name in (*REGRESSION_METRICS, "prediction")}
    for _ in range(draws):
        truth, predicted, keys = world.draw(rng, size)
        rows = intervals.Rows.of(truth, keys)
        for name, value in true.items():
            found = intervals.estimate(name, rows, predicted[:, None], positive=-1, threshold=0.5)
            if math.isfinite(found.low):
                held[name].append(float(found.low <= value <= found.high))
        margins = conformal.margins(truth, predicted, LEVEL, log=False)
        truth, predicted, _ = world.draw(rng, NEW_ROWS)
        held["prediction"].append(float(np.mean(conformal.held(truth, margins.around(predicted)))))
    return {name: f"{np.mean(each):.1%}" if each else "none" for name, each in held.items()}


def _slices(world: World, size: int, draws: int, seed: int) -> tuple[float, float, float]:
    """The shares of holdouts with a slice called worse where none is, with the planted one found, and with another."""
    rng = np.random.default_rng((seed, size, 1))
    level = 1 - 0.025 / (QUARTERS * FEATURES)
    false, found, other = [], [], []
    for _ in range(draws):
        truth, predicted, keys = world.draw(rng, size)
        rows = intervals.Rows.of(truth, keys)
        parts = [
            quarter == part
            for quarter in (rng.permutation(size) % QUARTERS for _ in range(FEATURES))
            for part in range(QUARTERS)
        ]
        for planted in (False, True):
            errors = (truth - predicted) * np.where(parts[0] & planted, 2.0, 1.0)
            surprise = ErrorSurprise(rows, errors**2)
            worse = [surprise.bounds(part, level)[0] > 0 for part in parts]
            if planted:
                found.append(worse[0])
                other.append(any(worse[1:]))
            else:
                false.append(any(worse))
    return float(np.mean(false)), float(np.mean(found)), float(np.mean(other))


if __name__ == "__main__":
    main()
