"""The texts of rows out of the block that they stand in."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def row_texts(
    block: memoryview, starts: NDArray[np.int64], ends: NDArray[np.int64], rows: NDArray[np.int64] | None = None
) -> pa.StringArray:
    """The text between each start and its end, those at `rows` alone where it is given; the block is UTF-8."""
    offsets = np.empty(len(starts) * 2, dtype=np.int32)
    offsets[0::2], offsets[1::2] = starts, ends
    # Every second piece is what stands between two rows.
    every = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(block))
    return every.take(pa.array(np.arange(0, len(offsets), 2) if rows is None else rows * 2))
