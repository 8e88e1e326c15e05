"""A whole file, whatever its format: read by the readers that batch reads parts of files with."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import IO

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

_IN_MEMORY = 16 * 2**20
"""Bytes of an unpacked file that are kept in memory; a larger one is unpacked on disk."""
_PIECE = 4 * 2**20


@dataclass(frozen=True, slots=True)
class _Body:
    """The bytes of a file that can be read from any place; `size` in bytes."""

    file: IO[bytes]
    size: int

    @classmethod
    def of(cls, file: IO[bytes]) -> _Body:
        return cls(file, file.seek(0, io.SEEK_END))

    def piece(self, start: int, length: int) -> bytes:
        return self.at(start).read(length)

    def at(self, start: int) -> IO[bytes]:
        self.file.seek(start)
        return self.file

    def pieces(self) -> Iterable[bytes]:
        self.file.seek(0)
        return iter(lambda: self.file.read(_PIECE), b"")

    def later(self) -> Iterable[bytes]:
        """The pieces to examine where the beginning of a file does not decide: the same as in a batch."""
        for start in (self.size // 2, max(self.size - LATER_SAMPLE, 0)):
            yield self.piece(start, LATER_SAMPLE)


def read_file(
    name: str, body: bytes | IO[bytes], contract: Contract, kinds: Kinds, *, exact: Collection[str] = ()
) -> tuple[ReadAs, Iterator[Rows]]:
    """How a file is read, and its rows, which hold the wanted columns (`kinds`, `exact`) that it has.

    A `body` that is a file is read as its rows are, and stays open. The names of JSON Lines are complete once all rows
    are read. Raises `RefusedFile`, at once or while the rows are read, when the file as a whole is of no use.
    """
    known = format_of(name)
    if known is None:
        raise RefusedFile(f"has a name that does not say what it is: expected {FILE_TYPES}", fault="unknown-type")
    form, compression = known
    whole = _Body.of(io.BytesIO(body) if isinstance(body, bytes) else body)
    if not whole.size:
        raise RefusedFile("is empty (0 bytes): upload it again", fault="empty")
    read_as = ReadAs(form, compression=compression)
    if form == "parquet":
        return read_as, _refusing(_parquet(whole, read_as, kinds, exact), ExitStack())
    with ExitStack() as opened:
        if compression:
            check_gzip(whole.piece(0, 2))
            whole = _kept(unpacked(whole.at(0), whole.size), opened)
        sample = whole.piece(0, SAMPLE)
        check_text(sample, form, stated=contract.data.encoding)
        how = transcoding_of(sample, contract.data.encoding, whole=len(sample) == whole.size)
        if how is not None:
            whole = _kept(transcoded(whole.pieces(), how), opened)
        rows = _csv if form == "csv" else _json_lines
        found = rows(whole, read_as, contract, kinds, exact, how.encoding if how is not None else "")
        if how is not None and how.encoding:
            read_as.encoding, read_as.encoding_basis = how.encoding, how.basis
        return read_as, _refusing(found, opened.pop_all())


def _kept(pieces: Iterable[bytes], opened: ExitStack) -> _Body:
    """What pieces make, as a file that is closed with the others that were `opened`."""
    file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the rows are read from it after this returned
    opened.callback(file.close)
    file.writelines(pieces)
    return _Body.of(file)


def _csv(
    body: _Body, read_as: ReadAs, contract: Contract, kinds: Kinds, exact: Collection[str], transcoded_from: str
) -> Iterator[Rows]:
    sample = body.piece(0, SAMPLE)
    whole = body.size <= SAMPLE
    head = csv_head(sample, contract, whole=whole, more=body.later, transcoded=transcoded_from)
    check_doubled(head.columns, {*kinds, *exact})
    read_as.names = list(head.columns)
    read_as.encoding, read_as.encoding_basis = head.encoding, head.encoding_basis
    read_as.delimiter, read_as.decimal, read_as.thousands = head.delimiter, head.decimal, head.thousands
    reader = CsvReader(head, kinds, contract.data.missing, exact=exact)

    def rows() -> Iterator[Rows]:
        yield from reader.read(body.at(head.body), head.line)
        if reader.open_line:
            raise RefusedFile(
                f"ends inside a quote that is opened on line {reader.open_line:,}: close the quote, or upload the file "
                "again if it was cut off",
                fault="open-quote",
            )

    return rows()


def _json_lines(
    body: _Body, read_as: ReadAs, contract: Contract, kinds: Kinds, exact: Collection[str], transcoded_from: str
) -> Iterator[Rows]:
    sample = body.piece(0, SAMPLE)
    whole = body.size <= SAMPLE
    head = json_head(sample, contract, whole=whole, more=body.later, transcoded=transcoded_from)
    read_as.names = list(head.columns)
    read_as.encoding, read_as.encoding_basis = head.encoding, head.encoding_basis
    names = dict.fromkeys(head.columns)
    reader = JsonReader(head, kinds, exact=exact, slip=slip_finder(contract, training=True), names=names)

    def rows() -> Iterator[Rows]:
        for some in reader.read(body.at(head.body), head.line):
            read_as.names = list(names)
            yield some

    return rows()


def _parquet(body: _Body, read_as: ReadAs, kinds: Kinds, exact: Collection[str]) -> Iterator[Rows]:
    check_parquet(body.piece(0, 8), body.piece(max(body.size - 8, 0), 8), body.size)
    try:
        reader = ParquetReader(pa.PythonFile(body.file, mode="r"), kinds, exact=exact, every=False)
        read_as.names = column_names(reader.whole_schema)
        check_schema(reader.whole_schema, {*kinds, *exact})
        yield from reader.read(range(reader.groups), 1)
    except DataError:
        raise
    except Exception as error:  # the library raises errors of many types for a damaged file
        raise RefusedFile(
            f"is not a Parquet file that can be read ({type(error).__name__}): write it again", fault="damaged"
        ) from error


def _refusing(rows: Iterator[Rows], opened: ExitStack) -> Iterator[Rows]:
    """The same rows; an error of a reader is raised as a `RefusedFile`. At the end `opened` is closed."""
    with opened:
        try:
            yield from rows
        except RefusedFile:
            raise
        except DataError as error:
            raise RefusedFile(f"cannot be read: {error}", fault="unreadable") from None
