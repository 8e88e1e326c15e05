"""Arrays as .npy bytes, written and read without pickles."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray


def to_npy(values: NDArray[Any]) -> bytes:
    """An array as .npy bytes; what reads them never unpickles."""
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def from_npy(body: bytes) -> NDArray[Any]:
    """An array from .npy bytes; pickles are refused."""
    values: NDArray[Any] = np.load(io.BytesIO(body), allow_pickle=False)
    return values
