"""A sheet of an Excel workbook as a CSV file: ETL reads no workbooks."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from andamio.errors import InputFileError

ENDINGS = (".xlsx", ".xlsm")


def is_workbook(path: Path) -> bool:
    """Whether a file is a workbook, by its name."""
    return path.suffix.lower() in ENDINGS


def sheet_as_csv(path: Path, sheet: str | None) -> tuple[str, bytes]:
    """The name of a sheet (default: the first one that has cells) and its cells as CSV in UTF-8.

    Empty rows, and empty columns at the right, are left out. Raises `InputFileError` when there is no such sheet.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as error:
        raise InputFileError(f"{path.name} cannot be read as a workbook: {error}") from None
    if sheet is not None and sheet not in book.sheetnames:
        raise InputFileError(f"{path.name} has no sheet '{sheet}': it has {', '.join(book.sheetnames)}")
    for name in [sheet] if sheet is not None else book.sheetnames:
        rows = [row for row in map(list, book[name].iter_rows(values_only=True)) if any(map(_holds, row))]
        if rows:
            return name, _csv(rows)
    raise InputFileError(f"{path.name} has no cells{'' if sheet is None else f' in its sheet {sheet!r}'}")


def _holds(cell: object) -> bool:
    return cell is not None and cell != ""


def _csv(rows: list[list[Any]]) -> bytes:
    width = max(place + 1 for row in rows for place, cell in enumerate(row) if _holds(cell))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_texts(row, width) for row in rows)
    return text.getvalue().encode()


def _texts(row: Iterable[Any], width: int) -> list[str]:
    cells = [_text(cell) for cell in row][:width]
    return cells + [""] * (width - len(cells))


def _text(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell)
