"""Parts that are files of their own, put together to one file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from andamio.errors import DataError, ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects
from scoring.batch import BatchPlan, ShardResult
from scoring.verify import Complete
from scoring.write.csv_header import csv_header

MAX_BYTES = 256 * 2**20
"""Bytes of all parts together beyond which they stay parts."""

_BLOCK = 4 * 2**20
_TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}


def merge(objects: Objects, found: Complete) -> str | None:
    """Write all scored rows as one file; its key, or None when they are too many."""
    plan = found.plan
    if sum(result.bytes for result in found.results) > MAX_BYTES:
        return None
    key = layout.scored_whole(plan.batch, plan.ending)
    try:
        objects.head(key)
    except ObjectNotFound:
        if plan.input.format == "parquet":
            _merge_parquet(objects, plan, found.results, key)
        else:
            objects.put_stream(key, _texts(objects, plan, found.results), content_type=_TYPES[plan.input.format])
    return key


def _texts(objects: Objects, plan: BatchPlan, results: tuple[ShardResult, ...]) -> Iterator[bytes]:
    """All parts one behind another, the header of a CSV once."""
    header = csv_header(plan) if plan.input.format == "csv" else b""
    for number, result in enumerate(results):
        key = layout.scored_part(plan.batch, result.number, plan.ending)
        with objects.stream(key) as source:
            begins = b""
            while len(begins) < len(header) and (more := source.read(len(header) - len(begins))):
                begins += more
            if begins != header:
                raise DataError(f"{key} does not begin with the header of its batch: it was written by another version")
            if number == 0:
                yield begins
            while block := source.read(_BLOCK):
                yield block


def _merge_parquet(objects: Objects, plan: BatchPlan, results: tuple[ShardResult, ...], key: str) -> None:
    import pyarrow.parquet as pq  # only where there is a Parquet file

    with TemporaryDirectory(prefix="merge-") as folder:
        whole, part = Path(folder) / "whole.parquet", Path(folder) / "part.parquet"
        writer = None
        for result in results:
            _download(objects, layout.scored_part(plan.batch, result.number, plan.ending), part)
            with pq.ParquetFile(part) as file:
                writer = writer or pq.ParquetWriter(whole, file.schema_arrow, compression="zstd")
                for number in range(file.num_row_groups):
                    writer.write_table(file.read_row_group(number))
        if writer is not None:
            writer.close()
        objects.put_new_file(key, whole, content_type="application/vnd.apache.parquet")


def _download(objects: Objects, key: str, file: Path) -> None:
    with objects.stream(key) as source, file.open("wb") as target:
        while block := source.read(_BLOCK):
            target.write(block)
