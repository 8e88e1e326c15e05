"""The file that is scored: 13 columns of heart's kind, any number of rows, the same for the same seed.

    python -m benchmarks.batch.generate patients.csv 1000000

Rows are made a block at a time, each block from a seed of its own: ten million need no more memory than ten
thousand, and a short file is the beginning of a long one.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

SEED = 20_260_131
TARGET = "disease"
BLOCK = 131_072
"""Rows made at once, and rows of a Parquet row group."""
MISSING = 0.01
MARK = "?"
"""How `ca` and `thal` say that there is no value, as the original data do; other columns leave the cell empty."""

OPTIONAL = ("trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")
MARKED = ("ca", "thal")

Arrays = dict[str, NDArray[Any]]


def main() -> None:
    """Write a file of that many rows; its ending says which format."""
    file, rows = Path(sys.argv[1]), int(sys.argv[2])
    (write_parquet if file.suffix == ".parquet" else write_csv)(file, rows)


def write_csv(file: Path, rows: int, *, labelled: bool = False) -> None:
    """A CSV file: header, comma, no quotes, a missing value is an empty cell or "?"; `labelled` as ETL is given it."""
    options = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
    with file.open("wb") as out:
        for number, table in enumerate(tables(rows, labelled=labelled)):
            texts = [
                pa.compute.fill_null(column.cast(pa.string()), MARK if name in MARKED else "")
                for name, column in zip(table.column_names, table.columns, strict=True)
            ]
            options.include_header = number == 0
            pa.csv.write_csv(pa.table(texts, names=table.column_names), out, options)


def write_parquet(file: Path, rows: int) -> None:
    """The same rows as Parquet: int64 codes, float64 measurements, nulls; row groups of `BLOCK` rows."""
    writer = None
    for table in tables(rows):
        writer = writer or pa.parquet.ParquetWriter(file, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def tables(rows: int, *, labelled: bool = False) -> Iterator[pa.Table]:
    """The rows, a block at a time, with nulls where a value is missing; `labelled` with their label."""
    for start in range(0, rows, BLOCK):
        columns, gone, labels = block(start // BLOCK)
        if labelled:
            columns = {**columns, TARGET: labels}
        length = min(BLOCK, rows - start)
        yield pa.table(
            {
                name: pa.array(column[:length], mask=gone[name][:length] if name in gone else None)
                for name, column in columns.items()
            }
        )


def block(number: int) -> tuple[Arrays, Arrays, NDArray[np.int64]]:
    """A block of rows: columns, where a value is missing, and a label that depends on the columns by chance."""
    rng = np.random.default_rng([SEED, number])
    n = BLOCK
    age = np.clip(rng.normal(54, 9, n), 29, 79).astype(np.int64)
    columns: Arrays = {
        "age": age,
        "sex": (rng.random(n) < 0.68).astype(np.int64),
        "cp": _codes(rng, [1, 2, 3, 4], [0.08, 0.16, 0.28, 0.48]),
        "trestbps": np.clip(rng.normal(105 + 0.5 * age, 17), 94, 200).astype(np.int64),
        "chol": np.clip(rng.gamma(24, 10.3, n), 126, 564).astype(np.int64),
        "fbs": (rng.random(n) < 0.15).astype(np.int64),
        "restecg": _codes(rng, [0, 1, 2], [0.5, 0.01, 0.49]),
        "thalach": np.clip(rng.normal(204 - age, 20), 71, 202).astype(np.int64),
        "exang": (rng.random(n) < 0.33).astype(np.int64),
        "oldpeak": np.round(np.minimum(rng.exponential(1.05, n), 6.2), 1),
        "slope": _codes(rng, [1, 2, 3], [0.47, 0.46, 0.07]),
        "ca": _codes(rng, [0, 1, 2, 3], [0.58, 0.22, 0.13, 0.07]),
        "thal": _codes(rng, [3, 6, 7], [0.55, 0.06, 0.39]),
    }
    gone = {name: rng.random(n) < MISSING for name in OPTIONAL}
    risk = (
        0.03 * (age - 54)
        + 0.9 * columns["sex"]
        + 0.9 * (columns["cp"] == 4)
        + 0.7 * columns["exang"]
        + 0.5 * columns["oldpeak"]
        + 1.0 * columns["ca"]
        + 1.1 * (columns["thal"] == 7)
        - 0.02 * (columns["thalach"] - 150)
        - 3.2
    )
    labels = (rng.random(n) < 1 / (1 + np.exp(-risk))).astype(np.int64)
    return columns, gone, labels


def _codes(rng: np.random.Generator, values: list[int], shares: list[float]) -> NDArray[np.int64]:
    return rng.choice(np.array(values, dtype=np.int64), BLOCK, p=shares)


if __name__ == "__main__":
    main()
