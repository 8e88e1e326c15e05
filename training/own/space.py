"""The search space of a pipeline.py: what it asks for in a default trial, and in some that are drawn at random."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from andamio.contract.task import Task
from training.families.spaces import OWN_SIMPLICITY, Dimension, OneOf, Real, Space
from training.own.code import PipelineCode
from training.own.trial import Recorder

DRAWS = 30
"""How many random trials look for parameters that are asked for under a condition."""


def explore(code: PipelineCode, task: Task, numbers: Sequence[str], categories: Sequence[str], seed: int) -> Space:
    """The space that a pipeline.py asks for; raises `PipelineError`.

    Its defaults are what the default trial was answered: the first choice, the middle of a range (of its logarithm
    where it is logarithmic). What only a random trial asks for has its default by the same rule.
    """
    found: dict[str, Dimension] = {}
    rng = np.random.default_rng(0)
    for choose in [middle] + [lambda dimension: draw(dimension, rng)] * DRAWS:
        code.build(Recorder(numbers, categories, seed, choose=choose, found=found), task)
    return Space(OWN_SIMPLICITY, {name: middle(dimension) for name, dimension in found.items()}, found)


def middle(dimension: Dimension) -> Any:
    """The default of a dimension."""
    if isinstance(dimension, OneOf):
        return dimension.values[0]
    low, high = dimension.low, dimension.high
    return _on_grid(dimension, math.sqrt(low * high) if dimension.log else (low + high) / 2)


def draw(dimension: Dimension, rng: np.random.Generator) -> Any:
    """A random value of a dimension."""
    if isinstance(dimension, OneOf):
        return dimension.values[int(rng.integers(len(dimension.values)))]
    low, high = dimension.low, dimension.high
    drawn = math.exp(rng.uniform(math.log(low), math.log(high))) if dimension.log else rng.uniform(low, high)
    return _on_grid(dimension, drawn)


def _on_grid(dimension: Any, value: float) -> Any:
    low, high, step = dimension.low, dimension.high, dimension.step
    if step is not None:
        value = low + math.floor((value - low) / step + 0.5) * step
    value = min(max(value, low), high)
    return float(value) if isinstance(dimension, Real) else int(value)
