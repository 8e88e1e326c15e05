"""The head of a text file: what decides how the file is read, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from andamio.tabular.text.encoding import Basis

More = Callable[[], Iterable[bytes]]
"""Further pieces of a file, asked for where its beginning does not decide; each begins and ends anywhere in a row."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a text file begins with: `body` is the offset of its first row, `line` the line that is on.

    `encoding_basis` says what the encoding was decided by, "" where there is none. `transcoded` is the encoding that
    the text was turned into `encoding` from, "" where it is as it came.
    """

    columns: tuple[str, ...]
    delimiter: str = ""
    decimal: str = "."
    encoding: str = "utf-8"
    body: int = 0
    line: int = 1
    thousands: str = ""
    encoding_basis: Basis | None = None
    transcoded: str = ""
