"""How a delimited text is written, found out from a sample of it: delimiter, decimal mark, header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

DELIMITERS = (",", ";", "\t", "|")
COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+(?:[eE][+-]?\d+)?\s*")


def find_delimiter(text: str, wanted: Collection[str], candidates: Sequence[str] = DELIMITERS) -> str:
    """The delimiter under which the header names most wanted columns; else the one that makes most columns.

    Raises `csv.Error` when the header cannot be read.
    """

    def names(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader(_first_lines(text), delimiter=delimiter, skipinitialspace=True), [])
        return len(set(header_names(header)) & set(wanted)), len(header)

    return max(candidates, key=names)


def header_names(cells: Iterable[str]) -> list[str]:
    """The columns that a header names."""
    return [name.strip() for name in cells]


def doubled(names: Sequence[str], wanted: Collection[str]) -> list[str]:
    """The wanted columns that are named more than once."""
    return sorted({name for name in names if name in wanted and names.count(name) > 1})


def is_row(cells: Sequence[str]) -> bool:
    """Whether a row has any value: spreadsheets leave rows of nothing but delimiters behind."""
    return bool(cells) and (bool(cells[0]) or any(cell.strip() for cell in cells))


def decimal_mark(rows: Iterable[Sequence[str]], positions: Sequence[int], delimiter: str) -> str | None:
    """Which decimal mark the cells at some positions are written with, None where they do not show it.

    Where the delimiter is a comma, or any number has a point, it is a point.
    """
    if delimiter == ",":
        return "."
    comma = False
    for cells in rows:
        for position in positions:
            cell = cells[position] if position < len(cells) else ""
            if "." in cell and _POINT_NUMBER.fullmatch(cell):
                return "."
            comma = comma or ("," in cell and COMMA_NUMBER.fullmatch(cell) is not None)
    return "," if comma else None


def _first_lines(text: str) -> Iterator[str]:
    return (line for line in io.StringIO(text, newline="") if line.strip())
