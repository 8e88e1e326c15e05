"""Columns of pyarrow as the contract takes them: each distinct value once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from andamio.records.cells import DictionaryColumn


def coded(column: pa.Array) -> DictionaryColumn:
    """A column by its distinct values; a null is no value."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices
    if codes.null_count:
        codes = pc.fill_null(codes.cast(pa.int64()), -1)
    return DictionaryColumn(column.dictionary.to_pylist(), codes.to_numpy(zero_copy_only=False))


def nothing(rows: int) -> DictionaryColumn:
    """A column that the file does not have."""
    return DictionaryColumn((), np.full(rows, -1, dtype=np.int8))
