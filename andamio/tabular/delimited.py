"""CSV and its kin: delimiter and decimal mark found out unless stated, every row with its physical line."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator

import numpy as np

from andamio.tabular.rows import CHUNK, LONGEST_ROW, Broken, Chunk, ReadAs, RefusedFile
from andamio.tabular.sniff import decimal_mark, doubled, find_delimiter, header_names, is_row

Row = tuple[int, int, list[str]]
"""The first and the last physical line of a row, and its cells."""


def read_delimited(
    text: str,
    read_as: ReadAs,
    wanted: Collection[str],
    numbers: Collection[str],
    *,
    delimiter: str | None = None,
    decimal: str | None = None,
) -> Iterator[Chunk]:
    """Read a text with a header; only the columns in `wanted` are kept, whatever their order.

    The delimiter is the one under which the header names most of `wanted`. The decimal mark is a comma
    when the delimiter is not, and the columns in `numbers` have decimal commas and no decimal points.
    Raises `RefusedFile` without a header, with a wanted column named twice, or where a quote never closes.
    """
    read_as.delimiter = delimiter or _delimiter(text, wanted)
    rows = _rows(text, read_as.delimiter)
    header = next(rows, None)
    if header is None:
        raise RefusedFile("is empty: expected a header that names the columns, then a row a line")
    names = header_names(header[2])
    twice = doubled(names, wanted)
    if twice:
        raise RefusedFile(f"has more than one column '{twice[0]}': keep one of them")
    read_as.names = names
    kept = {name: position for position, name in enumerate(names) if name in wanted}
    read_as.decimal = decimal or _decimal(
        text, read_as.delimiter, [position for name, position in kept.items() if name in numbers]
    )
    yield from _chunks(rows, kept, len(names), read_as.decimal)


def _rows(text: str, delimiter: str) -> Iterator[Row]:
    """Every row but those without any value; raises `RefusedFile` where quoting makes no sense."""
    csv.field_size_limit(LONGEST_ROW)  # of the whole process, and the batch reader's too: a cell is read alike
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    before = 0
    last: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise RefusedFile(
                f"cannot be read from line {before + 1} on ({error}): look for a quote that is opened there "
                "and never closed"
            ) from None
        first, before = before + 1, reader.line_num
        last, lines.taken = lines.taken, []
        if is_row(cells):
            yield first, before, cells
    if _unclosed(last, delimiter):
        raise RefusedFile(
            f"ends inside a quote that is opened on line {before - len(last) + 1}: close the quote, "
            "or upload the file again if it was cut off"
        )


class _Lines:
    """The lines of a text, as they are; `taken` collects those that the reader asked for."""

    def __init__(self, text: str) -> None:
        self._source = io.StringIO(text, newline="")
        self.taken: list[str] = []

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._source)
        self.taken.append(line)
        return line


def _unclosed(lines: list[str], delimiter: str) -> bool:
    """Whether the text ended before a quote did: the lenient reader passes over it, the strict one tells."""
    try:
        for _ in csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True):
            pass
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _chunks(rows: Iterator[Row], kept: dict[str, int], width: int, decimal: str) -> Iterator[Chunk]:
    cells: list[list[str]] = []
    lines: list[int] = []
    places: list[int] = []
    broken: list[Broken] = []

    def chunk() -> Chunk:
        columns = list(zip(*cells, strict=True)) if cells else [()] * width
        return Chunk(
            {name: columns[position] for name, position in kept.items()},
            np.array(lines, dtype=np.int64),
            np.array(places, dtype=np.int64),
            tuple(broken),
            text=True,
            decimal=decimal,
        )

    for place, (first, last, row) in enumerate(rows):
        if len(row) != width:
            if len(row) < width or any(cell.strip() for cell in row[width:]):
                spans = f" (the row goes on to line {last}: is a quote left open?)" if last > first else ""
                broken.append(Broken(first, f"has {len(row)} cells, and the header names {width}{spans}"))
                continue
            row = row[:width]
        cells.append(row)
        lines.append(first)
        places.append(place)
        if len(cells) == CHUNK:
            yield chunk()
            cells, lines, places, broken = [], [], [], []
    if cells or broken:
        yield chunk()


def _delimiter(text: str, wanted: Collection[str]) -> str:
    try:
        return find_delimiter(text, wanted)
    except csv.Error as error:
        raise RefusedFile(f"has no readable header on its first line ({error})") from None


def _decimal(text: str, delimiter: str, positions: list[int]) -> str:
    """Which decimal mark the number columns are written with: "," needs a reason, "." is the default."""
    if not positions or "," not in text:
        return "."
    return decimal_mark((cells for _, _, cells in _rows(text, delimiter)), positions, delimiter) or "."
