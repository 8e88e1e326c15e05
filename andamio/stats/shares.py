"""The interval of a share: a formula of numbers, which the audit of data and the evaluation of models agree on."""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The normal quantile of two-sided 95% intervals."""
Z99 = 2.5758
"""That of 99%."""


def wilson(share: float, trials: float, z: float = Z95) -> tuple[float, float]:
    """The score interval of a share of so many trials (Wilson 1927), which holds the share and is within 0 and 1.

    >>> [round(bound, 3) for bound in wilson(0.5, 100)]
    [0.404, 0.596]
    """
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2)) / (1 + z**2 / trials)
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))
