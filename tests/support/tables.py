"""Encoded tables for tests: what a model sees, drawn from a seed, with everything in it that real tables have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.records.encode import OTHER, Encoded

TEXTS = np.array(["", OTHER, "a", "b", "ñ", "4"], dtype=object)


def table(
    seed: int, *, rows: int = 60, numbers: int = 3, categories: int = 2, classes: int = 2, missing: float = 0.1
) -> tuple[Encoded, NDArray[np.int64]]:
    """Rows and their class indices; columns differ wildly in place and spread, as latitudes, incomes and epochs do."""
    rng = np.random.default_rng(seed)
    place = rng.choice([0.0, 40.4, 1e4, -3e5, 1.7e9], size=numbers)
    spread = rng.choice([1e-3, 1.0, 1e3], size=numbers) * np.maximum(1.0, np.abs(place) * 1e-3)
    values = (place + spread * rng.normal(size=(rows, numbers))).astype(np.float32)
    values[rng.random(values.shape) < missing] = np.nan
    texts = TEXTS[rng.integers(len(TEXTS), size=(rows, categories))]
    labels = np.arange(rows) % classes
    if numbers:  # something to learn, so that trees grow and coefficients are not all noise
        labels = np.where(np.nan_to_num(values[:, 0]) > np.nanmedian(values[:, 0]), labels, 0)
        labels[:classes] = np.arange(classes)
    return Encoded(values, texts), labels.astype(np.int64)
