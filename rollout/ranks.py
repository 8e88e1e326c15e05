"""Whether the numbers of one sample are larger than those of another, by their ranks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def chance_of_larger(first: Sequence[float], second: Sequence[float]) -> float:
    """P that the second sample is so much larger by chance: Mann and Whitney's test, one-sided; 1 of an empty one.

    The normal limit with the corrections for ties and continuity, which is right to a thousandth from 20 numbers on
    each side on.
    """
    one, other = len(first), len(second)
    rows = one + other
    if not one or not other:
        return 1.0
    _, place, counts = np.unique(np.array([*first, *second]), return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    above = float(ranks[place[one:]].sum()) - other * (other + 1) / 2
    ties = float((counts.astype(np.float64) ** 3 - counts).sum())
    spread = math.sqrt(max(0.0, one * other / 12 * (rows + 1 - ties / (rows * (rows - 1)))))
    if spread == 0:
        return 1.0
    return 0.5 * math.erfc((above - one * other / 2 - 0.5) / spread / math.sqrt(2))
