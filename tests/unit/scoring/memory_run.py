"""Scores one shard in a process of its own and says what that took: `python -m tests.unit.scoring.memory_run`.

    memory_run csv|jsonl|poison|parquet MEGABYTES [FILE]

The file is made as it is read, but for Parquet, which lies on disk (`write_parquet`); what is written goes
no further than the worker's own files. Prints rows, rejects and the peak of resident memory in MiB.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from andamio.adapters.memory import MemoryPredictionStore
from andamio.storage.ports import ObjectInfo, Readable
from scoring.batch import Cut, Shard
from scoring.worker import score_shard
from tests.support.releases import heart
from tests.support.scoring import Scored, planned

HEART = heart()
ROW = {
    "age": 63, "sex": "1", "cp": "1", "trestbps": 145.0, "chol": 233.5, "fbs": "1", "restecg": "2", "thalach": 150.0,
    "exang": "0", "oldpeak": 2.3, "slope": "3", "ca": 0, "thal": "6",
}  # fmt: skip
NOTE = "carried along " * 20
MB = 2**20


class Endless:
    """A text that is made as it is read: a row again and again."""

    def __init__(self, row: bytes, size: int) -> None:
        self._rows, self._left = row * (MB // len(row) + 2), size // len(row) * len(row)
        self._row, self._at = len(row), 0

    def read(self, size: int = -1) -> bytes:
        size = min(size if size >= 0 else self._left, MB, self._left)
        self._left -= size
        start, self._at = self._at, (self._at + size) % self._row
        return self._rows[start : start + size]


class Nowhere:
    """A bucket of one file, where what is written is counted and forgotten."""

    def __init__(self, scored: Scored, row: bytes, size: int, file: Path) -> None:
        self._inner, self._row, self._size, self._file = scored.batch, row, size, file
        self._sizes: dict[str, int] = {}

    def get(self, key: str, **more: Any) -> Any:
        return self._inner.get(key, **more)

    @contextmanager
    def stream(self, key: str, **more: Any) -> Iterator[Readable]:
        yield Endless(self._row, self._size)

    def get_range(self, key: str, start: int, length: int, **more: Any) -> bytes:
        with self._file.open("rb") as file:
            file.seek(start)
            return file.read(length)

    def put_new_file(self, key: str, file: Path, **more: Any) -> bool:
        self._sizes[key] = file.stat().st_size
        return True

    def put_new(self, key: str, body: bytes, **more: Any) -> bool:
        return True

    def head(self, key: str, **more: Any) -> ObjectInfo:
        info = self._inner.head(self._inner.writes[0])
        return ObjectInfo(key, "v1", '"e"', self._sizes[key], info.modified)


def main() -> None:
    """Score a file of that size."""
    form, size = sys.argv[1], int(sys.argv[2]) * MB
    file = Path(sys.argv[3]) if form == "parquet" else Path()
    header = ",".join([*ROW, "note"])
    end, more = size, {}
    if form == "parquet":
        row, end = b"", pq.ParquetFile(file).num_row_groups
        scored = planned(HEART, small_parquet(), "parquet")
        more = {"source_size": file.stat().st_size}
    elif form == "jsonl":
        row = json.dumps({**ROW, "note": NOTE}).encode() + b"\n"
        scored = planned(HEART, row, "jsonl")
    else:
        bad = "x," * 12 + "x,\n"
        row = (",".join(map(str, ROW.values())) + f",{NOTE}\n").encode() if form == "csv" else bad.encode()
        scored = planned(HEART, f"{header}\n".encode() + row)
    fields = {name: getattr(scored.plan, name) for name in scored.plan.__dataclass_fields__}
    plan = type(scored.plan)(**(fields | more))
    shard = Shard(0, 0, end, plan.head.line)
    bucket: Any = Nowhere(scored, row, size, file)
    result = score_shard(
        bucket, MemoryPredictionStore(), plan, Cut((shard,), False), shard, HEART, scored.model,
        lake=bucket, capture_share=1.0,
    )  # fmt: skip
    print(json.dumps({"rows": result.rows, "rejected": result.rejected, "peak": peak()}))


def peak() -> float:
    """The most resident memory of this process; asked the usual way, Linux counts that of its parent too."""
    status = Path("/proc/self/status")
    if status.exists():
        (said,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return int(said.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB


def small_parquet() -> bytes:
    """A file with the columns that the large one has."""
    sink = pa.BufferOutputStream()
    pq.write_table(table(10, 0), sink)
    return sink.getvalue().to_pybytes()


def table(rows: int, seed: int) -> pa.Table:
    """Rows whose notes are all their own."""
    noise = np.random.default_rng(seed).bytes(rows * 120).hex()
    columns: dict[str, Any] = {name: pa.array([value] * rows) for name, value in ROW.items()}
    return pa.table(columns | {"note": pa.array([noise[row * 240 : row * 240 + 240] for row in range(rows)])})


def write_parquet(file: Path, size: int) -> None:
    """Write a file of about that many bytes in row groups of 64 MiB."""
    seed = 0
    with pq.ParquetWriter(file, table(10, 0).schema, compression="none", use_dictionary=False) as writer:
        while file.stat().st_size < size:
            parts = [table(20_000, seed + part) for part in range(10)]
            writer.write_table(pa.concat_tables(parts), row_group_size=200_000)
            seed += 10


if __name__ == "__main__":
    main()
