"""The scored rows of a batch as one local file: in the batch's own format, or as CSV, Parquet or SQLite.

A part is brought, turned and forgotten before the next one, so memory and disk do not grow with the batch.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from andamio.cli.batches.arrow_rows import Kinds, batches_of, csv_rows
from andamio.cli.batches.sinks import open_sink
from andamio.contract import Contract
from andamio.errors import CommandError
from andamio.storage.ports import Objects
from scoring.batch import BatchPlan

FORMATS = ("csv", "parquet", "sqlite")
"""What results can be turned into, whatever the batch's own format."""
_BLOCK = 2**20


def fetch(
    objects: Objects,
    plan: BatchPlan,
    manifest: dict[str, Any],
    contract: Contract,
    target: Path,
    form: str,
    on_part: Callable[[], None],
) -> None:
    """Bring the scored rows of a batch into one file; `fetched` is called after each part of it.

    `form` is one of `FORMATS`, or the batch's own. The file is there when all of it is. Raises `CommandError`
    when the rows are not those that the manifest counts.
    """
    files = manifest["files"]
    with _folder_beside(target) as folder:
        partial = folder / "made"
        if form != plan.format:
            _convert(
                _parts(objects, files["scored"], folder, on_part), plan, contract, partial, form, manifest["scored"]
            )
        elif files["merged"]:
            _copy(objects, files["merged"], partial)
            on_part()
        else:
            join = _join_parquet if form == "parquet" else _join_text
            join(_parts(objects, files["scored"], folder, on_part), plan, partial)
        partial.replace(target)


def fetch_rejected(objects: Objects, manifest: dict[str, Any], target: Path) -> None:
    """Bring the rejected rows of a batch into one JSON Lines file."""
    with _folder_beside(target) as folder:
        with (folder / "made").open("wb") as whole:
            for key in manifest["files"]["rejected"]:
                with objects.stream(key) as source:
                    shutil.copyfileobj(source, whole, _BLOCK)
        (folder / "made").replace(target)


@contextmanager
def _folder_beside(target: Path) -> Iterator[Path]:
    """A folder to work in next to a file, so that the last step is a rename: nobody sees half a result."""
    with tempfile.TemporaryDirectory(prefix=".andamio-", dir=target.absolute().parent) as folder:
        yield Path(folder)


def _parts(objects: Objects, keys: list[str], folder: Path, on_part: Callable[[], None]) -> Iterator[Path]:
    """Each part as a local file, which is there until the next one is asked for."""
    for key in keys:
        part = folder / "part"
        _copy(objects, key, part)
        yield part
        part.unlink()
        on_part()


def _copy(objects: Objects, key: str, file: Path) -> None:
    with objects.stream(key) as source, file.open("wb") as copy:
        shutil.copyfileobj(source, copy, _BLOCK)


def _join_text(parts: Iterator[Path], plan: BatchPlan, partial: Path) -> None:
    """CSV or JSON Lines: one part behind the other, the header (the same bytes in each) once."""
    with partial.open("wb") as whole:
        for number, part in enumerate(parts):
            with part.open("rb") as source:
                if number and plan.format == "csv":
                    source.seek(_header_bytes(part, plan.delimiter))
                shutil.copyfileobj(source, whole, _BLOCK)


def _header_bytes(part: Path, delimiter: str) -> int:
    """How long a CSV's header is, quoted line breaks and all."""
    with part.open("rb") as source:
        next(csv_rows((line.decode() for line in source), delimiter), None)
        # The reader above asks for whole lines, so that is where the next row begins.
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
) -> None:
    kinds = Kinds.of(plan, contract)
    rows = 0
    sink = None
    try:
        for part in parts:
            for batch in batches_of(part, plan, kinds):
                sink = sink or open_sink(form, partial, batch.schema, plan.names_out["prediction_id"])
                sink.write(batch)
                rows += batch.num_rows
    finally:
        if sink is not None:
            sink.close()
    if rows != expected:
        raise CommandError(
            f"The parts of batch {plan.batch} hold {rows} rows, and its manifest counts {expected}: they are not "
            "what was scored. Score the file again."
        )
