"""A whole file in memory, whatever its format: read by the readers that batch reads parts of files with."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator

import pyarrow as pa

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.records.names import slip_finder
from andamio.tabular.columns import Kinds, check_doubled
from andamio.tabular.csv.head import csv_head
from andamio.tabular.csv.reader import CsvReader
from andamio.tabular.gzip_file import unpacked
from andamio.tabular.json.head import json_head
from andamio.tabular.json.reader import JsonReader
from andamio.tabular.limits import LATER_SAMPLE, SAMPLE
from andamio.tabular.parquet.reader import ParquetReader, check_schema, column_names
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from andamio.tabular.signature import FILE_TYPES, check_gzip, check_parquet, check_text, format_of
from andamio.tabular.text.encoding import transcoded, transcoding_of


def read_file(
    name: str, body: bytes, contract: Contract, kinds: Kinds, *, exact: Collection[str] = ()
) -> tuple[ReadAs, Iterator[Rows]]:
    """How a file is read, and its rows, which hold the wanted columns (`kinds`, `exact`) that it has.

    The names of JSON Lines are complete once all rows are read. Raises `RefusedFile`, at once or while the rows
    are read, when the file as a whole is of no use.
    """
    known = format_of(name)
    if known is None:
        raise RefusedFile(f"has a name that does not say what it is: expected {FILE_TYPES}", fault="unknown-type")
    form, compression = known
    if not body:
        raise RefusedFile("is empty (0 bytes): upload it again", fault="empty")
    read_as = ReadAs(form, compression=compression)
    if form == "parquet":
        return read_as, _refusing(_parquet(body, read_as, kinds, exact))
    if compression:
        check_gzip(body[:2])
        body = b"".join(unpacked(io.BytesIO(body), len(body)))
    sample = body[:SAMPLE]
    check_text(sample, form, stated=contract.data.encoding)
    how = transcoding_of(sample, contract.data.encoding, whole=len(sample) == len(body))
    if how is not None:
        body = b"".join(transcoded([body], how))
    rows = _csv if form == "csv" else _json_lines
    found = rows(body, read_as, contract, kinds, exact, how.encoding if how is not None else "")
    if how is not None and how.encoding:
        read_as.encoding, read_as.encoding_basis = how.encoding, how.basis
    return read_as, _refusing(found)


def _csv(
    body: bytes, read_as: ReadAs, contract: Contract, kinds: Kinds, exact: Collection[str], transcoded_from: str
) -> Iterator[Rows]:
    whole = len(body) <= SAMPLE
    head = csv_head(body[:SAMPLE], contract, whole=whole, more=lambda: _later(body), transcoded=transcoded_from)
    check_doubled(head.columns, {*kinds, *exact})
    read_as.names = list(head.columns)
    read_as.encoding, read_as.encoding_basis = head.encoding, head.encoding_basis
    read_as.delimiter, read_as.decimal, read_as.thousands = head.delimiter, head.decimal, head.thousands
    reader = CsvReader(head, kinds, contract.data.missing, exact=exact)

    def rows() -> Iterator[Rows]:
        yield from reader.read(_at(body, head.body), head.line)
        if reader.open_line:
            raise RefusedFile(
                f"ends inside a quote that is opened on line {reader.open_line:,}: close the quote, or upload the file "
                "again if it was cut off",
                fault="open-quote",
            )

    return rows()


def _json_lines(
    body: bytes, read_as: ReadAs, contract: Contract, kinds: Kinds, exact: Collection[str], transcoded_from: str
) -> Iterator[Rows]:
    whole = len(body) <= SAMPLE
    head = json_head(body[:SAMPLE], contract, whole=whole, more=lambda: _later(body), transcoded=transcoded_from)
    read_as.names = list(head.columns)
    read_as.encoding, read_as.encoding_basis = head.encoding, head.encoding_basis
    names = dict.fromkeys(head.columns)
    reader = JsonReader(head, kinds, exact=exact, slip=slip_finder(contract, training=True), names=names)

    def rows() -> Iterator[Rows]:
        for some in reader.read(_at(body, head.body), head.line):
            read_as.names = list(names)
            yield some

    return rows()


def _parquet(body: bytes, read_as: ReadAs, kinds: Kinds, exact: Collection[str]) -> Iterator[Rows]:
    check_parquet(body[:8], body[-8:], len(body))
    try:
        reader = ParquetReader(pa.BufferReader(body), kinds, exact=exact, every=False)
        read_as.names = column_names(reader.whole_schema)
        check_schema(reader.whole_schema, {*kinds, *exact})
        yield from reader.read(range(reader.groups), 1)
    except DataError:
        raise
    except Exception as error:  # the library raises errors of many types for a damaged file
        raise RefusedFile(
            f"is not a Parquet file that can be read ({type(error).__name__}): write it again", fault="damaged"
        ) from error


def _refusing(rows: Iterator[Rows]) -> Iterator[Rows]:
    """The same rows; an error of a reader is raised as a `RefusedFile` about the file."""
    try:
        yield from rows
    except RefusedFile:
        raise
    except DataError as error:
        raise RefusedFile(f"cannot be read: {error}", fault="unreadable") from None


def _at(body: bytes, offset: int) -> io.BytesIO:
    source = io.BytesIO(body)
    source.seek(offset)
    return source


def _later(body: bytes) -> Iterable[bytes]:
    """The pieces to examine where the beginning of a file does not decide: the same as in a batch."""
    for start in (len(body) // 2, max(len(body) - LATER_SAMPLE, 0)):
        yield body[start : start + LATER_SAMPLE]
