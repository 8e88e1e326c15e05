"""One raw file, whatever its format: what it is shows in its name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Collection, Iterator

from andamio.contract import Contract
from andamio.tabular.delimited import read_delimited
from andamio.tabular.json_lines import read_json_lines
from andamio.tabular.rows import Chunk, ReadAs, RefusedFile
from andamio.tabular.text import decode

_FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
    ".parquet": "parquet",
    ".pq": "parquet",
}
KNOWN = "CSV (.csv, .tsv), JSON Lines (.jsonl, .ndjson), either of them also as .gz, or Parquet (.parquet)"


def read_raw(key: str, body: bytes, contract: Contract, wanted: Collection[str]) -> tuple[ReadAs, Iterator[Chunk]]:
    """How a file is read, and its chunks, which hold the `wanted` columns that it has.

    What `ReadAs` says is complete once the chunks are read. Raises `RefusedFile`, at once or while
    the chunks are read, when the file as a whole is of no use.
    """
    name = key.lower()
    zipped = name.endswith(".gz")
    stem = name.removesuffix(".gz")
    kind = next((kind for ending, kind in _FORMATS.items() if stem.endswith(ending)), None)
    if kind is None or (zipped and kind == "parquet"):
        raise RefusedFile(f"is of no known type: expected {KNOWN}")
    read_as = ReadAs(kind, compression="gzip" if zipped else "")
    if kind == "parquet":
        from andamio.tabular.parquet import read_parquet  # pyarrow, only where there is a Parquet file

        return read_as, read_parquet(body, read_as, wanted)
    text, read_as.encoding = decode(_unzipped(body) if zipped else body, contract.data.encoding)
    if kind == "json lines":
        return read_as, read_json_lines(text, read_as, wanted)
    numbers = {name for name, feature in contract.features.items() if feature.type in ("integer", "number")}
    chunks = read_delimited(
        text, read_as, wanted, numbers, delimiter=contract.data.delimiter, decimal=contract.data.decimal
    )
    return read_as, chunks


def _unzipped(body: bytes) -> bytes:
    try:
        return gzip.decompress(body)
    except (OSError, EOFError, zlib.error):
        raise RefusedFile("is not a gzip file that can be read: it may have been cut off; upload it again") from None
