"""Predictions of the model for rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from andamio.records.encode import Encoded
from andamio.release.answers import Answers
from andamio.release.model import Model

SLICE = 8_192
"""Most rows in one call of the model, so that its intermediate results stay small."""

NO_ANSWER = "the model has no finite answer: a number without a range is too large"


@dataclass(frozen=True, slots=True)
class RowPredictions:
    """Lines `[rows]`, and answers as a release splits them: indices `[rows]`, numbers float32 `[rows, numbers]`."""

    lines: NDArray[np.int64]
    indices: NDArray[np.int64]
    numbers: NDArray[np.float32]


def scores_of(model: Model, encoded: Encoded) -> NDArray[np.float32]:
    """The model's scores `[rows, outputs]`, finite or not."""
    scores = [model.answers(encoded.take(slice(start, start + SLICE))) for start in range(0, encoded.rows, SLICE)]
    return np.concatenate(scores) if scores else np.empty((0, len(model.contract.task.outputs)), dtype=np.float32)


def row_predictions(lines: NDArray[np.int64], scores: NDArray[np.float32], answers: Answers) -> RowPredictions:
    """The answers of scores `[rows, outputs]`."""
    return RowPredictions(lines, *answers.split(scores))
