"""Lookup files: the predictions of one shard by line, found with a few small reads.

Little endian: `ALK1`, the header's length (uint32), a JSON header padded to 8 bytes, then sections at the
offsets that it names:

    fences         uint32 [rows / STRIDE]   every STRIDE-th of `lines`; absent when dense
    lines          uint32 [rows]            counted from `first_line`, ascending; absent when row i is on first_line + i
    labels         uint8  [rows]            indices of answers, such as classes
    probabilities  float32 [rows, classes]  their numbers, of which the header calls the count `classes`
    id_ends        uint64 [rows]            where each record id ends in `ids`; absent without record ids
    ids            bytes                    UTF-8; a row without an id has an empty one
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from andamio.errors import DataError

MAGIC = b"ALK1"
STRIDE = 4096
"""Lines between two fences: one read of 16 KiB finds a row among them."""
_HEAD = 16 * 2**10
"""Bytes of the first read, which brings header and fences, and all of a small file."""

ReadRange = Callable[[int, int], bytes]
"""Bytes from a start on, so many of them, fewer where the file ends."""


@dataclass(frozen=True, slots=True)
class RowPrediction:
    """A row's prediction: the index of its answer and its numbers, the caller's id or None."""

    index: int
    numbers: tuple[float, ...]
    record_id: str | None


@dataclass(frozen=True, slots=True)
class ShardPredictions:
    """Some rows of a lookup file: lines and indices `[rows]`, numbers `[rows, numbers]`, ids or None."""

    lines: NDArray[np.int64]
    indices: NDArray[np.int64]
    numbers: NDArray[np.float32]
    ids: list[str] | None


class LookupWriter:
    """Writes a lookup file, block after block of rows in ascending order of lines; `close` finishes it."""

    def __init__(self, file: IO[bytes], numbers: int, first_line: int) -> None:
        self._file, self._width, self._first = file, numbers, first_line
        self._sections: dict[str, IO[bytes]] = {
            name: TemporaryFile()  # noqa: SIM115 - closed when they are put together
            for name in ("fences", "lines", "labels", "probabilities", "id_ends", "ids")
        }
        self._rows = self._id_bytes = 0
        self._dense, self._with_ids = True, False

    def add(
        self,
        lines: NDArray[np.integer[Any]],
        indices: NDArray[np.integer[Any]],
        numbers: NDArray[np.floating[Any]],
        ids: tuple[NDArray[np.integer[Any]], bytes] | None = None,
    ) -> None:
        """Add rows; `ids` are the end of each id among the bytes of all, the same for every block or for none."""
        offsets = (lines - self._first).astype("<u4")
        self._dense = self._dense and np.array_equal(offsets, np.arange(self._rows, self._rows + len(lines)))
        self._put("fences", offsets[-self._rows % STRIDE :: STRIDE])
        self._put("lines", offsets)
        self._put("labels", indices.astype("u1"))
        self._put("probabilities", numbers.astype("<f4"))
        self._rows += len(lines)
        if ids is not None:
            ends, texts = ids
            self._with_ids = True
            self._put("id_ends", (ends + self._id_bytes).astype("<u8"))
            self._sections["ids"].write(texts)
            self._id_bytes += len(texts)

    def _put(self, name: str, values: NDArray[Any]) -> None:
        self._sections[name].write(np.ascontiguousarray(values).data)

    def close(self) -> None:
        """Put header and sections together."""
        sections = [
            name
            for name in self._sections
            if not (self._dense and name in ("fences", "lines")) and (self._with_ids or not name.startswith("id"))
        ]
        sizes = {name: self._sections[name].tell() for name in sections}
        header = self._header(dict.fromkeys(sections, 10**15))  # as wide as offsets can get
        header_size = len(header) + -len(header) % 8
        offsets, end = {}, len(MAGIC) + 4 + header_size
        for name, size in sizes.items():
            offsets[name] = end
            end += size + -size % 8
        self._file.write(MAGIC + struct.pack("<I", header_size) + self._header(offsets).ljust(header_size))
        for name, section in self._sections.items():
            with section:
                if name in sizes:
                    section.seek(0)
                    shutil.copyfileobj(section, self._file)
                    self._file.write(bytes(-sizes[name] % 8))

    def _header(self, offsets: dict[str, int]) -> bytes:
        header = {
            "rows": self._rows,
            "classes": self._width,
            "first_line": self._first,
            "dense": self._dense,
            "offsets": offsets,
        }
        return json.dumps(header).encode()


class Lookup:
    """A lookup file that is read where it lies."""

    def __init__(self, read_range: ReadRange) -> None:
        self._read_range = read_range
        self._head = read_range(0, _HEAD)
        if self._head[:4] != MAGIC:
            raise DataError("this is not a lookup file: it does not begin with ALK1")
        (length,) = struct.unpack("<I", self._head[4:8])
        header = json.loads(self._read(8, length))
        self.rows: int = header["rows"]
        self.width: int = header["classes"]
        self.first_line: int = header["first_line"]
        self._dense: bool = header["dense"]
        self._offsets: dict[str, int] = header["offsets"]

    @classmethod
    def of(cls, file: IO[bytes]) -> Self:
        """One in a file of this machine."""

        def read_range(start: int, length: int) -> bytes:
            file.seek(start)
            return file.read(length)

        return cls(read_range)

    def find(self, line: int) -> RowPrediction | None:
        """The prediction of the row that begins on a line, None where no scored row does."""
        row = self._row(line - self.first_line)
        if row is None:
            return None
        (index,) = self._section("labels", "u1", row, 1)
        numbers = self._section("probabilities", "<f4", row * self.width, self.width)
        return RowPrediction(int(index), tuple(numbers.tolist()), self._id(row))

    def blocks(self, rows: int = 10_000) -> Iterator[ShardPredictions]:
        """All of it, so many rows at a time."""
        for start in range(0, self.rows, rows):
            count = min(rows, self.rows - start)
            offsets = np.arange(start, start + count) if self._dense else self._section("lines", "<u4", start, count)
            ids = None
            if "ids" in self._offsets:
                ends = self._section("id_ends", "<u8", start, count).astype(np.int64)
                begin = self._end(start - 1)
                texts = self._read(self._offsets["ids"] + begin, int(ends[-1]) - begin)
                edges = [0, *(ends - begin).tolist()]
                ids = [texts[a:b].decode() for a, b in pairwise(edges)]
            numbers = self._section("probabilities", "<f4", start * self.width, count * self.width)
            yield ShardPredictions(
                self.first_line + offsets.astype(np.int64),
                self._section("labels", "u1", start, count).astype(np.int64),
                numbers.reshape(count, self.width),
                ids,
            )

    def _row(self, offset: int) -> int | None:
        if offset < 0 or not self.rows:
            return None
        if self._dense:
            return offset if offset < self.rows else None
        fences = self._section("fences", "<u4", 0, -(-self.rows // STRIDE))
        start = (int(np.searchsorted(fences, offset, side="right")) - 1) * STRIDE
        if start < 0:
            return None
        lines = self._section("lines", "<u4", start, min(STRIDE, self.rows - start))
        position = int(np.searchsorted(lines, offset))
        return start + position if position < len(lines) and lines[position] == offset else None

    def _id(self, row: int) -> str | None:
        if "ids" not in self._offsets:
            return None
        start, end = self._end(row - 1), self._end(row)
        return self._read(self._offsets["ids"] + start, end - start).decode() or None

    def _end(self, row: int) -> int:
        return int(self._section("id_ends", "<u8", row, 1)[0]) if row >= 0 else 0

    def _section(self, name: str, kind: str, start: int, count: int) -> NDArray[Any]:
        size = np.dtype(kind).itemsize
        return np.frombuffer(self._read(self._offsets[name] + start * size, count * size), kind)

    def _read(self, start: int, length: int) -> bytes:
        if start + length <= len(self._head):
            return self._head[start : start + length]
        data = self._read_range(start, length) if length else b""
        if len(data) < length:
            raise DataError("this lookup file ends before it should: it was cut off")
        return data


def find(read_range: ReadRange, line: int) -> RowPrediction | None:
    """The prediction of the row that begins on a line of a shard's lookup file, None where no scored row does."""
    return Lookup(read_range).find(line)
