"""How a text file is written and which columns it has, found out from its beginning."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from andamio.contract import Contract
from andamio.tabular.quotes import row_ends
from andamio.tabular.rows import LONGEST_ROW
from andamio.tabular.sniff import DELIMITERS, decimal_mark, find_delimiter, header_names, is_row
from scoring.errors import RefusedFile
from scoring.read.columns import check_columns, wanted
from scoring.read.signature import check_line_ends, check_text

SAMPLE = 2**20
"""Bytes of a file that are looked at: a header must end within them."""

csv.field_size_limit(LONGEST_ROW)  # 128 KiB otherwise; where it is set twice, it is the same

_ROWS = 2000
_OBJECTS = 1000


@dataclass(frozen=True, slots=True)
class Head:
    """What a text file begins with: `body` is the offset of its first row, `line` the line that is on."""

    columns: tuple[str, ...]
    delimiter: str
    decimal: str
    encoding: str
    body: int
    line: int


def csv_head(sample: bytes, contract: Contract, *, whole: bool, more: Callable[[], Iterable[bytes]] = tuple) -> Head:
    """Read a CSV file's header; raises `RefusedFile` when no row of the file could be scored.

    `sample` is its beginning, the `whole` of it perhaps. `more` yields further pieces, asked for when the sample does
    not show the decimal mark.
    """
    check_text(sample, "csv")
    check_line_ends(sample, whole=whole)
    start, encoding = _encoding(sample, contract)
    delimiter = _delimiter(sample[start:].decode(encoding, errors="replace"), contract)
    begin, end = _header(sample, start, delimiter, whole=whole)
    line = sample.count(b"\n", 0, end) + (not sample[:end].endswith(b"\n")) + 1
    cells = _cells(sample[begin:end], delimiter, encoding, sample.count(b"\n", 0, begin) + 1)
    names = header_names(cells)
    if _is_json(sample[begin:end]):
        raise RefusedFile("holds JSON, and is not CSV, as its name says: let its name end with .jsonl")
    _check_header(names, contract, sample.count(b"\n", 0, begin) + 1)
    check_columns(names, contract)
    positions = [place for place, name in enumerate(names) if name in _number_columns(contract)]

    def rows() -> Iterator[list[str]]:
        yield from _rows(sample[end:], delimiter, encoding)
        if not whole:
            for piece in more():
                # Such a piece begins somewhere in a row, which is left out.
                found = _rows(piece[piece.find(b"\n") + 1 :], delimiter, encoding)
                yield from (row for row in found if len(row) == len(names))

    mark = decimal_mark(rows(), positions, delimiter) or contract.data.decimal or "."
    return Head(tuple(names), delimiter, mark, encoding, end, line)


def json_head(sample: bytes, contract: Contract, *, whole: bool) -> Head:
    """Read the first objects of a JSON Lines file; raises `RefusedFile` when no row of the file could be scored."""
    check_text(sample, "jsonl")
    check_line_ends(sample, whole=whole)
    start = len(codecs.BOM_UTF8) if sample.startswith(codecs.BOM_UTF8) else 0
    text = sample[start:]
    if text.lstrip().startswith(b"["):
        raise RefusedFile("is one JSON array, not JSON Lines: write an object a line, without brackets and commas")
    lines = text.split(b"\n") if whole else text.split(b"\n")[:-1]
    names: dict[str, None] = {}
    found, first = 0, 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        first = first or number
        keys = _keys(line)
        if keys is not None:
            names.update(dict.fromkeys(keys))
            found += 1
        if found == _OBJECTS:
            break
    if not first:
        raise RefusedFile("is empty: expected a JSON object a line")
    if not found:
        raise RefusedFile(
            f"holds no JSON object in its first lines: line {first} is none. Expected JSON Lines, an object a line, "
            'such as {"age": 63}'
        )
    check_columns(list(names), contract, where="first objects have")
    return Head(tuple(names), "", ".", "utf-8", start, 1)


def _encoding(sample: bytes, contract: Contract) -> tuple[int, str]:
    """Where the text begins, behind a mark, and its encoding: UTF-8, or what the contract says that data come in."""
    if sample.startswith(codecs.BOM_UTF8):
        return len(codecs.BOM_UTF8), "utf-8"
    stated = contract.data.encoding
    if stated is None:
        return 0, "utf-8"
    name = codecs.lookup(stated).name
    plain = bytes(range(128))
    try:
        # Files are cut at bytes that mean the same as in ASCII.
        known = plain.decode(name) == plain.decode("ascii")
    except UnicodeDecodeError:
        known = False
    return 0, name if known and not name.startswith("utf-8") else "utf-8"


def _delimiter(text: str, contract: Contract) -> str:
    stated = contract.data.delimiter
    candidates = DELIMITERS if stated is None or not stated.isascii() else tuple(dict.fromkeys((stated, *DELIMITERS)))
    try:
        return find_delimiter(text, wanted(contract), candidates)
    except csv.Error as error:
        raise RefusedFile(f"has no header that can be read ({error})") from None


def _header(sample: bytes, start: int, delimiter: str, *, whole: bool) -> tuple[int, int]:
    """The first row with a value: where it begins and ends."""
    text = sample[start:]
    ends = row_ends(text, delimiter)
    if whole and not text.endswith(b"\n") and row_ends(text + b"\n", delimiter)[len(ends) :]:
        ends.append(len(text))
    begin = 0
    for end in ends:
        if _has_value(text[begin:end], delimiter):
            return start + begin, start + end
        begin = end
    if whole and not text[begin:].strip():
        raise RefusedFile("is empty: expected a header that names the columns, then a row a line")
    line = sample.count(b"\n", 0, start + begin) + 1
    raise RefusedFile(
        f"has no header that ends{'' if whole else f' within the first {SAMPLE // 2**20} MiB'}: look for a quote on "
        f"line {line} that is not closed"
    )


def _has_value(row: bytes, delimiter: str) -> bool:
    try:
        lines = io.StringIO(row.decode("latin-1"), newline="")
        return is_row(next(csv.reader(lines, delimiter=delimiter, skipinitialspace=True), []))
    except csv.Error:
        return True


def _cells(header: bytes, delimiter: str, encoding: str, line: int) -> list[str]:
    try:
        text = header.decode(encoding)
    except UnicodeDecodeError:
        raise RefusedFile(
            f"has a header (line {line}) that is not {encoding.upper()} text: save the file as UTF-8, or name the "
            "encoding of the data in [data] of problem.toml and train anew"
        ) from None
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error as error:
        raise RefusedFile(f"has a header (line {line}) that cannot be read: {error}") from None


def _check_header(names: Sequence[str], contract: Contract, line: int) -> None:
    """Raise `RefusedFile` for a header that is a row of values: they may be a person's, and are not repeated."""
    if wanted(contract).intersection(names) or sum(map(_is_number, names)) * 2 < len(names):
        return
    needed = ", ".join(name for name, feature in contract.inputs.items() if feature.required)
    raise RefusedFile(
        f"has no header: line {line} holds values, and should name the columns"
        + (f". The model needs: {needed}." if needed else ".")
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _rows(text: bytes, delimiter: str, encoding: str) -> Iterator[list[str]]:
    """Some rows of a piece of text, but for its last line, which may be cut off."""
    lines = io.StringIO(text[: text.rfind(b"\n") + 1].decode(encoding, errors="replace"), newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        yield from islice(reader, _ROWS)
    except csv.Error:
        return  # a broken row shows nothing; it is rejected when it is scored


def _number_columns(contract: Contract) -> set[str]:
    return {name for name, feature in contract.inputs.items() if feature.type in ("integer", "number")}


def _is_json(header: bytes) -> bool:
    return header.lstrip().startswith((b"{", b"[")) and _parsed(header.strip().strip(b"[],")) is not None


def _keys(line: bytes) -> list[str] | None:
    """The names in a line's object, None when it is none."""
    found = _parsed(line)
    return None if found is None else list(found)


def _parsed(text: bytes) -> dict[str, object] | None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
