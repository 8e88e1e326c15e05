"""Columns as a data version keeps them: typed as the contract read them, in one file that NumPy alone reads.

Numbers and booleans are float64 (NaN = no value), dates datetime64[D] and the time column datetime64[s]
(NaT = no value), everything else is text (dtype object, "" = no value): categories, ids and groups in
canonical text, the target as the first value that means its class.

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
from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.errors import DataError
from andamio.records.table import Table

FORMAT = 1

_TYPES = ("float64", "datetime64[D]", "datetime64[s]")
_TEXT = "text"
_HEADER = "columns"
_LEVEL = 1
"""Of zlib: most of a file are digests, which no level makes much smaller."""

Columns = dict[str, NDArray[Any]]


def contract_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of raw data that the contract names: features, also those known only afterwards, and its roles."""
    problem = contract.problem
    roles = [name for name in (problem.id, problem.group, problem.time, problem.target) if name is not None]
    return tuple(dict.fromkeys((*contract.features, *roles)))


def table_columns(contract: Contract, table: Table) -> Columns:
    """The columns to keep of a table that was parsed for training, rows in its order."""
    columns = {name: kept(column) for name, column in table.columns.items()}
    if contract.problem.time is not None and table.time is not None:
        columns[contract.problem.time] = kept(table.time)
    if table.labels is not None:
        values = [label.values[0] for label in contract.problem.labels.values()]
        # A row without a usable label is never kept; the last place stands for it until it is left out.
        columns[contract.problem.target] = np.array([*values, ""], dtype=object)[table.labels]
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
    is_missing: NDArray[np.bool_] = np.isnan(column) if column.dtype.kind == "f" else column == ""
    return is_missing


def to_bytes(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Columns as one file; the bytes are deterministic."""
    body = io.BytesIO()
    types = [[name, _type(column)] for name, column in columns.items()]
    with zipfile.ZipFile(body, "w") as archive:
        header = json.dumps({"format": FORMAT, "columns": types}, ensure_ascii=False).encode()
        _add(archive, _HEADER, np.frombuffer(header, np.uint8))
        for position, ((_, kind), column) in enumerate(zip(types, columns.values(), strict=True)):
            for part, array in (_dictionary_encoded(column) if kind == _TEXT else {"values": column}).items():
                _add(archive, f"{position}.{part}", array)
    return body.getvalue()


def from_bytes(body: bytes) -> Columns:
    """What `to_bytes` wrote; raises `DataError` when it is of another format."""
    try:
        with np.load(io.BytesIO(body), allow_pickle=False) as arrays:
            header = json.loads(arrays[_HEADER].tobytes())
            if header["format"] != FORMAT:
                raise DataError(f"The columns are of format {header['format']}, and this version reads {FORMAT}")
            return {
                name: _texts(arrays, position) if kind == _TEXT else arrays[f"{position}.values"]
                for position, (name, kind) in enumerate(header["columns"])
            }
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise DataError(
            f"This is no file of columns that can be read ({type(error).__name__}): run ETL again"
        ) from error


def content_digest(columns: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) of names, types and values, whatever file they are kept in."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        kind = column.dtype.str if column.dtype.kind == "M" else column.dtype.kind
        digest.update(f"{name}\0{kind}\0{len(column)}\0".encode())
        if column.dtype.kind == "f":
            digest.update(np.where(np.isnan(column), np.nan, column).tobytes())
        elif column.dtype.kind == "M":
            digest.update(column.tobytes())
        else:
            texts = [str(text) for text in column]
            digest.update(np.fromiter(map(len, texts), dtype="<i8", count=len(texts)).tobytes())
            digest.update("".join(texts).encode())
    return digest.hexdigest()


def _type(column: NDArray[Any]) -> str:
    return column.dtype.name if column.dtype.name in _TYPES else _TEXT


def _dictionary_encoded(column: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The distinct texts of a column in the order of their first rows, and which of them each row has."""
    texts = [str(text) for text in column]
    positions = {text: position for position, text in enumerate(dict.fromkeys(texts))}
    parts: dict[str, NDArray[Any]] = {
        "texts": np.frombuffer("".join(positions).encode(), np.uint8),
        "lengths": np.fromiter(map(len, positions), dtype="<i4", count=len(positions)),
    }
    if len(positions) < len(texts):
        code_type = np.min_scalar_type(len(positions) - 1).newbyteorder("<")
        parts["codes"] = np.fromiter(map(positions.__getitem__, texts), dtype=code_type, count=len(texts))
    return parts


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
