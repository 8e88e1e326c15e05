"""How often a 95% interval of a card holds the truth: models whose true figures are known, on drawn holdouts.

    .venv/bin/python -m benchmarks.sureness.coverage [--quick]

A model of a world is fixed; its true figures are those on 400,000 rows. Holdouts of 20, 60, 500 and 5,000 rows
are drawn, and every figure that has an interval there is counted: does it hold the truth? "none" is the share of
holdouts on which a figure has no interval, because rows of a class are too few.
"""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from andamio.stats import metrics
from andamio.stats.bootstrap import Interval
from training.evaluate import intervals

Floats = NDArray[np.float64]
Drawn = tuple[NDArray[np.int64], Floats, Floats, NDArray[np.str_]]
"""Labels `[n]`, probabilities of the model and of a weaker one `[n, classes]`, split keys `[n]`."""

TRUTH_ROWS = 400_000
SIZES = {20: 1500, 60: 600, 500: 250, 5000: 60}
"""Rows of a holdout, and how many holdouts are drawn of each world."""
FEWEST_EXPECTED = 8
"""Rows of the rarest class that a holdout has on average, below which it hardly ever has an interval: not drawn."""
PLAIN, MAJORITY = "gain over a weaker model", "gain over the majority class"


@dataclass(frozen=True)
class World:
    """Where rows come from: `draw(rng, n)`."""

    name: str
    classes: int
    draw: Callable[[np.random.Generator, int], Drawn]

    @property
    def positive(self) -> int:
        """The positive class of two, or -1."""
        return 1 if self.classes == 2 else -1

    @cached_property
    def shares(self) -> Floats:
        """The classes' shares in train, which the majority class says of every row."""
        labels = self.draw(np.random.default_rng(9), 3000)[0]
        return np.bincount(labels, minlength=self.classes) / len(labels)


def _softmax(logits: Floats) -> Floats:
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponents / exponents.sum(axis=1, keepdims=True)
    return probabilities


def world(name: str, bias: tuple[float, ...], signal: float, sure: float = 1.0, together: int = 1) -> World:
    """Labels by the softmax of normal scores around `bias` with standard deviation `signal`.

    The model knows the scores up to some noise and is `sure` times as sure of them (1: calibrated but for the noise);
    `together` rows share a split key and most of their scores.
    """
    base = np.array(bias)

    def draw(rng: np.random.Generator, n: int) -> Drawn:
        keys = np.arange(n) // together
        shared = rng.normal(0, signal, (keys[-1] + 1, len(base)))[keys]
        own = rng.normal(0, signal, (n, len(base)))
        mixed = shared if together == 1 else math.sqrt(0.8) * shared + math.sqrt(0.2) * own
        scores = base + mixed
        labels = (_softmax(scores).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1).clip(max=len(base) - 1)
        noise, more = rng.normal(0, 0.4 * signal, scores.shape), rng.normal(0, 0.4 * signal, scores.shape)
        return labels, _softmax(sure * (scores + noise)), _softmax(scores + noise + more), keys.astype(str)

    return World(name, len(base), draw)


WORLDS = [
    world("45% positive, AUC 0.75", (0.0, -0.25), 1.0),
    world("45% positive, AUC 0.93", (0.0, -0.7), 3.0),
    world("45% positive, AUC 0.99", (0.0, -1.5), 9.0),
    world("45% positive, too sure", (0.0, -0.6), 2.5, 1.6),
    world("10% positive, AUC 0.75", (0.0, -2.7), 1.0),
    world("10% positive, AUC 0.95", (0.0, -6.5), 3.5),
    world("three classes", (0.0, -0.5, -1.0), 2.0),
    world("ten classes", tuple(-0.1 * k for k in range(10)), 2.5),
    world("three rows a key", (0.0, -0.5), 2.0, together=3),
]


def main(arguments: list[str] | None = None) -> None:
    """Simulate and print a table of the figures, and one of the worlds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--world", type=int, nargs="*")
    options = parser.parse_args(arguments)
    chosen = [WORLDS[k] for k in options.world] if options.world else WORLDS
    figures: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    worlds: dict[tuple[str, str, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for index, place in enumerate(chosen):
        for size in options.sizes:
            if size * place.shares.min() < FEWEST_EXPECTED:
                continue
            for figure, counted in coverage(place, size, SIZES[size] // (10 if options.quick else 1), index).items():
                figures[figure, size] = [a + b for a, b in zip(figures[figure, size], counted, strict=True)]
                worlds[place.name, figure, size] = counted
    print("| figure |" + "".join(f" {size:,} rows |" for size in options.sizes))
    print("|---|" + "---|" * len(options.sizes))
    for figure in dict.fromkeys(name for name, _ in figures):
        print(f"| {figure} |" + "".join(f" {_text(figures[figure, size])} |" for size in options.sizes))
    print()
    print("| world | figure |" + "".join(f" {size:,} rows |" for size in options.sizes))
    print("|---|---|" + "---|" * len(options.sizes))
    for name, figure in dict.fromkeys((name, figure) for name, figure, _ in worlds):
        print(f"| {name} | {figure} |" + "".join(f" {_text(worlds[name, figure, n])} |" for n in options.sizes))


def _text(counted: list[int]) -> str:
    held, judged, drawn = counted
    if judged < 10:
        return "no interval"
    none = f", none on {1 - judged / drawn:.0%}" if judged < drawn * 0.995 else ""
    return f"{held / judged:.1%}{none}"


def coverage(place: World, size: int, draws: int, seed: int) -> dict[str, list[int]]:
    """By figure: how many intervals held the truth, how many there were, and how many holdouts were drawn."""
    truth = _truth(place, seed)
    counted = {name: [0, 0, 0] for name in truth}
    for number in range(draws):
        drawn = place.draw(np.random.default_rng([seed, size, number]), size)
        for name, found in _intervals(place, drawn).items():
            counted[name][2] += 1
            if math.isfinite(found.low):
                counted[name][1] += 1
                counted[name][0] += found.low <= truth[name] <= found.high
    return counted


@cache
def _truth(place: World, seed: int) -> dict[str, float]:
    return _figures(place, place.draw(np.random.default_rng(seed), TRUTH_ROWS))


def _figures(place: World, drawn: Drawn) -> dict[str, float]:
    labels, model, weaker, _ = drawn
    found: dict[str, float] = {}
    for metric in metrics.METRICS:
        sign = 1 if metrics.higher_is_better(metric) else -1
        own, plain, majority = (
            metrics.score(metric, labels, scores, positive=place.positive)
            for scores in (model, weaker, np.tile(place.shares, (len(labels), 1)))
        )
        found |= {metric: own, f"{metric}, {PLAIN}": sign * (own - plain)}
        found[f"{metric}, {MAJORITY}"] = sign * (own - majority)
    return found


def _intervals(place: World, drawn: Drawn) -> dict[str, Interval]:
    labels, model, weaker, keys = drawn
    rows = intervals.Rows.of(labels, keys)
    found: dict[str, Interval] = {}
    for metric in metrics.METRICS:
        sign = 1 if metrics.higher_is_better(metric) else -1
        own, plain, majority = (
            intervals.estimate(metric, rows, scores, positive=place.positive, threshold=0.5)
            for scores in (model, weaker, np.tile(place.shares, (len(labels), 1)))
        )
        found |= {metric: own.interval, f"{metric}, {PLAIN}": intervals.gain(own, plain, sign)}
        found[f"{metric}, {MAJORITY}"] = intervals.gain(own, majority, sign)
    return found


if __name__ == "__main__":
    main()
