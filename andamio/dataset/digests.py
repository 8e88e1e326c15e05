"""Digests of 64 bits: 16 hexadecimal digits wherever they are text, an unsigned integer where there are millions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

DIGITS = 16
_AT_ONCE = 1 << 16

DigestArray = NDArray[np.uint64]


def digest_of(text: str) -> int:
    """The first 64 bits of a text's SHA-256; a surrogate counts as the bytes that it would be."""
    return int.from_bytes(hashlib.sha256(text.encode(errors="surrogatepass")).digest()[: DIGITS // 2])


def hexadecimal(digests: DigestArray) -> str:
    """All digests as text, one behind the other."""
    return digests.astype(">u8").tobytes().hex()


def from_hexadecimal(text: bytes) -> DigestArray | None:
    """The digests whose texts stand one behind the other; None where they are not as `hexadecimal` writes them."""
    try:
        digests = np.frombuffer(bytes.fromhex(text.decode("ascii")), dtype=">u8").astype(np.uint64)
    except ValueError:
        return None
    return digests if hexadecimal(digests).encode() == text else None


class DigestTexts(Sequence[str]):
    """Digests `[rows]` as their texts, each made when it is asked for."""

    def __init__(self, digests: DigestArray) -> None:
        self._digests = digests

    def __len__(self) -> int:
        return len(self._digests)

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self._digests), _AT_ONCE):
            text = hexadecimal(self._digests[start : start + _AT_ONCE])
            yield from (text[place : place + DIGITS] for place in range(0, len(text), DIGITS))

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> DigestTexts: ...
    def __getitem__(self, place: int | slice) -> str | DigestTexts:
        if isinstance(place, slice):
            return DigestTexts(self._digests[place])
        return f"{int(self._digests[place]):0{DIGITS}x}"
