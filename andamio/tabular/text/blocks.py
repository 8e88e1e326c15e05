"""Blocks of a text that is read as it comes, each from the beginning of a row on."""

from __future__ import annotations

import codecs
from collections.abc import Iterator

from andamio.tabular.broken import Source, too_long
from andamio.tabular.limits import BLOCK, LONGEST_ROW


class TextBlocks:
    """A text of whole rows, of which a reader takes as many as it can use.

    `data` begins with a row, on `line`; `final` says that it ends where the text does. Bytes are UTF-8,
    whatever they were (what is not text in their own encoding stays invalid).
    """

    def __init__(self, source: Source, line: int, encoding: str = "utf-8", *, block: int = BLOCK) -> None:
        self._source = source
        self._block = block
        known = codecs.lookup(encoding).name
        self._decoder = (
            None
            if known in ("utf-8", "utf-8-sig", "ascii")
            else codecs.getincrementaldecoder(known)(errors="surrogateescape")
        )
        self.line = self._first = line
        self.data = b""
        self.final = False

    @property
    def height(self) -> int:
        """How many lines were taken."""
        return self.line - self._first

    def blocks(self) -> Iterator[bytes]:
        """The text from the next row on, a block at least; whoever gets it calls `take` for the rows it used.

        Where it used none it is given more; raises `DataError` where a row is longer than can be held.
        """
        self._read()
        while self.data:
            before = len(self.data)
            yield self.data
            if len(self.data) == before:
                if self.final or before > LONGEST_ROW + self._block:
                    raise too_long(self.line)
                self._read()
            elif not self.final and len(self.data) < self._block:
                self._read()

    def take(self, size: int, height: int) -> None:
        """Move on by so many bytes and lines."""
        self.data = self.data[size:]
        self.line += height

    def _read(self) -> None:
        parts, missing = [self.data], self._block
        while missing > 0 and not self.final:
            part = self._source.read(missing)
            missing -= len(part)
            self.final = not part
            parts.append(self._as_utf8(part))
        self.data = b"".join(parts)

    def _as_utf8(self, part: bytes) -> bytes:
        if self._decoder is None:
            return part
        return self._decoder.decode(part, self.final).encode(errors="surrogateescape")
