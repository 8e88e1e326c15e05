"""About how many rows a file has, before it is read: by its beginning, or by what a Parquet file says of itself."""

from __future__ import annotations

import io
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.tabular.csv.quotes import row_ends
from andamio.tabular.gzip_file import unpacked
from andamio.tabular.limits import SAMPLE
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import format_of

_FOOT = 64 * 2**10
_LARGEST_FOOT = 64 * 2**20
_DELIMITERS = (",", ";", "\t", "|")

Piece = Callable[[int, int], bytes]
"""So many bytes of a file from a place on."""


def rows_about(name: str, size: int, piece: Piece) -> int:
    """About how many rows a file of `size` bytes has, exactly of Parquet; 0 where that cannot be told."""
    known = format_of(name)
    if known is None or not size:
        return 0
    form, compression = known
    if form == "parquet":
        return _rows_of_parquet(size, piece)
    sample = piece(0, min(SAMPLE, size))
    text, unpacked_size = _unpacked(sample) if compression else (sample, len(sample))
    if not text:
        return 0
    return round(_rows_of_text(text, form) / len(text) * unpacked_size / len(sample) * size)


def _unpacked(sample: bytes) -> tuple[bytes, int]:
    """The beginning of what a gzip file holds, and how many bytes its sample unpacks to, all members of it."""
    text, total = b"", 0
    try:
        for part in unpacked(io.BytesIO(sample), len(sample)):
            text += part[: SAMPLE - len(text)]
            total += len(part)
    except RefusedFile:  # a sample is cut off; what else is wrong the reader finds out
        pass
    return text, total


def _rows_of_text(text: bytes, form: str) -> int:
    """How many lines end in a text, but for those that end within the quotes of a cell."""
    text = text.replace(b"\0", b"")  # of UTF-16
    if text.count(b"\r") > text.count(b"\n"):
        text = text.replace(b"\r", b"\n")
    if form != "csv":
        return text.count(b"\n")
    head = text[: text.find(b"\n")]
    return len(row_ends(text, max(_DELIMITERS, key=lambda mark: head.count(mark.encode()))))


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
