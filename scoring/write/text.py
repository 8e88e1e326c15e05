"""The scored part of a shard as text: each row as it came, and what was predicted behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from andamio.tabular.csv.row import row_text
from andamio.tabular.rows import Rows
from scoring.batch import BatchPlan
from scoring.predictions import RowPredictions
from scoring.write.csv_header import csv_header


class Part(Protocol):
    """A scored part under way."""

    def write(self, rows: Rows, scored_rows: NDArray[np.int64] | None, predictions: RowPredictions) -> None:
        """Add rows (those at `kept`, all of them where it is None), each with its prediction."""

    def close(self) -> None:
        """Finish the file."""


class _TextPart:
    """A part whose rows are text: joined by pyarrow, a column of pieces at a time."""

    def __init__(self, file: IO[bytes], decimal: str) -> None:
        self._file, self._decimal = file, decimal

    def _join(self, rows: pa.StringArray, pieces: Sequence[pa.Array | pa.Scalar | str]) -> None:
        whole = pc.binary_join_element_wise(rows, *pieces, "")
        for array in whole.chunks if isinstance(whole, pa.ChunkedArray) else (whole,):
            _, ends, data = array.buffers()
            if len(array):
                kind = np.int64 if pa.types.is_large_string(array.type) else np.int32
                offsets = np.frombuffer(ends, kind, len(array) + 1, array.offset * kind().itemsize)
                self._file.write(memoryview(data)[offsets[0] : offsets[-1]])

    def _number(self, column: NDArray[np.float32]) -> pa.StringArray:
        texts = pc.cast(pa.array(column), pa.string())
        return pc.replace_substring(texts, ".", ",") if self._decimal == "," else texts

    def close(self) -> None:
        """Finish the file: text needs nothing more."""


class CsvPart(_TextPart):
    """CSV with a header, the delimiter and decimal mark those of the input; rows that were read are not rewritten."""

    def __init__(self, file: IO[bytes], plan: BatchPlan) -> None:
        super().__init__(file, plan.head.decimal)
        mark = plan.head.delimiter
        file.write(csv_header(plan))
        self._prefix = f"{mark}{plan.batch}-"
        self._texts = pa.array(
            [mark + "".join(row_text([cell], mark) + mark for cell in cells) for cells in plan.told.texts], pa.string()
        )
        self._mark = mark
        self._suffix = f"{mark}{plan.release}\n"

    def write(self, rows: Rows, scored_rows: NDArray[np.int64] | None, predictions: RowPredictions) -> None:
        """Add rows, each with its prediction."""
        carried = rows.carried if scored_rows is None else rows.carried.take(pa.array(scored_rows))
        pieces: list[pa.Array | str] = [
            self._prefix,
            pc.cast(pa.array(predictions.lines), pa.string()),
            self._texts.take(pa.array(predictions.indices)),
        ]
        for index, column in enumerate(predictions.numbers.T):
            pieces += [self._mark] * bool(index) + [self._number(column)]
        self._join(carried, [*pieces, self._suffix])


class JsonPart(_TextPart):
    """JSON Lines: each object as it came, with the added keys before its closing brace."""

    def __init__(self, file: IO[bytes], plan: BatchPlan) -> None:
        super().__init__(file, ".")
        names = {own: json.dumps(name, ensure_ascii=False) for own, name in plan.names_out.items()}
        self._prefix = f'{names["prediction_id"]}: "{plan.batch}-'
        told = plan.told
        named = [names[own] for own in told.columns[: -len(told.numbers)]]
        self._texts = pa.array(
            [
                '"'
                + "".join(
                    f", {name}: {json.dumps(cell, ensure_ascii=False)}" for name, cell in zip(named, cells, strict=True)
                )
                for cells in told.texts
            ],
            pa.string(),
        )
        self._names = [f", {names[own]}: " for own in told.numbers]
        self._suffix = f", {names['model_version']}: {json.dumps(plan.release)}}}\n"

    def write(self, rows: Rows, scored_rows: NDArray[np.int64] | None, predictions: RowPredictions) -> None:
        """Add rows, each with its prediction."""
        carried = rows.carried if scored_rows is None else rows.carried.take(pa.array(scored_rows))
        pieces: list[pa.Array | str] = [
            pc.if_else(pc.ends_with(pc.utf8_rtrim_whitespace(carried), "{"), "", ", "),
            self._prefix,
            pc.cast(pa.array(predictions.lines), pa.string()),
            self._texts.take(pa.array(predictions.indices)),
        ]
        for name, column in zip(self._names, predictions.numbers.T, strict=True):
            pieces += [name, self._number(column)]
        self._join(carried, [*pieces, self._suffix])
