"""CSV in the body of a request: the rules of files, cell by cell and without pyarrow."""

from __future__ import annotations

from dataclasses import dataclass

from andamio.contract import Contract
from andamio.tabular.broken import Broken
from andamio.tabular.columns import check_doubled, column_kinds, used_columns
from andamio.tabular.csv.head import csv_head
from andamio.tabular.csv.number_marks import with_point, without_thousands
from andamio.tabular.csv.python_reader import read_by_python
from andamio.tabular.limits import SAMPLE
from andamio.tabular.refused import RefusedFile
from andamio.tabular.text.encoding import transcoded, transcoding_of


@dataclass(frozen=True, slots=True)
class CsvText:
    """The rows of a CSV text: `columns` of cells by name, `lines` the line that each row begins on.

    `decimal` is what `records.parse` takes; `broken` are rows that are none.
    """

    columns: dict[str, list[str]]
    lines: list[int]
    broken: list[Broken]
    decimal: str


def read_csv_text(text: str, contract: Contract) -> CsvText:
    """Read a text that begins with a header, as the same text in a file is read; raises `RefusedFile`."""
    body = text.encode()
    how = transcoding_of(body[:SAMPLE], None, whole=len(body) <= SAMPLE)
    if how is not None:
        body = b"".join(transcoded([body], how))
    # A request's text is no longer in the encoding that [data] states of files.
    head = csv_head(body[:SAMPLE], contract, whole=len(body) <= SAMPLE, transcoded="utf-8")
    check_doubled(head.columns, used_columns(contract))
    found = read_by_python(body[head.body :], head.line, head, final=True, most=len(body))
    if found.open_line:
        raise RefusedFile(
            f"ends inside a quote that is opened on line {found.open_line}: close the quote", fault="open-quote"
        )
    kinds = column_kinds(contract, head.columns)
    cells = list(map(list, zip(*found.cells, strict=True))) if found.cells else [[] for _ in head.columns]
    columns: dict[str, list[str]] = {}
    for name, column in zip(head.columns, cells, strict=True):
        if kinds[name] == "number" and head.thousands:
            column = [without_thousands(cell, head.decimal, head.thousands) for cell in column]
        elif kinds[name] not in ("number", "written") and head.decimal == ",":
            column = [with_point(cell) for cell in column]
        columns.setdefault(name, column)
    return CsvText(columns, found.lines, found.broken, head.decimal)
