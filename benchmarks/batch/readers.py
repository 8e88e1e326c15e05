"""Which reader: a block of CSV in, the columns that the encoder needs, scored CSV text out. One thread each.

    uv run --no-project --with numpy==2.5.* --with pyarrow==25.* --with pandas==3.1.1 --with duckdb --with polars \
        python -m benchmarks.batch.readers [--rows 900000] [--repeat 5] [--write]

Every reader does the same: reads the cells as text, for the output repeats them as they are; makes six float32
columns, with NaN for what is missing, and seven columns of texts; adds the six columns of a scored file. The model is
left out (a sum stands for it), so what is compared is the reader alone. Prints a Markdown table; CPU
seconds are compared, of a process per reader and repetition, in turns.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = ("age", "trestbps", "chol", "thalach", "oldpeak", "ca")
CATEGORIES = ("sex", "cp", "fbs", "restecg", "exang", "slope", "thal")
MISSING = ("", "?")
PIECE = int(os.environ.get("PIECE_KIB", "1024")) << 10
"""Bytes that are worked on at once, where a reader takes bytes: what fits the processor's cache."""
PREFIX, VERSION = "20260131T120000-0123456789ab-", "24665a59e2cce637"
TEXTS = ("Healthy patient", "Heart disease detected")
ADDED = ("prediction_id", "label", "label_text", "probability_0", "probability_1", "model_version")


def stand_in(numbers: NDArray[np.float32], categories: NDArray[Any]) -> NDArray[np.float32]:
    """What takes the model's place: a probability [rows] that needs every number, and the texts' number of rows."""
    assert len(numbers) == len(categories)
    assert categories.shape[1] == len(CATEGORIES)
    total = np.nansum(numbers, axis=1)
    p: NDArray[np.float32] = (1 / (1 + np.exp((400 - total) / 40))).astype(np.float32)
    return p


def pieces(source: Path) -> Iterator[tuple[bytes, int]]:
    """The file in pieces of whole lines, each behind the header, and how many rows come before it."""
    with source.open("rb") as file:
        header, before, left = file.readline(), 0, b""
        while body := file.read(PIECE):
            end = body.rfind(b"\n") + 1
            piece = left + body[:end]
            left = body[end:]
            yield header + piece, before
            before += piece.count(b"\n")


def with_pyarrow(source: Path, target: Path) -> int:
    """With pyarrow as its manual shows: a table of texts, cast; the table written with `write_csv`."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    rows = 0
    with target.open("wb") as out:
        for body, before in pieces(source):
            table = _texts_of(pa, body)
            p = stand_in(*_tensors_of(pa, pc, table))
            said = pa.array((p >= 0.5).astype(np.int8))
            lines = pa.array(np.arange(2 + before, 2 + before + len(p))).cast(pa.string())
            added = (
                pc.binary_join_element_wise(PREFIX, lines, ""),
                said,
                pa.array(TEXTS).take(said),
                pa.array(1 - p),
                pa.array(p),
                pa.repeat(VERSION, len(p)),
            )
            for name, column in zip(ADDED, added, strict=True):
                table = table.append_column(name, column)
            options = pa.csv.WriteOptions(quoting_style="needed", include_header=before == 0)
            pa.csv.write_csv(table, out, options)
            rows += len(p)
    return rows


def with_pyarrow_lines(source: Path, target: Path) -> int:
    """With pyarrow, and lines that are repeated as they are: without quotes, a line ends at its newline."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv

    tails = pa.array([f",{label},{text}," for label, text in enumerate(TEXTS)])
    rows = 0
    with target.open("wb") as out:
        for body, before in pieces(source):
            assert b'"' not in body
            p = stand_in(*_tensors_of(pa, pc, _texts_of(pa, body)))
            ends = np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == 10)
            # The lines behind the header, each with the newline before it.
            lines = pa.StringArray.from_buffers(len(p), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(body))
            joined = pc.binary_join_element_wise(
                lines,
                f",{PREFIX}",
                pa.array(np.arange(2 + before, 2 + before + len(p))).cast(pa.string()),
                tails.take(pa.array((p >= 0.5).astype(np.int8))),
                pa.array(1 - p).cast(pa.string()),
                ",",
                pa.array(p).cast(pa.string()),
                f",{VERSION}",
                "",
            )
            if before == 0:
                out.write(body[: ends[0]] + ("," + ",".join(ADDED)).encode())
            _, offsets, texts = joined.buffers()
            out.write(memoryview(texts)[: np.frombuffer(offsets, dtype=np.int32)[len(joined)]])
            rows += len(p)
        out.write(b"\n")
    return rows


def _texts_of(pa: Any, body: bytes) -> Any:
    names = body[: body.index(b"\n")].decode().split(",")
    convert = pa.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    read = pa.csv.ReadOptions(use_threads=False, block_size=1 << 20)
    return pa.csv.read_csv(pa.BufferReader(body), read_options=read, convert_options=convert)


def _tensors_of(pa: Any, pc: Any, table: Any) -> tuple[NDArray[np.float32], NDArray[Any]]:
    numbers = np.empty((table.num_rows, len(NUMBERS)), dtype=np.float32)
    categories = np.empty((table.num_rows, len(CATEGORIES)), dtype=object)
    for index, name in enumerate(NUMBERS):
        column = table.column(name).combine_chunks()
        known = pc.if_else(pc.is_in(column, pa.array(MISSING)), None, column)
        numbers[:, index] = known.cast(pa.float64()).to_numpy(zero_copy_only=False)
    for index, name in enumerate(CATEGORIES):
        coded = table.column(name).combine_chunks().dictionary_encode()
        texts = np.array(["" if text in MISSING else text for text in coded.dictionary.to_pylist()], dtype=object)
        categories[:, index] = texts[coded.indices.to_numpy()]
    return numbers, categories


def with_polars(source: Path, target: Path) -> int:
    """With polars: a frame of texts, cast; the frame written with `write_csv`."""
    pl: Any = import_module("polars")

    rows = 0
    with target.open("wb") as out:
        for body, before in pieces(source):
            frame = pl.read_csv(body, infer_schema=False, empty_string_is_null=False)
            numbers = frame.select(pl.col(name).replace(list(MISSING), None).cast(pl.Float32) for name in NUMBERS)
            categories = np.empty((len(frame), len(CATEGORIES)), dtype=object)
            for index, name in enumerate(CATEGORIES):
                values = frame[name].unique()
                texts = np.array(["" if text in MISSING else text for text in values.to_list()], dtype=object)
                categories[:, index] = texts[frame[name].cast(pl.Enum(values)).to_physical().to_numpy()]
            p = stand_in(numbers.fill_null(float("nan")).to_numpy(), categories)
            said = pl.Series("label", (p >= 0.5).astype(np.int64))
            lines = pl.Series(np.arange(2 + before, 2 + before + len(p))).cast(pl.String)
            frame.with_columns(
                pl.concat_str(pl.lit(PREFIX), lines).alias("prediction_id"),
                said,
                pl.Series("label_text", list(TEXTS)).gather(said).alias("label_text"),
                pl.Series("probability_0", 1 - p),
                pl.Series("probability_1", p),
                pl.lit(VERSION).alias("model_version"),
            ).write_csv(out, include_header=before == 0)
            rows += len(p)
    return rows


def with_duckdb(source: Path, target: Path) -> int:
    """With duckdb: a table of texts, cast in SQL; joined with the predictions by position and copied out."""
    duckdb: Any = import_module("duckdb")

    database = duckdb.connect(config={"threads": 1})
    database.sql("SET preserve_insertion_order = true")
    database.execute(
        "CREATE TEMP TABLE cells AS SELECT * FROM read_csv(?, all_varchar=true, nullstr='')", [str(source)]
    )
    casts = [f"TRY_CAST({name} AS FLOAT) AS {name}" for name in NUMBERS]
    texts = [f"CASE WHEN {name} IS NULL OR {name} = '?' THEN '' ELSE {name} END AS {name}" for name in CATEGORIES]
    found = database.sql(f"SELECT {', '.join(casts + texts)} FROM cells").fetchnumpy()
    numbers = np.column_stack([np.ma.filled(found[name], np.nan) for name in NUMBERS])
    categories = np.column_stack([np.asarray(found[name], dtype=object) for name in CATEGORIES])
    p = stand_in(numbers.astype(np.float32), categories)
    arrays = {"line": np.arange(2, 2 + len(p)), "said": (p >= 0.5).astype(np.int8), "p0": 1 - p, "p1": p}
    database.register("said", arrays)
    database.execute(
        f"COPY (SELECT cells.*, '{PREFIX}' || line AS prediction_id, said AS label, "
        f"CASE said WHEN 1 THEN '{TEXTS[1]}' ELSE '{TEXTS[0]}' END AS label_text, p0 AS probability_0, "
        f"p1 AS probability_1, '{VERSION}' AS model_version FROM cells POSITIONAL JOIN said) "
        f"TO '{target}' (FORMAT csv, HEADER)"
    )
    return len(p)


def with_pandas(source: Path, target: Path) -> int:
    """With pandas, its C reader: a frame of texts, cast; the frame written with `to_csv`."""
    import pandas as pd

    rows = 0
    with target.open("w", newline="") as out:
        for body, before in pieces(source):
            frame = pd.read_csv(io.BytesIO(body), dtype=str, keep_default_na=False)
            numbers = np.empty((len(frame), len(NUMBERS)), dtype=np.float32)
            for index, name in enumerate(NUMBERS):
                numbers[:, index] = pd.to_numeric(frame[name].where(~frame[name].isin(MISSING)))
            categories = frame[list(CATEGORIES)].replace("?", "").to_numpy(dtype=object)
            p = stand_in(numbers, categories)
            said = (p >= 0.5).astype(np.int64)
            frame.assign(
                prediction_id=np.char.add(PREFIX, np.arange(2 + before, 2 + before + len(p)).astype(str)),
                label=said,
                label_text=np.array(TEXTS, dtype=object)[said],
                probability_0=1 - p,
                probability_1=p,
                model_version=VERSION,
            ).to_csv(out, index=False, header=before == 0)
            rows += len(p)
    return rows


# Two of them are imported by name: they are in no environment of the project's.
READERS: dict[str, Callable[[Path, Path], int]] = {
    "pyarrow, lines repeated": with_pyarrow_lines,
    "pyarrow, `write_csv`": with_pyarrow,
    "polars": with_polars,
    "duckdb": with_duckdb,
    "pandas": with_pandas,
}


def main() -> None:
    """Compare the readers, or (`--one NAME SOURCE TARGET`) run one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=900_000, help="rows of the block; 900,000 are about 32 MiB")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="put the table into benchmarks/RESULTS.md")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(*options.one)
        return
    from benchmarks.batch import processes, report

    environment = {**processes.ONE_THREAD, "POLARS_MAX_THREADS": "1"}
    taken: dict[str, list[processes.Taken]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "block.csv", Path(folder) / "scored.csv"
        processes.together([processes.python("generate", source, options.rows)])
        for _ in range(options.repeat):
            for name, found in taken.items():
                found.append(
                    processes.together([processes.python("readers", "--one", name, source, target)], environment)
                )
    lines = ["| reader | us of CPU a row | rows a CPU second | rows a second | peak MB |", "|---|---:|---:|---:|---:|"]
    for name, found in taken.items():
        cpu = statistics.median(run.said[0]["cpu"] for run in found) / options.rows
        wall = statistics.median(run.said[0]["seconds"] for run in found) / options.rows
        peak = max(run.peak_mb for run in found)
        lines.append(f"| {name} | {cpu * 1e6:.2f} | {1 / cpu:,.0f} | {1 / wall:,.0f} | {peak:.0f} |")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("pyarrow", "polars", "duckdb", "pandas"))
    table = "\n".join((*lines, "", f"{versions}; {options.rows:,} rows, medians of {options.repeat} runs in turns."))
    print(table)
    if options.write:
        report.put("readers", table)


def one(name: str, source: str, target: str) -> None:
    """Run one reader, its import apart, and print what it took."""
    reader = READERS[name]
    small = Path(target).with_name("warm.csv")
    with Path(source).open("rb") as lines:
        small.write_bytes(b"".join(lines.readline() for _ in range(50)))
    reader(small, Path(target))
    cpu, wall = time.process_time(), time.perf_counter()
    rows = reader(Path(source), Path(target))
    print(json.dumps({"rows": rows, "cpu": time.process_time() - cpu, "seconds": time.perf_counter() - wall}))


if __name__ == "__main__":
    main()
