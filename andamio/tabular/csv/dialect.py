"""The dialect of a CSV file, detected from its first rows: delimiter and header."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from andamio.contract.canonical import composed
from andamio.tabular.csv.quotes import row_ends
from andamio.tabular.csv.row import has_value

DELIMITERS = (",", ";", "\t", "|")
_SEP = re.compile(rb'"?sep=([\x01-\x7f])"?\r?(?:\n|$)', re.IGNORECASE)
_TOP = 20
"""The header is one of so many first rows: titles may stand above it."""
_FIRST_LOOK = 64 * 2**10
_MARKS = "".join(DELIMITERS) + " "


@dataclass(frozen=True, slots=True)
class Header:
    """Where the header of a text begins and ends, and the cells that it has under a delimiter."""

    delimiter: str
    begin: int
    end: int
    names: tuple[str, ...]


def sep_line(text: bytes) -> tuple[str, int]:
    """The delimiter in a first line such as `sep=;`, and the length of that line; "" and 0 without one."""
    match = _SEP.match(text)
    return ("", 0) if match is None else (match[1].decode(), match.end())


def find_header(
    text: bytes,
    encoding: str,
    wanted: Collection[str],
    needed: Collection[str],
    *,
    stated: str | None,
    whole: bool,
) -> Header | None:
    """The header of a text, by the delimiter under which it names most wanted columns, else makes most cells.

    It is the first row with a value, unless that names no wanted column and a later one of the first rows names all
    that are needed. A stated delimiter is kept to where it makes a wanted column. None where no row ends.
    """
    candidates = [*dict.fromkeys((stated, *DELIMITERS))] if stated else DELIMITERS
    found = [
        header
        for delimiter in candidates
        if delimiter and (header := _header(text, encoding, delimiter, wanted, needed, whole=whole)) is not None
    ]
    if not found:
        return None

    def rank(header: Header) -> tuple[int, int, int]:
        named = len(set(header.names) & set(wanted))
        return (named > 0 and header.delimiter == stated, named, len(header.names))

    return max(found, key=rank)


def header_names(cells: Iterable[str]) -> list[str]:
    """The columns that a header names, in the form that a contract has of them."""
    return [composed(name.strip()) for name in cells]


def csv_cells(text: str, delimiter: str) -> Iterator[list[str]]:
    """The rows of a text, cell by cell, by the rules that every CSV is read by; raises `csv.Error`."""
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)


def _header(
    text: bytes, encoding: str, delimiter: str, wanted: Collection[str], needed: Collection[str], *, whole: bool
) -> Header | None:
    first: Header | None = None
    for begin, end in _top(text, delimiter, whole=whole):
        try:
            # Bytes that are no UTF-8 are reported later, when it is known which row is the header.
            cells = next(csv_cells(text[begin:end].decode(encoding, "replace"), delimiter), [])
        except csv.Error:
            continue
        if not has_value([cell.strip(_MARKS) for cell in cells]):
            continue
        header = Header(delimiter, begin, end, tuple(header_names(cells)))
        named = set(header.names) & set(wanted)
        if first is None:
            first = header
            if named:
                break
        elif named and set(needed) <= named:
            return header
    return first


def _top(text: bytes, delimiter: str, *, whole: bool) -> Iterator[tuple[int, int]]:
    """Where each of the first rows begins and ends."""
    for size in sorted({min(_FIRST_LOOK, len(text)), len(text)}):
        ends = row_ends(text[:size], delimiter)
        if ends or size == len(text):
            break
    if whole and size == len(text) and not text.endswith(b"\n") and row_ends(text + b"\n", delimiter)[len(ends) :]:
        ends.append(len(text))
    starts = np.array([0, *ends[:-1]], dtype=np.int64)
    seen = 0
    for begin, end in zip(starts.tolist(), ends, strict=False):
        if text[begin:end].strip():
            seen += 1
            yield begin, end
        if seen == _TOP:
            return
