"""Columns as a data version keeps them: what the contract read, in the canonical form that it reads again.

Numbers and booleans are float64 (NaN = no value), everything else is text ("" = no value): dates
ISO 8601, categories, ids and groups in canonical text, the target as the first value that means its
class, so that `Contract.parse` reads every column back to what it was.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from typing import Any

import fastparquet
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.records.table import Table

Columns = dict[str, NDArray[Any]]


def kept_columns(contract: Contract) -> tuple[str, ...]:
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
    """One column in its kept form: float64, or text as dtype object."""
    if column.dtype.kind == "f":
        return column.astype(np.float64) + 0.0  # -0.0 and 0.0 are one number
    if column.dtype.kind == "M":
        texts = np.datetime_as_string(column).astype(object)
        texts[np.isnat(column)] = ""
        return texts
    return column.astype(object)


def to_parquet(columns: Mapping[str, NDArray[Any]]) -> bytes:
    """Columns as one Parquet file; the same columns always make the same bytes."""
    buffer = _Buffer()
    frame = pd.DataFrame({name: _written(column) for name, column in columns.items()})
    fastparquet.write(
        "rows.parquet",
        frame,
        compression="ZSTD",
        open_with=lambda path, mode: buffer,
        write_index=False,
        has_nulls=False,
        object_encoding="utf8",
        stats=False,
    )
    return buffer.getvalue()


def from_parquet(body: bytes) -> Columns:
    """What `to_parquet` wrote."""
    frame = fastparquet.ParquetFile(io.BytesIO(body)).to_pandas()
    return {str(name): kept(frame[name].to_numpy(dtype=_dtype(frame[name]))) for name in frame.columns}


def content_digest(columns: Mapping[str, NDArray[Any]]) -> str:
    """SHA-256 (hex) of names, types and values, whatever file they are kept in."""
    digest = hashlib.sha256()
    for name, column in columns.items():
        digest.update(f"{name}\0{column.dtype.kind}\0{len(column)}\0".encode())
        if column.dtype.kind == "f":
            digest.update(np.where(np.isnan(column), np.nan, column).tobytes())
        else:
            texts = [str(text) for text in column]
            digest.update(np.fromiter(map(len, texts), dtype="<i8", count=len(texts)).tobytes())
            digest.update("".join(texts).encode())
    return digest.hexdigest()


def _written(column: NDArray[Any]) -> Any:
    return column if column.dtype.kind == "f" else pd.Series(column.astype(object), dtype=object)


def _dtype(series: Any) -> type:
    return np.float64 if series.dtype.kind == "f" else object


class _Buffer(io.BytesIO):
    """A file in memory that outlives the writer's closing it."""

    def close(self) -> None:
        """Stay readable."""
