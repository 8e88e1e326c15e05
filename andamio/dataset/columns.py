"""Columns as a data version keeps them: typed as the contract read them, in one file that NumPy alone reads.

Numbers and booleans are float64 (NaN = no value), dates datetime64[D] and the time column datetime64[s]
(NaT = no value), everything else is text (dtype object, "" = no value): categories, ids and groups in
canonical text, the target as the first value that means its class, or as a number. A column of uint64 in memory
is text, too: of digests (`andamio.dataset.digests`), which are too many to be objects.

The file is a zip archive of `.npy` arrays, as `numpy.load` reads it without pickle: `columns` is UTF-8 JSON
(`{"format": 1, "columns": [[name, type], ...]}`), `0.values`, `1.values`, ... are the columns in that order.
A column of text has its distinct texts in three arrays instead: `0.texts` (UTF-8, one behind the other),
`0.lengths` (characters of each), and `0.codes` (which text each row has; left out where all rows differ).
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.digests import DIGITS, from_hexadecimal, hexadecimal
from andamio.errors import DataError
from andamio.records.table import Table
from andamio.records.target import kept_target

FORMAT = 1

_TYPES = ("float64", "datetime64[D]", "datetime64[s]")
TEXT = "text"
_HEADER = "columns"
_LEVEL = 1
"""Of zlib: most of a file are digests, which no level makes much smaller."""
_AT_ONCE = 1 << 18
"""Rows that are hashed at once."""

Columns = Mapping[str, NDArray[Any]]
"""Columns by name, in memory or each read when it is asked for."""


def contract_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of raw data that the contract names: features, also those known only afterwards, and its roles."""
    problem = contract.problem
    roles = [name for name in (problem.id, problem.group, problem.time, problem.target) if name is not None]
    return tuple(dict.fromkeys((*contract.features, *roles)))


def file_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of raw data that are read: [raw] instead of features where it says so, no label that is made."""
    return tuple(
        name
        for name in contract_columns(contract.sent)
        if name != contract.problem.target or contract.label_column is not None
    )


def table_columns(contract: Contract, table: Table) -> dict[str, NDArray[Any]]:
    """The columns to keep of a table that was parsed for training, rows in its order."""
    columns = {name: kept(column) for name, column in table.columns.items()}
    if contract.problem.time is not None and table.time is not None:
        columns[contract.problem.time] = kept(table.time)
    if table.labels is not None:
        columns[contract.problem.target] = kept_target(contract, table.labels)
    return columns


def kept(column: NDArray[Any]) -> NDArray[Any]:
    """One column in its kept form: float64, datetime64, or text as dtype object."""
    if column.dtype.kind == "f":
        return column.astype(np.float64) + 0.0  # -0.0 and 0.0 are one number
    return column if column.dtype.kind == "M" else column.astype(object)


def missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows of a kept column have no value: `[rows]`."""
    if column.dtype.kind == "M":
        return np.isnat(column)
    if column.dtype.kind == "u":
        return np.zeros(len(column), dtype=bool)
    is_missing: NDArray[np.bool_] = np.isnan(column) if column.dtype.kind == "f" else column == ""
    return is_missing


def to_bytes(columns: Columns) -> bytes:
    """Columns as one file; the bytes are deterministic."""
    body = io.BytesIO()
    with ColumnWriter(body, [(name, type_name(column)) for name, column in columns.items()]) as writer:
        for column in columns.values():
            writer.add(column)
    return body.getvalue()


def from_bytes(body: bytes) -> dict[str, NDArray[Any]]:
    """What `to_bytes` wrote; raises `DataError` when it is of another format."""
    with ColumnFile(io.BytesIO(body)) as file:
        return dict(file)


class ColumnWriter:
    """Writes a file column by column, in the order of `types`: the name of each column and its `type_name`."""

    def __init__(self, file: IO[bytes] | Path, types: Sequence[tuple[str, str]]) -> None:
        self._types = types
        self._written = 0
        self._archive = zipfile.ZipFile(file, "w")
        header = json.dumps({"format": FORMAT, "columns": [list(pair) for pair in types]}, ensure_ascii=False)
        _add(self._archive, _HEADER, np.frombuffer(header.encode(), np.uint8))

    def add(self, column: NDArray[Any]) -> None:
        """Write the next column."""
        _, kind = self._types[self._written]
        for part, array in (_dictionary_encoded(column) if kind == TEXT else {"values": column}).items():
            _add(self._archive, f"{self._written}.{part}", array)
        self._written += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._archive.close()


class ColumnFile(Columns):
    """What `to_bytes` wrote, each column read when it is asked for; raises `DataError` when it is of another format."""

    def __init__(self, file: IO[bytes] | Path) -> None:
        with _readable():
            self._arrays = np.load(file, allow_pickle=False)
            header = json.loads(self._arrays[_HEADER].tobytes())
            if header["format"] != FORMAT:
                raise DataError(f"The columns are of format {header['format']}, and this version reads {FORMAT}")
            self.types = [(str(name), str(kind)) for name, kind in header["columns"]]
        self._places = {name: place for place, (name, _) in enumerate(self.types)}

    def __getitem__(self, name: str) -> NDArray[Any]:
        place = self._places[name]
        with _readable():
            if self.types[place][1] == TEXT:
                return _texts(self._arrays, place)
            values: NDArray[Any] = self._arrays[f"{place}.values"]
            return values

    def digests(self, name: str) -> NDArray[Any]:
        """A column of text as numbers `[rows]` where all texts are digests, else as it is.

        They are equal and ordered as the texts are, in a tenth of the memory.
        """
        place = self._places[name]
        with _readable():
            if self.types[place][1] != TEXT or not (self._arrays[f"{place}.lengths"] == DIGITS).all():
                return self[name]
            distinct = from_hexadecimal(self._arrays[f"{place}.texts"].tobytes())
            codes = f"{place}.codes"
            if distinct is None:
                return self[name]
            return distinct[self._arrays[codes]] if codes in self._arrays else distinct

    def distinct(self, name: str) -> tuple[int, int]:
        """How many distinct texts a column of text has, and their bytes in UTF-8, with none of them in memory."""
        place = self._places[name]
        with _readable():
            return len(self._arrays[f"{place}.lengths"]), len(self._arrays[f"{place}.texts"])

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._arrays.close()


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"This is no file of columns that can be read ({type(error).__name__}): run ETL again"
        ) from error


def content_digest(columns: Columns) -> str:
    """SHA-256 (hex) of names, types and values, whatever file they are kept in."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        add_content(digest, name, column)
    return digest.hexdigest()


def add_content(digest: hashlib._Hash, name: str, column: NDArray[Any]) -> None:
    """Add one column to a content digest."""
    is_text = column.dtype.kind not in "fM"
    kind = column.dtype.str if column.dtype.kind == "M" else "O" if is_text else column.dtype.kind
    digest.update(f"{name}\0{kind}\0{len(column)}\0".encode())
    parts = [column[start : start + _AT_ONCE] for start in range(0, len(column), _AT_ONCE)]
    if is_text:
        for part in parts:
            digest.update(_lengths(part, "<i8").tobytes())
        for part in parts:
            digest.update((hexadecimal(part) if part.dtype.kind == "u" else "".join(map(str, part))).encode())
        return
    for part in parts:
        digest.update((np.where(np.isnan(part), np.nan, part) if column.dtype.kind == "f" else part).tobytes())


def type_name(column: NDArray[Any]) -> str:
    """How a file names the type of a column."""
    return column.dtype.name if column.dtype.name in _TYPES else TEXT


def _lengths(texts: NDArray[Any], dtype: str) -> NDArray[Any]:
    """The number of characters of each text."""
    if texts.dtype.kind == "u":
        return np.full(len(texts), DIGITS, dtype=dtype)
    return np.fromiter(map(len, map(str, texts)), dtype=dtype, count=len(texts))


def _dictionary_encoded(column: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The distinct texts of a column in the order of their first rows, and which of them each row has."""
    if column.dtype.kind == "u":
        return _encoded_digests(column)
    positions: dict[str, int] = dict.fromkeys(map(str, column), 0)
    parts: dict[str, NDArray[Any]] = {
        "texts": np.frombuffer("".join(positions).encode(), np.uint8),
        "lengths": np.fromiter(map(len, positions), dtype="<i4", count=len(positions)),
    }
    if len(positions) < len(column):
        positions.update(zip(positions, range(len(positions)), strict=True))
        codes = map(positions.__getitem__, map(str, column))
        parts["codes"] = np.fromiter(codes, dtype=_code_type(len(positions)), count=len(column))
    return parts


def _encoded_digests(column: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
    ordered = np.sort(column)
    codes = None
    if (ordered[1:] == ordered[:-1]).any():
        column, first, member = np.unique(column, return_index=True, return_inverse=True)
        by_row = np.argsort(first)
        place = np.empty(len(first), dtype=_code_type(len(first)))
        place[by_row] = np.arange(len(first))
        column, codes = column[by_row], place[member]
    parts = {
        "texts": np.frombuffer(hexadecimal(column).encode(), np.uint8),
        "lengths": _lengths(column, "<i4"),
    }
    return parts if codes is None else parts | {"codes": codes}


def _code_type(distinct: int) -> np.dtype[Any]:
    return np.min_scalar_type(distinct - 1).newbyteorder("<")


def _texts(arrays: Mapping[str, NDArray[Any]], position: int) -> NDArray[Any]:
    whole = arrays[f"{position}.texts"].tobytes().decode()
    ends = accumulate(arrays[f"{position}.lengths"].tolist(), initial=0)
    distinct = [whole[start:end] for start, end in pairwise(ends)]
    column = np.empty(len(distinct), dtype=object)
    column[:] = distinct
    codes = f"{position}.codes"
    return column[arrays[codes]] if codes in arrays else column


def _add(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    """One array, without the moment that it was written at."""
    entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type, entry.compress_level = zipfile.ZIP_DEFLATED, _LEVEL
    with archive.open(entry, "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
