"""An object as a file whose reads are ranges of it."""

from __future__ import annotations

import io

from andamio.storage.ports import Objects

_HELD = 2
"""Windows kept: rows that are handled together may lie in the end of one and the beginning of the next."""


class Ranges(io.RawIOBase):
    """An object of `size` bytes as a file.

    Where it is told to hold windows, so many bytes are fetched at a time and kept: row groups that are
    small are read in one piece rather than a column after the other.
    """

    def __init__(self, objects: Objects, key: str, version: str, size: int) -> None:
        self._objects, self._key, self._version, self._size = objects, key, version or None, size
        self._at = self._window = self._end = 0
        self._held: list[tuple[int, bytes]] = []

    def hold(self, window: int, end: int) -> None:
        """Fetch `window` bytes at a time, 0 for those that are asked for, and none from `end` on that are not."""
        self._window, self._end, self._held = window, end, []

    def readable(self) -> bool:
        """True: every range can be read, from any place."""
        return True

    def seekable(self) -> bool:
        """True: every range can be read, from any place."""
        return True

    def tell(self) -> int:
        """The offset of the next read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the offset of the next read."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer at the end of the object."""
        left = self._size - self._at
        size = left if size < 0 else min(size, left)
        if size <= 0:
            return b""
        found = self._fetch(self._at, size)
        self._at += len(found)
        return found

    def _fetch(self, start: int, size: int) -> bytes:
        for begin, held in self._held:
            if begin <= start and start + size <= begin + len(held):
                return held[start - begin : start - begin + size]
        wanted = max(size, min(self._window, self._end - start))
        found = self._objects.get_range(self._key, start, wanted, version=self._version)
        if self._window:
            self._held = [*self._held[1 - _HELD :], (start, found)]
        return found[:size]
