"""The usual ways, one process: a file in pandas chunks through mlflow.pyfunc or a scikit-learn pipeline.

    python -m benchmarks.batch.usual pyfunc|pyfunc-1|pipeline|pipeline-1 FOLDER INPUT OUTPUT PART PARTS FIRST_ROW

Written as a careful person would: texts stay texts where codes are needed, the ids and the other columns are
made from arrays, never row by row; and nothing is validated, which our own worker does. PART of PARTS is a share of a
Parquet file's row groups; a CSV share is a file of its own (cut beforehand, at no cost to this contestant).
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from benchmarks.batch.folder import PROBLEM, champion

CHUNK = 100_000
BATCH = "20260131T120000-0123456789ab"

Predict = Callable[[pd.DataFrame], NDArray[np.floating]]


def main() -> None:
    """Score one share of a file."""
    kind, folder, source, target, part, parts, first = sys.argv[1:]
    contract = Contract.load(PROBLEM)
    version = champion(Path(folder))
    if kind == "pyfunc":
        predict = pyfunc(contract, Path(folder) / "pyfunc")
    elif kind == "pyfunc-1":
        predict = pyfunc(contract, Path(folder) / "one-thread")
    else:
        predict = pipeline(contract, Path(folder) / "pipeline.pickle")
    if source.endswith(".parquet"):
        rows = parquet(contract, predict, version, Path(source), Path(target), int(part), int(parts))
    else:
        rows = csv(contract, predict, version, Path(source), Path(target), int(first))
    print(json.dumps({"rows": rows}))


def pyfunc(contract: Contract, folder: Path) -> Predict:
    """The release's own graph in MLflow's ONNX flavour, loaded as MLflow loads models, fed as its signature says.

    Beside it lies the same one told to use one thread, for a process per core.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model(str(folder))
    numbers, categories = list(contract.number_columns), list(contract.category_columns)

    def predict(frame: pd.DataFrame) -> NDArray[np.floating]:
        said = model.predict(
            {
                "numbers": frame[numbers].to_numpy(dtype=np.float32, na_value=np.nan),
                "categories": frame[categories].to_numpy(dtype=object, na_value="").astype(str),
            }
        )
        found: NDArray[np.floating] = np.asarray(said["probabilities"])
        return found

    return predict


def pipeline(contract: Contract, file: Path) -> Predict:
    """What scikit-learn fitted, and the curve that calibrates it."""
    kept = pickle.loads(file.read_bytes())
    numbers, categories = list(contract.number_columns), list(contract.category_columns)
    names = [f"n{i}" for i in range(len(numbers))] + [f"c{i}" for i in range(len(categories))]

    def predict(frame: pd.DataFrame) -> NDArray[np.floating]:
        table = frame[numbers + categories].set_axis(names, axis=1)
        texts = {name: table[name].astype(object).fillna("") for name in names[len(numbers) :]}
        said = kept["pipeline"].predict_proba(table.assign(**texts))
        found: NDArray[np.floating] = kept["calibration"].apply(said, kept["positive"])
        return found

    return predict


def csv(contract: Contract, predict: Predict, version: str, source: Path, target: Path, first: int) -> int:
    """Score a CSV file, a chunk after another; returns how many rows."""
    kinds: dict[str, Any] = dict.fromkeys(contract.category_columns, str)
    rows = 0
    with (
        pd.read_csv(source, chunksize=CHUNK, dtype=kinds, na_values=["?"]) as chunks,
        target.open("w", newline="", encoding="utf-8") as out,
    ):
        for frame in chunks:
            added(contract, frame, predict(frame), version, first + rows).to_csv(out, index=False, header=rows == 0)
            rows += len(frame)
    return rows


def parquet(
    contract: Contract, predict: Predict, version: str, source: Path, target: Path, part: int, parts: int
) -> int:
    """Score a share of a Parquet file's row groups, a batch after another; returns how many rows."""
    import pyarrow as pa
    import pyarrow.parquet

    file = pa.parquet.ParquetFile(source)
    groups = [part * file.num_row_groups // parts, (part + 1) * file.num_row_groups // parts]
    first = sum(file.metadata.row_group(group).num_rows for group in range(groups[0]))
    rows, writer = 0, None
    for frame in _frames(file, range(*groups)):
        fed = frame.assign(**{name: _codes(frame[name]) for name in contract.category_columns})
        table = pa.Table.from_pandas(
            added(contract, frame, predict(fed), version, first + rows - 1), preserve_index=False
        )
        writer = writer or pa.parquet.ParquetWriter(target, table.schema)
        writer.write_table(table)
        rows += len(frame)
    if writer is not None:
        writer.close()
    return rows


def _frames(file: Any, groups: range) -> Iterator[pd.DataFrame]:
    for batch in file.iter_batches(batch_size=CHUNK, row_groups=list(groups)):
        # A column has the type that the file gives it, whether a value is missing in this chunk or not.
        yield batch.to_pandas(types_mapper={batch.schema.field("cp").type: pd.Int64Dtype()}.get)


def _codes(column: pd.Series[Any]) -> pd.Series[Any]:
    return column.astype("string")


def added(
    contract: Contract, frame: pd.DataFrame, probabilities: NDArray[np.floating], version: str, first: int
) -> pd.DataFrame:
    """The frame with the columns that a scored file has; `first` counts the rows before it."""
    labels = (probabilities[:, contract.positive_index] >= 0.5).astype(int)
    classes = np.array(contract.classes, dtype=object)
    texts = np.array([contract.texts[name] for name in contract.classes], dtype=object)
    lines = np.arange(first + 2, first + 2 + len(frame))  # the header is line 1
    return frame.assign(
        prediction_id=np.char.add(BATCH + "-", lines.astype(str)),
        label=classes[labels],
        label_text=texts[labels],
        **{f"probability_{name}": probabilities[:, index] for index, name in enumerate(contract.classes)},
        model_version=version,
    )


if __name__ == "__main__":
    main()
