"""Columns of Arrow as cells: the meaning of each type of column, for readers of Parquet."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from andamio.contract.canonical import exact_text
from andamio.records.cells import Cells, DictionaryColumn

_FIRST, _LAST = np.datetime64("0001-01-01", "s"), np.datetime64("9999-12-31T23:59:59", "s")


def dictionary_column(column: pa.Array) -> DictionaryColumn:
    """A column by its distinct values; a null is no value."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices
    if codes.null_count:
        codes = pc.fill_null(codes.cast(pa.int64()), -1)
    return DictionaryColumn(column.dictionary.to_pylist(), codes.to_numpy(zero_copy_only=False))


def absent_column(rows: int) -> DictionaryColumn:
    """A column that the file does not have."""
    return DictionaryColumn((), np.full(rows, -1, dtype=np.int8))


def numbers(column: pa.Array) -> Cells:
    """A column of numbers as float64, NaN where there is no value; any other column by its distinct values."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return numbers(column.dictionary_decode())
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    if pa.types.is_decimal(kind):
        column = pc.cast(pc.cast(column, pa.string()), pa.float64())  # its text is exact, and so is what is read of it
    elif not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return values(column)
    cast = pc.cast(column, pa.float64(), safe=False)
    array: Cells = cast.to_numpy(zero_copy_only=False)
    return array


def moments(column: pa.Array) -> Cells:
    """A column of dates or moments as datetime64, in UTC; any other as its distinct values."""
    kind = column.type
    if pa.types.is_date(kind):
        column = pc.cast(column, pa.timestamp("s"))
    elif not pa.types.is_timestamp(kind):
        return values(column)
    array: NDArray[np.datetime64] = column.to_numpy(zero_copy_only=False)
    years = array.astype("datetime64[s]")
    # ISO 8601 has four digits for a year, so a text with five is no date; neither is a value of a column.
    return values(column) if ((years < _FIRST) | (years > _LAST)).any() else array


def values(column: pa.Array) -> DictionaryColumn:
    """A column by its distinct values, as Python has them; dates and moments as the texts that other formats hold."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = _without_nanoseconds(column)
    elif pa.types.is_float16(kind) or pa.types.is_float32(kind):
        return _short_floats(column)
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        with suppress(pa.ArrowException):  # bytes that are no UTF-8 are reported row by row
            column = pc.cast(column, pa.string())
    try:
        found = dictionary_column(column)
    except pa.ArrowException:  # Arrow has no dictionary encoding for lists and objects
        found = DictionaryColumn(column.to_pylist(), np.arange(len(column)))
    except (OverflowError, ValueError):  # years outside those of Python's datetime
        found = dictionary_column(pc.cast(column, pa.string()))
    return DictionaryColumn([_plain(value) for value in found.values], found.codes)


def _without_nanoseconds(column: pa.Array) -> pa.Array:
    """Moments as datetimes of microseconds; as texts where the year is outside those of Python's datetime."""
    try:
        return pc.cast(column, pa.timestamp("us"), safe=column.type.unit != "ns")
    except pa.ArrowInvalid:
        return pc.cast(column, pa.string())


def _short_floats(column: pa.Array) -> DictionaryColumn:
    """Floats of 16 or 32 bits as the shortest decimal numbers that round to them: 0.1, and not 0.10000000149011612."""
    cells = column.to_numpy(zero_copy_only=False)
    distinct, codes = np.unique(cells, return_inverse=True)
    present = np.isfinite(distinct) if not column.null_count else ~np.isnan(distinct)
    return DictionaryColumn([float(str(value)) for value in distinct], np.where(present[codes], codes, -1))


def held_type(kind: pa.DataType) -> pa.DataType:
    """The type to cast a column to: `take` does not work on views of text."""
    return {pa.string_view(): pa.large_string(), pa.binary_view(): pa.large_binary()}.get(kind, kind)


def _plain(value: Any) -> object:
    if isinstance(value, bytes):
        with suppress(UnicodeDecodeError):
            return value.decode()
    if hasattr(value, "isoformat") and hasattr(value, "year"):
        return value.isoformat().removesuffix("T00:00:00")
    return exact_text(value) if isinstance(value, Decimal) and value.is_finite() else value


def cells_of(column: pa.Array | Cells) -> list[Any]:
    """A column as cells, None where there is none."""
    if isinstance(column, pa.Array):
        column = values(column.cast(held_type(column.type)))
    if isinstance(column, DictionaryColumn):
        return list(map([*column.values, None].__getitem__, column.codes.tolist()))
    return list(column)
