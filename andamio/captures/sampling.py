"""Which predictions are drawn: by numbers that are a prediction's own, so that each try draws the same ones.

Numbers of different purposes are independent: what one of them drew is a random sample to the other.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

ALL = 2**64
"""Numbers lie below it, evenly."""


def chance(prediction_id: str, purpose: str) -> int:
    """The number of a prediction for a purpose (at most 16 characters)."""
    digest = hashlib.blake2b(prediction_id.encode(), digest_size=8, person=purpose.encode()).digest()
    return int.from_bytes(digest)


def chances(lines: NDArray[np.int64], batch: str) -> NDArray[np.uint64]:
    """The numbers of the rows of a batch that begin on these lines `[rows]`.

    SplitMix64 (Steele, Lea and Flood, 2014) over the lines, which begins elsewhere for each batch.
    """
    step, one, two = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
    with np.errstate(over="ignore"):
        mixed = np.uint64(chance(batch, "batch")) + lines.astype(np.uint64) * step
        mixed = (mixed ^ (mixed >> np.uint64(30))) * one
        mixed = (mixed ^ (mixed >> np.uint64(27))) * two
        return mixed ^ (mixed >> np.uint64(31))
