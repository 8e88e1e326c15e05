"""Encoding, dialect and columns of a CSV file, decided once from its beginning."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NoReturn

from andamio.contract import Contract
from andamio.tabular.columns import used_columns
from andamio.tabular.csv.dialect import csv_cells, find_header, header_names, sep_line
from andamio.tabular.csv.number_marks import marks_between, marks_of
from andamio.tabular.limits import SAMPLE
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import check_line_ends, check_text
from andamio.tabular.text.encoding import encoding_of
from andamio.tabular.text.head import Head, More

_ROWS = 2000


def csv_head(sample: bytes, contract: Contract, *, whole: bool, more: More = tuple, transcoded: str = "") -> Head:
    """Read a CSV file's header; raises `RefusedFile` when no row of the file could be read.

    `sample` is its beginning, the `whole` of it perhaps, and UTF-8 where it was `transcoded` from another encoding.
    """
    check_text(sample, "csv")
    check_line_ends(sample, whole=whole)
    data = contract.data
    encoding = encoding_of(sample, data.encoding, whole=whole, more=more, transcoded=transcoded)
    said, height = sep_line(sample[encoding.start :])
    start = encoding.start + height
    stated = data.delimiter if data.delimiter is not None and data.delimiter.isascii() else said or None
    header = find_header(
        sample[start:], encoding.name, used_columns(contract), _needed(contract), stated=stated, whole=whole
    )
    if header is None:
        _refuse_headless(sample, start, whole=whole)
    begin, end = start + header.begin, start + header.end
    number = sample.count(b"\n", 0, begin) + 1
    names = _names(sample[begin:end], header.delimiter, encoding.name, number)
    if _is_json(sample[begin:end]):
        raise RefusedFile(
            "holds JSON, and is not CSV, as its name says: let its name end with .jsonl", fault="other-format"
        )
    _check_header(names, contract, number)

    def rows() -> Iterator[list[str]]:
        yield from _rows(sample[end:] + b"\n" * whole, header.delimiter, encoding.name)
        if not whole:
            for piece in more():
                found = _rows(piece[piece.find(b"\n") + 1 :], header.delimiter, encoding.name)
                yield from (row for row in found if len(row) == len(names))

    decimal = _decimal(contract, header.delimiter, names, rows())
    line = sample.count(b"\n", 0, end) + (not sample[:end].endswith(b"\n")) + 1
    return Head(
        tuple(names),
        header.delimiter,
        decimal,
        encoding.name,
        end,
        line,
        "" if data.thousands is None or data.thousands == decimal else data.thousands,
        encoding.basis,
        transcoded,
    )


def _needed(contract: Contract) -> list[str]:
    return [name for name, feature in contract.inputs.items() if feature.required]


def _refuse_headless(sample: bytes, start: int, *, whole: bool) -> NoReturn:
    """Return why a text has no header: no row has a value, or an open quote hides the end of the first row."""
    if whole and b'"' not in sample[start:]:
        raise RefusedFile("is empty: expected a header that names the columns, then a row a line", fault="empty")
    text = sample[start:]
    line = sample.count(b"\n", 0, start + len(text) - len(text.lstrip(b" \t\r\n,;|"))) + 1
    raise RefusedFile(
        f"has no header that ends{'' if whole else f' within the first {SAMPLE // 2**20} MiB'}: look for a quote on "
        f"line {line} that is not closed",
        fault="open-quote",
    )


def _names(header: bytes, delimiter: str, encoding: str, line: int) -> list[str]:
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError:
        raise RefusedFile(
            f"has a header (line {line}) that is not {encoding.upper()} text: save the file as UTF-8, or name the "
            "encoding of the data in [data] of problem.toml and train anew",
            fault="unreadable",
        ) from None
    try:
        return header_names(next(csv_cells(text, delimiter), []))
    except csv.Error as error:
        raise RefusedFile(f"has a header (line {line}) that cannot be read: {error}", fault="unreadable") from None


def _check_header(names: Sequence[str], contract: Contract, line: int) -> None:
    """Raise `RefusedFile` for a header that is a row of values: they may be a person's, and are not repeated."""
    if used_columns(contract).intersection(names) or not any(map(_is_number, names)):
        return
    needed = ", ".join(_needed(contract))
    raise RefusedFile(
        f"has no header: line {line} holds values, and should name the columns"
        + (f". The model needs: {needed}." if needed else "."),
        fault="no-header",
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _decimal(contract: Contract, delimiter: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The decimal mark: what the contract says, else what the cells of its numbers show."""
    stated, thousands = contract.data.decimal, contract.data.thousands
    if stated is not None:
        return stated
    if thousands in (".", ","):
        return "," if thousands == "." else "."
    if delimiter == ",":
        return "."
    numbers = {name for name, feature in contract.inputs.items() if feature.type in ("integer", "number")}
    if thousands is not None:
        rows = ([_without(cell, thousands) for cell in row] for row in rows)
    marks = marks_of(rows, [place for place, name in enumerate(names) if name in numbers])
    if marks.unclear is not None:
        raise RefusedFile(
            f"has numbers in the column '{names[marks.unclear]}' whose only mark has three digits behind it, and no "
            "number that shows whether that mark stands before decimals or between thousands: say [data] decimal and "
            "[data] thousands in problem.toml, or write the numbers without marks between thousands",
            fault="unclear-decimal",
        )
    return marks.decimal or "."


def _without(cell: str, thousands: str) -> str:
    for mark in marks_between(thousands):
        cell = cell.replace(mark, "")
    return cell


def _rows(text: bytes, delimiter: str, encoding: str) -> Iterator[list[str]]:
    """Some rows of a piece of text, but for its last line, which may be cut off."""
    reader = csv_cells(text[: text.rfind(b"\n") + 1].decode(encoding, errors="replace"), delimiter)
    try:
        yield from islice(reader, _ROWS)
    except csv.Error:
        return  # a broken row does not count here; it is reported when the rows are read


def _is_json(header: bytes) -> bool:
    if not header.lstrip().startswith((b"{", b"[")):
        return False
    try:
        return isinstance(json.loads(header.strip().strip(b"[],")), dict)
    except (ValueError, RecursionError):
        return False
