"""What the watch keeps of a scored shard: its rows with their predictions, and what was wrong with the others.

Private features have no column. Of a large batch a uniform sample is kept: `MOST_ROWS` of all its rows, each shard its
part of them. Rows are drawn by numbers that are their own, so that another try writes the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from andamio.captures import columns
from andamio.captures.files import RowsFile
from andamio.captures.sampling import ALL, chances
from andamio.captures.summary import CaptureSummary, ReleaseRows, count_faults, faults_of
from andamio.captures.truth import Truth, known
from andamio.contract import Contract
from andamio.errors import Violation
from andamio.records.columns import Reader
from andamio.records.table import Table
from andamio.records.target import read_target
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from andamio.tabular.rows import Rows
from scoring.batch import BatchPlan, Cut, Shard
from scoring.predictions import RowPredictions
from scoring.write.rejects import UNREADABLE_ROW

MOST_ROWS = 100_000
"""Rows of a batch that are kept, about."""
SPARE_ROWS = 20_000
"""Rows above those that are held before they are thinned."""
_GROUP_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Truths:
    """The truths `[rows]` that rows carry, none where a cell holds none; `unknown` cells hold what is no truth."""

    labels: Truth
    unknown: int


def truths_of(rows: Rows, contract: Contract, decimal: str) -> Truths | None:
    """The truths that rows carry in the target column, as ETL reads them; None where they have no such column."""
    target = contract.problem.target
    if target not in rows.columns:
        return None
    table = Table(len(rows.lines))
    reader = Reader(table, rows.text, contract.data.missing, decimal)
    labels = read_target(reader, contract, rows.columns[target])
    return Truths(labels, sum(violation.code != "missing-label" for violation in table.violations))


class ShardCapture:
    """What is kept of a shard, while it is scored; `share` is that of all predictions that the contract keeps."""

    def __init__(self, plan: BatchPlan, cut: Cut, shard: Shard, contract: Contract, share: float) -> None:
        self._plan, self._shard, self._contract = plan, shard, contract
        whole = sum(each.end - each.start for each in cut.shards)
        self._most = math.ceil(MOST_ROWS * (shard.end - shard.start) / whole)
        self._share = share
        self._limit = min(int(share * ALL), ALL - 1)
        self._thinned = False
        self._kept: list[pa.RecordBatch] = []
        self._numbers: list[NDArray[np.uint64]] = []
        self._rows = self._made = self._rejected = self._truths = self._no_truths = 0
        self._faults: Counter[tuple[str, str, str]] = Counter()

    def add(
        self,
        table: Table,
        predictions: RowPredictions,
        record_ids: pa.Array | None,
        truth: Truth | None,
    ) -> None:
        """Keep scored rows: their records, predictions, the callers' own ids ("" = none), and their truths."""
        self._made += table.rows
        if truth is not None:
            self._truths += int(known(truth).sum())
        numbers = chances(predictions.lines, self._plan.batch)
        drawn = np.flatnonzero(numbers < np.uint64(self._limit))
        if not len(drawn):
            return
        rows = len(drawn)
        ids = pa.nulls(rows, pa.string()) if record_ids is None else record_ids.take(pa.array(drawn))
        self._kept.append(
            columns.to_arrow(
                self._contract,
                table if rows == table.rows else table.take(drawn),
                ids=self._prediction_ids(predictions.lines[drawn]),
                record_ids=pc.if_else(pc.equal(ids, ""), None, ids),
                times=np.full(rows, self._created(), dtype="datetime64[ms]"),
                sources=f"batch:{self._plan.batch}",
                version=self._plan.release,
                labels=predictions.indices[drawn],
                probabilities=predictions.numbers[drawn, : len(self._contract.task.outputs)],
                audit=np.zeros(rows, dtype=bool),
                truth=None if truth is None else truth[drawn],
            )
        )
        self._numbers.append(numbers[drawn])
        self._rows += rows
        if self._rows > self._most + SPARE_ROWS:
            self._thin()

    def reject(self, problems: Sequence[Violation], rows: Rows) -> None:
        """Count the rows that were not scored, by field and reason."""
        by_row: dict[int, list[tuple[str, str]]] = {}
        for problem in problems:
            by_row.setdefault(problem.row, []).append((problem.field, problem.code))
        broken = [[("", UNREADABLE_ROW)]] * len(rows.broken)
        for found in (*by_row.values(), *broken):
            count_faults(self._faults, self._plan.release, found)
        self._rejected += len(by_row) + len(broken)

    def unlabelled(self, cells: int) -> None:
        """Count cells of the target column that are no label."""
        self._no_truths += cells

    def put(self, lake: Objects, folder: Path) -> None:
        """Write what is kept into the lake, the rows first."""
        self._thin()
        hour = datetime.fromisoformat(self._plan.created)
        rows, summary = (
            layout.captured_shard(hour, self._plan.batch, self._shard.number, ending) for ending in ("parquet", "json")
        )
        if self._rows:
            path = folder / "captures"
            with RowsFile(path, columns.schema(self._contract)) as file:
                # Row groups of a good size, out of what was left of each block.
                for batch in pa.Table.from_batches(self._kept).combine_chunks().to_batches(_GROUP_ROWS):
                    file.add(batch)
            lake.put_new_file(rows, path, content_type="application/vnd.apache.parquet")
        lake.put_new(summary, self._summary().to_json(), content_type=documents.JSON)

    def _summary(self) -> CaptureSummary:
        version = self._plan.release
        # What was drawn by a share has that chance, however many it came to; above the most rows it is a part of all.
        share = self._rows / self._made if self._thinned else self._share
        made = ReleaseRows(version=version, made=self._made, drawn=self._rows, kept=self._rows, share=share)
        return CaptureSummary(
            made_of=f"{self._plan.batch}-{self._shard.number}",
            releases=(made,) if self._made else (),
            rejected={version: self._rejected} if self._rejected else {},
            faults=faults_of(self._faults),
            truths=self._truths,
            no_truths=self._no_truths,
        )

    def _prediction_ids(self, lines: NDArray[np.int64]) -> pa.Array:
        """As `scoring.batch.prediction_id` makes one of each line."""
        return pc.binary_join_element_wise(self._plan.batch, pa.array(lines).cast(pa.string()), "-")

    def _created(self) -> np.datetime64:
        return np.datetime64(datetime.fromisoformat(self._plan.created).astimezone(UTC).replace(tzinfo=None), "ms")

    def _thin(self) -> None:
        """Keep the rows with the smallest numbers: a uniform sample, whatever was drawn before."""
        if self._rows <= self._most:
            return
        limit = np.partition(np.concatenate(self._numbers), self._most - 1)[self._most - 1]
        for place, numbers in enumerate(self._numbers):
            chosen = numbers <= limit
            self._kept[place] = self._kept[place].filter(pa.array(chosen))
            self._numbers[place] = numbers[chosen]
        self._limit, self._thinned = int(limit) + 1, True
        self._rows = sum(map(len, self._numbers))
