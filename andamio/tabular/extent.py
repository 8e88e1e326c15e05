"""About how many rows a file has, before it is read: by its beginning, or by what a Parquet file says of itself."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.tabular.limits import SAMPLE
from andamio.tabular.signature import format_of

_FOOT = 64 * 2**10
_LARGEST_FOOT = 64 * 2**20

Piece = Callable[[int, int], bytes]
"""So many bytes of a file from a place on."""


def rows_about(name: str, size: int, piece: Piece) -> int:
    """About how many rows a file of `size` bytes has; 0 where that cannot be told."""
    known = format_of(name)
    if known is None or not size:
        return 0
    form, compression = known
    if form == "parquet":
        return _rows_of_parquet(size, piece)
    sample = piece(0, min(SAMPLE, size))
    text = sample
    if compression:
        try:
            text = zlib.decompressobj(wbits=31).decompress(sample)
        except zlib.error:
            return 0
    return round(max(text.count(b"\n"), text.count(b"\r")) / len(sample) * size)


def _rows_of_parquet(size: int, piece: Piece) -> int:
    foot = piece(max(size - _FOOT, 0), _FOOT)
    needed = int.from_bytes(foot[-8:-4], "little") + 8
    if len(foot) < needed <= min(size, _LARGEST_FOOT):
        foot = piece(size - needed, needed)
    try:
        rows: int = pq.read_metadata(io.BytesIO(foot)).num_rows
    except (pa.ArrowException, OSError):
        return 0
    return rows
