"""A copy of a file without the rows that have no label: ETL takes no file of which most rows cannot be learned from."""

from __future__ import annotations

import gzip
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.cli.new.file_names import free_name, stem_of
from andamio.cli.new.source import stub_contract
from andamio.records.cells import text_of
from andamio.tabular.arrow import cells_of
from andamio.tabular.csv.head import csv_head
from andamio.tabular.file import read_file
from andamio.tabular.signature import format_of
from andamio.tabular.text.encoding import transcoded, transcoding_of


def labelled(path: Path, target: str, missing: Collection[str], encoding: str | None, folder: Path) -> Path:
    """Write the rows of a file that have a target to a new file in `folder`, text in UTF-8; returns its path."""
    known = format_of(path.name)
    assert known is not None
    kept: list[str] = []
    chosen: list[int] = []
    read = 0
    with path.open("rb") as body:
        _, blocks = read_file(path.name, body, stub_contract(target, encoding), {}, exact=[target])
        for rows in blocks:
            cells = cells_of(rows.exact[target]) if target in rows.exact else [None] * len(rows.lines)
            some = [place for place, cell in enumerate(cells) if text_of(cell) not in ("", *missing)]
            if known[0] == "parquet":  # what is carried of a row is the column that was read
                chosen += [read + place for place in some]
            else:
                kept += rows.carried.take(pa.array(some, pa.int64())).to_pylist()
            read += len(cells)
    taken = {file.name for file in folder.iterdir()}
    found = folder / free_name(f"{stem_of(path.name)}-labelled", f".{known[0]}", taken)
    if known[0] == "parquet":
        pq.write_table(pq.read_table(path).take(pa.array(chosen, pa.int64())), found)
        return found
    if known[0] == "jsonl":
        found.write_text("".join(f"{line}}}\n" for line in kept), encoding="utf-8")
        return found
    header = _header(path, zipped=bool(known[1]), encoding=encoding, target=target)
    found.write_text("".join(f"{line}\n" for line in [header, *kept]), encoding="utf-8", newline="")
    return found


def _header(path: Path, *, zipped: bool, encoding: str | None, target: str) -> str:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if zipped else raw
    stub = stub_contract(target, encoding)
    how = transcoding_of(text, encoding, whole=True)
    if how is not None:
        text = b"".join(transcoded([text], how))
    head = csv_head(text, stub, whole=True, transcoded=how.encoding if how is not None else "")
    return text[: head.body].decode("utf-8-sig" if head.encoding == "utf-8" else head.encoding).rstrip("\r\n")
