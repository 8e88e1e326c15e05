"""Rows of CSV, read character by character: the reference, and the reader of blocks that pyarrow may read otherwise."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from andamio.tabular.broken import Broken, too_long
from andamio.tabular.csv.row import has_value, row_text, spans, strict_cells, wrong_width
from andamio.tabular.limits import ROWS
from andamio.tabular.text.encoding import no_text
from andamio.tabular.text.head import Head


@dataclass(slots=True)
class Found:
    """Rows in order: lines, cells and texts of those that are good, those that are not; bytes and lines read.

    `open_line` is the line of a quote that is opened and never closed, 0 where there is none.
    """

    lines: list[int]
    cells: list[list[str]]
    texts: list[str]
    broken: list[Broken]
    size: int
    height: int
    open_line: int = 0


class _Lines:
    """The lines of a text. Counts how many the reader took, and notes whether it asked for more than there are."""

    def __init__(self, data: bytes) -> None:
        self._source = io.BytesIO(data)
        self.size = self.height = 0
        self.over = False
        self.taken: list[bytes] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._source.readline()
        if not line:
            self.over = True
            raise StopIteration
        self.size += len(line)
        self.height += 1
        self.taken.append(line)
        return line.decode(errors="surrogateescape")


def read_by_python(data: bytes, line: int, head: Head, *, final: bool, most: int = ROWS) -> Found:
    """Read at most `most` whole rows of a UTF-8 text that begins with one, on `line`; `final` says that it ends there.

    A row ends with a line feed outside quoted cells. It is broken where a closing quote is followed by neither a
    delimiter nor the line end, where a carriage return alone stands outside quotes, where it is no text, and where it
    has other cells than the header names. Rows without any value are passed over.
    """
    if not final:
        data = data[: data.rfind(b"\n") + 1]
    width, delimiter = len(head.columns), head.delimiter
    lines = _Lines(data)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    found = Found([], [], [], [], 0, 0)
    while len(found.lines) + len(found.broken) < most:
        first, lines.taken = line + lines.height, []
        why = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            if "field limit" in str(error):
                raise too_long(first) from None
            why = _why(error)
        if lines.over:
            if not final:
                break
            why, found.open_line = "ends inside a quote that is opened here and never closed", first
        found.size, found.height = lines.size, lines.height
        raw = b"".join(lines.taken)
        text = raw.decode(errors="replace").rstrip("\r\n")
        if not why and not has_value(cells):
            continue
        why = why or _fault(raw, cells, head, first, line + lines.height - 1)
        if why:
            found.broken.append(Broken(first, why, text))
            continue
        found.lines.append(first)
        found.cells.append(cells[:width])
        found.texts.append(text if len(cells) == width else row_text(cells[:width], delimiter))
    return found


def _why(error: csv.Error) -> str:
    if "new-line" in str(error):
        return "holds a carriage return that ends no line: put the cell in quotes"
    return f"cannot be read: {error}"


def _fault(raw: bytes, cells: list[str], head: Head, first: int, last: int) -> str:
    """What is wrong with a row as a whole, "" when nothing is."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return no_text(raw, head.encoding, head.transcoded)
    if b'"' in raw:
        try:
            strict_cells(text, head.delimiter)
        except csv.Error:
            return (
                "has a closing quote that is followed by neither a delimiter nor the line end: write a quote inside a "
                f"cell twice{spans(first, last)}"
            )
    return wrong_width(cells, len(head.columns), first, last)
