"""Sample data of a size that is read in seconds: a small file as it is, and random rows of a larger one."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from andamio.contract import Contract
from andamio.errors import InputFileError
from andamio.tabular.csv.head import csv_head
from andamio.tabular.csv.quotes import row_ends
from andamio.tabular.json.head import json_head
from andamio.tabular.refused import RefusedFile
from andamio.tabular.signature import format_of
from andamio.tabular.text.encoding import transcoding_of

WHOLE = 12_000_000
"""Bytes up to which a file is read as it is."""
ROWS = 60_000
"""Rows that are drawn of a larger one."""
READ = 300_000_000
"""Bytes of text, unpacked, that rows are drawn from: the first ones of an even larger file."""
_SEED = 7


def sampled(path: Path, contract: Contract) -> tuple[bytes, int | None]:
    """The bytes to read, and how many rows they were drawn from where these are a sample (else None).

    Rows are drawn at random, and stay in the order of the file. Raises `InputFileError` when the file is not there.
    """
    try:
        if path.stat().st_size <= WHOLE:
            return path.read_bytes(), None
        form = format_of(path.name)
        if form is None:
            return path.read_bytes(), None
        if form[0] == "parquet":
            return _parquet(path)
        return _text(path, contract, zipped=bool(form[1]))
    except FileNotFoundError:
        raise InputFileError(f"{path}: [data] files names it, and there is no such file") from None


def _drawn(rows: int) -> np.ndarray:
    chosen = np.random.default_rng(_SEED).permutation(rows)[:ROWS]
    return np.sort(chosen)


def _parquet(path: Path) -> tuple[bytes, int | None]:
    table = pq.read_table(path)
    if table.num_rows <= ROWS:
        return path.read_bytes(), None
    sink = io.BytesIO()
    pq.write_table(table.take(pa.array(_drawn(table.num_rows))), sink)
    return sink.getvalue(), table.num_rows


def _text(path: Path, contract: Contract, *, zipped: bool) -> tuple[bytes, int | None]:
    with gzip.open(path) if zipped else path.open("rb") as file:
        text = file.read(READ)
        rest = bool(file.read(1))
    if transcoding_of(text, contract.data.encoding, whole=not rest) is not None:
        return path.read_bytes(), None  # rows of UTF-16 cannot be told apart in bytes
    try:
        if path.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
            head = json_head(text, contract, whole=not rest)
            ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
        else:
            head = csv_head(text, contract, whole=not rest)
            ends = np.asarray(row_ends(text, head.delimiter))
    except RefusedFile:
        return path.read_bytes(), None  # ETL says what is wrong with it
    ends = ends[ends > head.body]
    if len(ends) <= ROWS:
        return path.read_bytes(), None
    starts = np.concatenate([[head.body], ends[:-1]])
    rows = [text[starts[place] : ends[place]] for place in _drawn(len(ends)).tolist()]
    drawn = text[: head.body] + b"".join(rows)
    return gzip.compress(drawn, 1) if zipped else drawn, len(ends)
