"""A row that cannot be used, and the bytes that rows are read from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from andamio.errors import DataError
from andamio.tabular.limits import LONGEST_ROW


class Source(Protocol):
    """A stream of bytes, read once from its beginning to its end."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A row without usable cells: the line it begins on, the reason, and its text as far as it is readable."""

    line: int
    reason: str
    row: object


def too_long(line: int) -> DataError:
    """The message for a row that is too long."""
    return DataError(
        f"line {line}: a row begins there that is longer than {LONGEST_ROW // 2**20} MiB; "
        "look for a quote that is never closed, or for a file that is no table"
    )
