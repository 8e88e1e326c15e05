"""The scored rows of a batch as one local file: in the batch's own format, or as CSV, Parquet or SQLite.

Each part is downloaded, converted and deleted before the next one, so memory and disk use are bounded.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from andamio.cli.batches.arrow_rows import Kinds, batches_of, csv_rows
from andamio.cli.batches.sinks import open_sink
from andamio.contract import Contract
from andamio.errors import ServiceError
from andamio.storage.ports import Objects
from scoring.batch import BatchPlan
from scoring.documents import Manifest

FORMATS = ("csv", "parquet", "sqlite")
"""Formats that results can be converted to."""
_BLOCK = 2**20


def fetch(
    objects: Objects,
    plan: BatchPlan,
    manifest: Manifest,
    contract: Contract,
    target: Path,
    form: str,
    on_part: Callable[[], None],
) -> Counter[str]:
    """Download the scored rows of a batch into one file; `on_part` is called after each part.

    Returns the names that a conversion of JSON Lines left out, and how many rows had each: see `batches_of`.

    `form` is one of `FORMATS`, or the format of the batch. Text whose target ends with `.gz` is compressed. The file
    appears when it is complete. Raises `ServiceError` when the number of rows differs from the manifest.
    """
    files = manifest.files
    left_out: Counter[str] = Counter()
    with _folder_beside(target) as folder:
        partial = folder / "partial"
        if form != plan.input.format:
            parts = _parts(objects, files.scored, folder, on_part)
            left_out = _convert(parts, plan, contract, partial, form, manifest.scored)
        elif files.merged:
            _copy(objects, files.merged, partial)
            on_part()
        else:
            join = _join_parquet if form == "parquet" else _join_text
            join(_parts(objects, files.scored, folder, on_part), plan, partial)
        (_packed(partial) if target.suffix.lower() == ".gz" else partial).replace(target)
    return left_out


def fetch_rejected(objects: Objects, keys: Iterable[str], target: Path) -> None:
    """Download the rejected rows of a batch, the parts under `keys`, into one JSON Lines file."""
    with _folder_beside(target) as folder:
        with (folder / "made").open("wb") as whole:
            for key in keys:
                with objects.stream(key) as source:
                    shutil.copyfileobj(source, whole, _BLOCK)
        (folder / "made").replace(target)


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A temporary folder next to a file, so that the last step is a rename."""
    with tempfile.TemporaryDirectory(prefix=".andamio-", dir=target.absolute().parent) as folder:
        yield Path(folder)


def _parts(objects: Objects, keys: Sequence[str], folder: Path, on_part: Callable[[], None]) -> Iterator[Path]:
    """Each part as a local file, which is deleted before the next one."""
    for key in keys:
        part = folder / "part"
        _copy(objects, key, part)
        yield part
        part.unlink()
        on_part()


def _copy(objects: Objects, key: str, file: Path) -> None:
    with objects.stream(key) as source, file.open("wb") as copy:
        shutil.copyfileobj(source, copy, _BLOCK)


def _packed(partial: Path) -> Path:
    """The same file in gzip."""
    packed = partial.with_name("packed")
    with partial.open("rb") as source, gzip.open(packed, "wb") as target:
        shutil.copyfileobj(source, target, _BLOCK)
    return packed


def _join_text(parts: Iterator[Path], plan: BatchPlan, partial: Path) -> None:
    """Concatenate CSV or JSON Lines parts, with one header."""
    with partial.open("wb") as whole:
        for number, part in enumerate(parts):
            with part.open("rb") as source:
                if number and plan.input.format == "csv":
                    source.seek(_header_bytes(part, plan.head.delimiter))
                shutil.copyfileobj(source, whole, _BLOCK)


def _header_bytes(part: Path, delimiter: str) -> int:
    """The length of a CSV header in bytes, with quoted line breaks."""
    with part.open("rb") as source:
        next(csv_rows((line.decode("utf-8-sig") for line in source), delimiter), None)
        # The reader above reads whole lines, so the next row begins here.
        length = source.tell()
    return length


def _join_parquet(parts: Iterator[Path], plan: BatchPlan, partial: Path) -> None:
    import pyarrow.parquet as parquet

    writer: Any = None
    try:
        for part in parts:
            with parquet.ParquetFile(part) as source:
                writer = writer or parquet.ParquetWriter(partial, source.schema_arrow)
                for group in range(source.num_row_groups):
                    writer.write_table(source.read_row_group(group).cast(writer.schema))
    finally:
        if writer is not None:
            writer.close()


def _convert(
    parts: Iterator[Path], plan: BatchPlan, contract: Contract, partial: Path, form: str, expected: int
) -> Counter[str]:
    left_out: Counter[str] = Counter()
    kinds = Kinds.of(plan, contract)
    rows = 0
    sink = None
    try:
        for part in parts:
            for batch in batches_of(part, plan, kinds, left_out):
                sink = sink or open_sink(form, partial, batch.schema, plan.names_out["prediction_id"])
                sink.write(batch)
                rows += batch.num_rows
    finally:
        if sink is not None:
            sink.close()
    if rows != expected:
        raise ServiceError(
            f"The parts of batch {plan.batch} hold {rows} rows, but its manifest counts {expected}. "
            "Score the file again."
        )
    return left_out
