"""Predictions of a window and the labels that came for them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.captures.truth import Truth
from andamio.captures.truth import known as is_known

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Predictions `[rows]`: probabilities `[rows, classes]`, the true class index or -1 where none came.

    Of a regression: values `[rows, 1]`, the true number or NaN.

    `age` is hours from prediction to now, `delay` hours from prediction to its label (NaN where none came). Each row
    `stands_for` so many predictions, None where each is one. So many more predictions are `waiting`: they are too young
    for a label.
    """

    probabilities: Floats
    labels: Truth
    age: Floats
    delay: Floats
    stands_for: Floats | None = None
    waiting: int = 0

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows `[rows]` have a label."""
        return is_known(self.labels)

    @property
    def counts(self) -> Floats:
        """How many predictions each row stands for, `[rows]`; the fewest are 1."""
        if self.stands_for is None or not len(self.stands_for):
            return np.ones(len(self.labels))
        return self.stands_for / self.stands_for.min()

    def take(self, rows: NDArray[np.bool_]) -> Labelled:
        """Some of the rows `[rows]`."""
        stands_for = None if self.stands_for is None else self.stands_for[rows]
        return Labelled(self.probabilities[rows], self.labels[rows], self.age[rows], self.delay[rows], stands_for)
