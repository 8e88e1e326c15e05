"""Predictions of the model for rows: labels and probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.release.threshold import labels_from

SLICE = 8_192
"""Most rows in one call of the model, so that its intermediate results stay small."""

NO_ANSWER = "the model has no finite answer: a number without a range is too large"


@dataclass(frozen=True, slots=True)
class RowPredictions:
    """Lines `[rows]`, class indices `[rows]` and probabilities float32 `[rows, classes]`."""

    lines: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]


def probabilities_of(model: Model, encoded: Encoded) -> NDArray[np.float32]:
    """The model's answers `[rows, classes]`, finite or not."""
    answers = [model.answers(encoded.take(slice(start, start + SLICE))) for start in range(0, encoded.rows, SLICE)]
    return np.concatenate(answers) if answers else np.empty((0, len(model.contract.classes)), dtype=np.float32)


def row_predictions(
    lines: NDArray[np.int64], probabilities: NDArray[np.float32], positive: int, threshold: float
) -> RowPredictions:
    """Labels by the release's own threshold."""
    return RowPredictions(lines, labels_from(probabilities, positive, threshold), probabilities)
