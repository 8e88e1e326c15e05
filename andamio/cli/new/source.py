"""The columns of files, each cell in canonical text, read by the reader that ETL has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.canonical import composed
from andamio.errors import InputFileError
from andamio.records.cells import Wrong, number_written, text_of
from andamio.tabular.arrow import cells_of
from andamio.tabular.file import read_file
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from andamio.tabular.signature import FILE_TYPES, format_of

MOST_ROWS = 200_000
"""Rows that are looked at: the first ones of a larger file."""
_NO_COLUMN = "(none)"


@dataclass(slots=True)
class Source:
    """One file that was read: its columns by name, each cell as canonical text, "" where there is none.

    `quoted` are the columns of JSON Lines and Parquet with numbers as texts, `nested` those with lists or objects,
    `unread` those of Parquet of a type that is not read, with that type.
    `doubled` are names that come twice; they cannot be used. `broken` rows are none. With `cut` there are more rows.
    """

    path: Path
    read_as: ReadAs
    columns: dict[str, list[str]]
    rows: int = 0
    broken: int = 0
    cut: bool = False
    quoted: set[str] = field(default_factory=set)
    nested: set[str] = field(default_factory=set)
    unread: dict[str, str] = field(default_factory=dict)
    doubled: list[str] = field(default_factory=list)


def read_source(path: Path, target: str | None, encoding: str | None) -> Source:
    """Read a file of which no contract is known yet; raises `InputFileError` when it cannot be read.

    The `target` helps to find the header where titles stand above it.
    """
    if format_of(path.name) is None:
        raise InputFileError(f"{path.name}: expected {FILE_TYPES}, or a sheet of an Excel workbook (.xlsx)")
    stub = stub_contract(target, encoding)
    try:
        read_as, names = _names(path, stub)
        counts = Counter(names)
        wanted = [name for name in counts if name and counts[name] == 1]
        source = Source(path, read_as, {name: [] for name in wanted})
        source.doubled = [name for name, times in counts.items() if name and times > 1]
        types = _types(path, read_as)
        source.nested = {name for name, kind in types.items() if pa.types.is_nested(kind)}
        source.unread = {name: str(kind) for name, kind in types.items() if _is_unread(kind)}
        flat = [name for name in wanted if name not in source.nested and name not in source.unread]
        texts = {name for name in flat if name not in types or _is_text(types[name])}
        with path.open("rb") as body:
            source.read_as, blocks = read_file(path.name, body, stub, {}, exact=flat)
            for rows in blocks:
                _add(source, rows, texts)
                if source.rows >= MOST_ROWS:
                    source.cut = True
                    break
    except RefusedFile as error:
        raise InputFileError(f"{path.name} {error}") from None
    if not source.rows:
        raise InputFileError(f"{path.name} has columns and no rows: there is nothing to learn from")
    return source


def stub_contract(target: str | None, encoding: str | None) -> Contract:
    """A contract that knows the target alone, to read a file by whose columns are not known."""
    return Contract.model_validate(
        {
            "problem": {"name": "new", "target": target or _NO_COLUMN, "labels": {"a": "a", "b": "b"}},
            "data": {} if encoding is None else {"encoding": encoding},
            "features": {f"{_NO_COLUMN} feature": {"type": "category", "required": False}},
        }
    )


def _names(path: Path, stub: Contract) -> tuple[ReadAs, list[str]]:
    with path.open("rb") as body:
        read_as, blocks = read_file(path.name, body, stub, {})
        read = 0
        if read_as.format != "csv":  # its names are known once rows are read, and of JSON Lines any row has new ones
            for rows in blocks:
                read += rows.count
                if read_as.format == "parquet" or read >= MOST_ROWS:
                    break
    return read_as, [composed(name) for name in read_as.names]


def _types(path: Path, read_as: ReadAs) -> dict[str, pa.DataType]:
    """The types of a Parquet file's columns, of dictionaries those of the values; none where another file has none."""
    if read_as.format != "parquet":
        return {}
    types = {composed(field.name): field.type for field in pq.read_schema(path)}
    return {name: kind.value_type if pa.types.is_dictionary(kind) else kind for name, kind in types.items()}


def _is_unread(kind: pa.DataType) -> bool:
    return bool(pa.types.is_time(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _add(source: Source, rows: Rows, texts: Collection[str]) -> None:
    """Add rows; numbers of the columns that are `texts` in the file stand in quotes there."""
    count = len(rows.lines)
    source.rows += count
    source.broken += len(rows.broken)
    for name, column in source.columns.items():
        if name not in rows.exact:
            column.extend([""] * count)
            continue
        cells = cells_of(rows.exact[name])
        if any(isinstance(cell, list | dict | tuple | np.ndarray | bytes) for cell in cells):
            source.nested.add(name)
        if name in source.nested:
            column.extend([""] * count)
            continue
        column.extend(_texts(cells))
        if source.read_as.format != "csv" and name in texts and any(_is_quoted(cell) for cell in cells):
            source.quoted.add(name)


def _texts(cells: Sequence[Any]) -> Iterator[str]:
    known: dict[tuple[type, Any], str] = {}
    for cell in cells:
        key = (type(cell), cell)
        text = known.get(key)
        if text is None:
            found = text_of(cell)
            text = known[key] = "" if isinstance(found, Wrong) else found
        yield text


def _is_quoted(cell: object) -> bool:
    return isinstance(cell, str) and not isinstance(number_written(cell, "."), Wrong)


def joined(sources: Sequence[Source]) -> dict[str, NDArray[Any]]:
    """The columns of all files, one after another: texts `[rows]`, "" where a file lacks the column."""
    names = list(dict.fromkeys(name for source in sources for name in source.columns))
    return {
        name: np.array(
            [text for source in sources for text in source.columns.get(name, [""] * source.rows)], dtype=object
        )
        for name in names
    }
