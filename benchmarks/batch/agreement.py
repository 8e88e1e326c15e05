"""Whether contestants said the same: the largest difference of a probability, row by row in the file's order.

    python -m benchmarks.batch.agreement csv|parquet FOLDER FOLDER

Both folders hold scored parts, whose names sort in the file's order. Prints rows, the largest difference,
how many labels differ, and how many prediction ids do (but for the batch's own part).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

COLUMNS = ["prediction_id", "label", "probability_0", "probability_1"]
KINDS = dict(zip(COLUMNS, (pa.string(), pa.string(), pa.float64(), pa.float64()), strict=True))
BLOCK = 100_000


def main() -> None:
    """Compare two folders."""
    ending, one, other = sys.argv[1:]
    rows, apart, labels, lines = 0, 0.0, 0, 0
    for ours, theirs in zip(_blocks(Path(one), ending), _blocks(Path(other), ending), strict=True):
        rows += len(ours)
        for name in COLUMNS[2:]:
            apart = max(apart, float(np.abs(ours[name].to_numpy() - theirs[name].to_numpy()).max()))
        labels += pc.sum(pc.not_equal(ours["label"], theirs["label"])).as_py()
        lines += int((_lines(ours) != _lines(theirs)).sum())
    print(json.dumps({"rows": rows, "apart": apart, "labels": labels, "lines": lines}))


def _lines(table: pa.Table) -> Any:
    return pc.cast(pc.replace_substring_regex(table["prediction_id"], ".*-", ""), pa.int64()).to_numpy()


def _blocks(folder: Path, ending: str) -> Iterator[pa.Table]:
    """The rows in blocks of one size, however they were cut into parts."""
    held: list[pa.Table] = []
    for table in _tables(folder, ending):
        held.append(table)
        while sum(map(len, held)) >= BLOCK:
            whole = pa.concat_tables(held)
            yield whole.slice(0, BLOCK).combine_chunks()
            held = [whole.slice(BLOCK)]
    if sum(map(len, held)):
        yield pa.concat_tables(held).combine_chunks()


def _tables(folder: Path, ending: str) -> Iterator[pa.Table]:
    files = sorted(folder.rglob(f"part-*.{ending}"), key=lambda file: (len(file.name), file.name))
    for file in files:
        if ending == "parquet":
            for batch in pa.parquet.ParquetFile(file).iter_batches(batch_size=BLOCK, columns=COLUMNS):
                yield pa.table([batch[name].cast(kind) for name, kind in KINDS.items()], names=COLUMNS)
        else:
            options = pa.csv.ConvertOptions(include_columns=COLUMNS, column_types=KINDS)
            for batch in pa.csv.open_csv(file, convert_options=options):
                yield pa.Table.from_batches([batch])


if __name__ == "__main__":
    main()
