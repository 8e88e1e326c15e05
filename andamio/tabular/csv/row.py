"""One row of CSV: its cells, its text, and what is wrong with its width."""

from __future__ import annotations

import csv
import io


def strict_cells(text: str, delimiter: str) -> None:
    """Raise `csv.Error` where a closing quote of a row is followed by neither a delimiter nor the line end."""
    for _ in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True):
        pass


def has_value(cells: list[str]) -> bool:
    """Whether a row has a value: spreadsheets leave rows of delimiters alone, which are skipped."""
    return any(cell.strip() for cell in cells)


def wrong_width(cells: list[str], width: int, first: int, last: int) -> str:
    """What is wrong with the width of a row, "" where nothing is: cells beyond the width may be empty."""
    if len(cells) == width or (len(cells) > width and not has_value(cells[width:])):
        return ""
    return f"has {len(cells)} cells, and the header names {width}{spans(first, last)}"


def spans(first: int, last: int) -> str:
    """The end of a reason where a row has several lines."""
    return f" (the row goes on to line {last}: is a quote left open?)" if last > first else ""


def row_text(cells: list[str], delimiter: str) -> str:
    """One row as it is written, without line end."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of one row."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), [])
