"""Rows of CSV that only Python's reader can be trusted with: character by character, as data are read for training."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from scoring.read.rows import LONGEST, ROWS, Broken
from scoring.read.texts import no_text

csv.field_size_limit(LONGEST)

NO_VALUES = "has no values"


@dataclass(slots=True)
class Found:
    """Rows in order: lines, cells and texts of those that are good, those that are not; bytes and lines read."""

    lines: list[int]
    cells: list[list[str]]
    texts: list[str]
    broken: list[Broken]
    size: int
    height: int


class _Lines:
    """The lines of a text; counts those that the reader asked for, and whether it asked for more than there are."""

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


def read_slowly(data: bytes, line: int, width: int, delimiter: str, *, final: bool, encoding: str) -> Found:
    """Read at most `ROWS` whole rows of a text that begins with one, on `line`; `final` says that it ends there too."""
    if not final:
        data = data[: data.rfind(b"\n") + 1]
    lines = _Lines(data)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    found = Found([], [], [], [], 0, 0)
    while len(found.lines) + len(found.broken) < ROWS:
        first, lines.taken = line + lines.height, []
        why = ""
        cells: list[str] = []
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            why = _why(error)
        if lines.over:
            if not final:
                break
            why = "ends inside a quote that is opened here and never closed"
        found.size, found.height = lines.size, lines.height
        raw = b"".join(lines.taken)
        text = raw.decode(errors="replace").rstrip("\r\n")
        if not why and len(cells) <= 1 and not text.strip():
            continue
        why = why or _fault(raw, cells, width, first, line + lines.height - 1, encoding)
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


def _fault(raw: bytes, cells: list[str], width: int, first: int, last: int, encoding: str) -> str:
    """What is wrong with a row as a whole, "" when nothing is."""
    try:
        raw.decode()
    except UnicodeDecodeError:
        return no_text(encoding)
    return wrong_width(
        cells, width, f" (the row goes on to line {last}: is a quote left open?)" if last > first else ""
    )


def wrong_width(cells: list[str], width: int, spans: str = "") -> str:
    """What is said of a row of another width than the header's; cells too many that are empty are forgiven."""
    if len(cells) == width or (len(cells) > width and not any(cell.strip() for cell in cells[width:])):
        return ""
    if not any(cell.strip() for cell in cells):
        return NO_VALUES
    return f"has {len(cells)} cells, and the header names {width}{spans}"


def row_text(cells: list[str], delimiter: str) -> str:
    """One row as it is written, without line end."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of one row."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), [])
