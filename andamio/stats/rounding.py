"""Bounds as float32 holds them."""

from __future__ import annotations

import numpy as np


def inside(bound: float, towards: float) -> float:
    """The float32 nearest to a bound, and not beyond it; `towards` is infinite, with the sign of the way in."""
    nearest = np.float32(bound)
    beyond = float(nearest) < bound if towards > 0 else float(nearest) > bound
    return float(np.nextafter(nearest, np.float32(towards))) if beyond else float(nearest)
