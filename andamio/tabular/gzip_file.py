"""The content of a gzip file, piece by piece; a file that grows beyond the limits is refused while it is read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from andamio.tabular.broken import Source
from andamio.tabular.refused import RefusedFile

LARGEST = 4 * 2**30
"""Bytes that a file may have when it is unpacked."""
FACTOR = 200
"""The largest allowed ratio of unpacked to packed size."""
CHECKED_FROM = 64 * 2**20
"""Bytes from which on that is checked: small files of one row over and over pack well, and do no harm."""

_READ = 2**20
_AT_ONCE = 4 * 2**20


def unpacked(source: Source, packed: int) -> Iterator[bytes]:
    """What is in a gzip file of `packed` bytes, which may have several members; raises `RefusedFile`."""
    member, begun, members, written = _member(), False, 0, 0
    while data := source.read(_READ):
        while True:
            # Zeros may follow a member: tools for tapes add them as padding.
            data = data.lstrip(b"\0") if members and not begun else data
            if not begun and not data:
                break
            begun = True
            piece = _inflated(member, data)
            written += len(piece)
            _check_size(written, packed)
            if piece:
                yield piece
            data = member.unconsumed_tail
            if member.eof:
                data, member, begun, members = member.unused_data, _member(), False, members + 1
            elif not data and len(piece) < _AT_ONCE:
                break
    if begun:
        raise RefusedFile("is a gzip file that was cut off: upload it again", fault="cut-off")


def _member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=31)


def _inflated(member: zlib._Decompress, data: bytes) -> bytes:
    try:
        return member.decompress(data, _AT_ONCE)
    except zlib.error:
        raise RefusedFile("is a damaged gzip file: pack it again", fault="damaged") from None


def _check_size(written: int, packed: int) -> None:
    if written > LARGEST:
        raise RefusedFile(
            f"unpacks to more than {LARGEST // 2**30} GiB: unpack it and drop it as it is, of any size, or in parts",
            fault="too-large",
        )
    if written > CHECKED_FROM and written > FACTOR * packed:
        raise RefusedFile(
            f"unpacks to more than {FACTOR} times its size: that is no ordinary table. Unpack it and drop it as it is",
            fault="too-large",
        )
