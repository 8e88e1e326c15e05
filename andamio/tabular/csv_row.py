"""One row of CSV: its cells, its text, and what is wrong with its width."""

from __future__ import annotations

import csv
import io

NO_VALUES = "has no values"


def wrong_width(cells: list[str], width: int, first: int, last: int) -> str:
    """What is wrong with the width of a row, "" where nothing is: cells beyond the width may be empty."""
    if len(cells) == width or (len(cells) > width and not any(cell.strip() for cell in cells[width:])):
        return ""
    if not any(cell.strip() for cell in cells):
        return NO_VALUES
    spans = f" (the row goes on to line {last}: is a quote left open?)" if last > first else ""
    return f"has {len(cells)} cells, and the header names {width}{spans}"


def row_text(cells: list[str], delimiter: str) -> str:
    """One row as it is written, without line end."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def cells_of(text: str, delimiter: str) -> list[str]:
    """The cells of one row."""
    return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), [])
