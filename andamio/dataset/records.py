"""Which records are equal: a digest of a record's typed values, whatever wrote them and wherever they are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.dataset.digests import DigestArray, digest_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_MISSING = np.uint64(0x7FF8000000000000)


def record_digests(columns: Mapping[str, NDArray[Any]], names: Sequence[str]) -> DigestArray:
    """A digest `[rows]` of the values of these columns, as `andamio.dataset.columns` types them.

    Equal records have equal digests; different ones have equal digests by chance alone, of one in 2^64. Mixed by
    SplitMix64 (Steele et al., 2014).
    """
    found = np.zeros(len(columns[names[0]]) if names else 0, dtype=np.uint64)
    for name in names:
        found = _mixed(found ^ _bits(columns[name]))
    return found


def _bits(column: NDArray[Any]) -> DigestArray:
    """Each value in 64 bits: one for all that is missing, and one for both zeros."""
    if column.dtype.kind == "M":
        return column.astype("datetime64[s]").astype(np.int64).view(np.uint64)
    if column.dtype.kind == "f":
        numbers = column.astype(np.float64) + 0.0
        return np.where(np.isnan(numbers), _MISSING, numbers.view(np.uint64))
    known: dict[str, int] = {}
    digests = (known[text] if text in known else known.setdefault(text, digest_of(text)) for text in column)
    return np.fromiter(digests, dtype=np.uint64, count=len(column))


def _mixed(values: DigestArray) -> DigestArray:
    with np.errstate(over="ignore"):
        values = values + _GOLDEN
        values = (values ^ (values >> np.uint64(30))) * _MIX[0]
        values = (values ^ (values >> np.uint64(27))) * _MIX[1]
        return values ^ (values >> np.uint64(31))
