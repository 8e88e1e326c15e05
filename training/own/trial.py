"""What `pipeline(trial)` is given: the names of its columns, a seed, and hyperparameters in Optuna's words.

A `Recorder` answers with values of its own choice and remembers what was asked for; a `Replay` answers with the
parameters of one trial.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from training.families.spaces import Dimension, OneOf, Real, Whole

Choose = Callable[[Dimension], Any]


class PipelineError(ValueError):
    """What pipeline.py returns, asks for or raises is not what can be trained; the text says where and what to do."""


class Trial(ABC):
    """One trial: `numbers` and `categories` are names of columns, `seed` is for every `random_state`."""

    def __init__(self, numbers: Sequence[str], categories: Sequence[str], seed: int) -> None:
        self.numbers, self.categories, self.seed = list(numbers), list(categories), seed

    @abstractmethod
    def _answer(self, name: str, dimension: Dimension) -> Any: ...

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        """A number from `low` to `high`, both included; with `log` as likely in each decade, with `step` on a grid."""
        if step is not None and (log or step <= 0):
            raise PipelineError(f"parameter '{name}': step must be above 0, and goes without log")
        if step is not None:
            high = low + math.floor((high - low) / step + 1e-9) * step
        return float(self._answer(name, _checked(name, Real(float(low), float(high), log, step))))

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        """A whole number from `low` to `high`, both included, in steps."""
        if step < 1 or (log and step != 1):
            raise PipelineError(f"parameter '{name}': step must be a whole number from 1, and 1 with log")
        high = int(high) - (int(high) - int(low)) % int(step)
        return int(self._answer(name, _checked(name, Whole(int(low), high, log, int(step)))))

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """One of a few values: None, or of type bool, int, float or str."""
        for choice in choices:
            finite = not isinstance(choice, float) or math.isfinite(choice)
            if choice is not None and not (isinstance(choice, bool | int | float | str) and finite):
                raise PipelineError(
                    f"parameter '{name}': a choice is a {type(choice).__name__}; choices are None, bool, int, float or "
                    "str. Suggest a name, and look up what it means in a dict."
                )
        return self._answer(name, _checked(name, OneOf(tuple(choices))))


def _checked(name: str, dimension: Dimension) -> Dimension:
    if not isinstance(name, str) or not name:
        raise PipelineError(f"a parameter's name must be a text, got {name!r}")
    if isinstance(dimension, OneOf):
        if not dimension.values:
            raise PipelineError(f"parameter '{name}': there are no choices")
    elif not (math.isfinite(dimension.low) and math.isfinite(dimension.high) and dimension.low <= dimension.high):
        raise PipelineError(f"parameter '{name}': low must be at most high, got {dimension.low} and {dimension.high}")
    elif dimension.log and dimension.low <= 0:
        raise PipelineError(f"parameter '{name}': log needs a low above 0, got {dimension.low}")
    return dimension


class Recorder(Trial):
    """Answers by `choose`, and keeps in `found` what was asked for; the same name with two ranges is refused."""

    def __init__(
        self,
        numbers: Sequence[str],
        categories: Sequence[str],
        seed: int,
        *,
        choose: Choose,
        found: dict[str, Dimension],
    ) -> None:
        super().__init__(numbers, categories, seed)
        self._choose, self._found = choose, found
        self.asked: dict[str, Any] = {}

    def _answer(self, name: str, dimension: Dimension) -> Any:
        same(name, self._found.setdefault(name, dimension), dimension)
        if name not in self.asked:
            self.asked[name] = self._choose(dimension)
        return self.asked[name]


class Replay(Trial):
    """Answers with the parameters of one trial, and refuses what the space does not have."""

    def __init__(
        self,
        numbers: Sequence[str],
        categories: Sequence[str],
        seed: int,
        *,
        params: Mapping[str, Any],
        space: Mapping[str, Dimension],
    ) -> None:
        super().__init__(numbers, categories, seed)
        self._params, self._space = params, space

    def _answer(self, name: str, dimension: Dimension) -> Any:
        if name not in self._space:
            raise PipelineError(
                f"parameter '{name}' was not asked for when the space was looked for, so no value was searched. Ask "
                "for it in every trial, and use it where you need it."
            )
        same(name, self._space[name], dimension)
        return self._params[name]


def same(name: str, one: Dimension, other: Dimension) -> None:
    """Raise `PipelineError` where a name is asked for with two ranges."""
    if one != other:
        raise PipelineError(
            f"parameter '{name}' is asked for twice with different ranges: {described(one)}, and {described(other)}. "
            "Give the two different names."
        )


def described(dimension: Dimension) -> str:
    """A range in words."""
    if isinstance(dimension, OneOf):
        return "one of " + ", ".join(repr(value) for value in dimension.values)
    kind = "float" if isinstance(dimension, Real) else "int"
    steps = f" in steps of {dimension.step:g}" if dimension.step not in (None, 1) else ""
    return f"{kind} {dimension.low:g} to {dimension.high:g}{steps}{' (log)' if dimension.log else ''}"
