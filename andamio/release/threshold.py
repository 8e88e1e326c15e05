"""From probabilities to a label, by the threshold that a release sealed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.stats.metrics import predicted


def labels_from(probabilities: NDArray[np.floating], positive_index: int, threshold: float) -> NDArray[np.int64]:
    """The class index of each row of `[rows, classes]`; the model itself may break ties differently."""
    return predicted(np.asarray(probabilities, dtype=np.float64), positive_index, threshold)
