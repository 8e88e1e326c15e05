"""One shard, from its bytes to its predictions: read, validated, encoded, scored and written."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.errors import ObjectNotFound, Violation
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.release.answers import answers_of
from andamio.release.model import Model
from andamio.storage import documents, layout
from andamio.storage.ports import Objects, PredictionStore
from andamio.tabular.rows import Rows
from scoring.batch import BatchPlan, Cut, Shard, ShardResult
from scoring.formats import open_part, read_rows
from scoring.lookup import LookupWriter
from scoring.predictions import NO_ANSWER, RowPredictions, row_predictions, scores_of
from scoring.read.ids import record_ids
from scoring.write.captures import ShardCapture, truths_of
from scoring.write.rejects import NO_VALUES, Rejects, is_nothing
from scoring.write.table_items import items

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


class Stopwatch:
    """A stopwatch: seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, activity: str) -> None:
        """Add the time since the last call to a stage."""
        now = time.perf_counter()
        self.seconds[activity] = self.seconds.get(activity, 0.0) + now - self._since
        self._since = now

    def rounded(self) -> dict[str, float]:
        """Seconds to the millisecond."""
        return {activity: round(seconds_spent, 3) for activity, seconds_spent in self.seconds.items()}


def score_shard(
    batch: Objects,
    table: PredictionStore,
    plan: BatchPlan,
    cut: Cut,
    shard: Shard,
    contract: Contract,
    model: Model,
    code: OwnCode | None = None,
    *,
    lake: Objects | None = None,
    capture_share: float = 0.0,
    private: Collection[str] = (),
) -> ShardResult:
    """Score one shard and write its part, rejects, lookup file, table items, captures and, last, its result.

    `capture_share` of its rows, from 0 to 1, are kept in the lake for the watch; with 0 nothing is. Features in
    `private` are left out of them, as are those that the release's contract marks so. `code` prepares the rows of a
    contract that asks for it.

    What another try has written is kept: all of it is made of the plan alone, so it is the same. Raises
    `DataError` where the shard as a whole is not what its plan says.
    """
    key = layout.shard_result(plan.batch, shard.number)
    earlier = _earlier_result(batch, plan, shard)
    if earlier is not None:
        return earlier
    watch = Stopwatch()
    capture = None
    if lake and capture_share > 0:
        capture = ShardCapture(plan, cut, shard, contract.hiding(private), capture_share)
    with TemporaryDirectory(prefix="shard-") as folder:
        scorer = _ShardScorer(Path(folder), batch, plan, shard, contract, model, code, watch, capture)
        scorer.score()
        part = layout.scored_part(plan.batch, shard.number, plan.ending)
        batch.put_new_file(part, scorer.part, content_type=_TYPES[plan.input.format])
        if scorer.rejected:
            rejects = layout.rejected_part(plan.batch, shard.number)
            batch.put_new_file(rejects, scorer.rejects, content_type=_TYPES["jsonl"])
        batch.put_new_file(layout.lookup(plan.batch, shard.number), scorer.lookup)
        watch.lap("put")
        if cut.stored:
            for batch_items in items(scorer.lookup, plan):
                table.put_all(batch_items)
            watch.lap("store")
        if lake and capture:
            capture.put(lake, Path(folder))
            watch.lap("capture")
        info = batch.head(part)
    result = ShardResult(
        shard.number,
        scorer.scored + scorer.rejected,
        scorer.scored,
        scorer.rejected,
        scorer.height,
        info.size,
        info.etag,
        watch.rounded(),
    )
    batch.put_new(key, result.to_json(), content_type="application/json")
    return result


def _earlier_result(batch: Objects, plan: BatchPlan, shard: Shard) -> ShardResult | None:
    """The result of a shard that was scored, unless its part is gone again."""
    try:
        result = documents.read(batch, layout.shard_result(plan.batch, shard.number), ShardResult)
        batch.head(layout.scored_part(plan.batch, shard.number, plan.ending))
    except ObjectNotFound:
        return None
    return result


class _ShardScorer:
    """A shard that is being scored, in local files."""

    def __init__(
        self,
        folder: Path,
        batch: Objects,
        plan: BatchPlan,
        shard: Shard,
        contract: Contract,
        model: Model,
        code: OwnCode | None,
        watch: Stopwatch,
        capture: ShardCapture | None,
    ) -> None:
        self._batch, self._plan, self._shard, self._contract, self._model = batch, plan, shard, contract, model
        self._watch, self._capture, self._code = watch, capture, code
        self._answers = answers_of(contract, plan.sealed)
        self._all_optional = not any(feature.required for feature in contract.sent.inputs.values())
        self._today = np.datetime64(plan.created[:10], "D")
        self.part, self.rejects, self.lookup = folder / "part", folder / "rejects", folder / "lookup"
        self.scored = self.rejected = self.height = 0

    def score(self) -> None:
        """Read every row and write it to the part or to the rejects."""
        with (
            self.part.open("wb") as part_file,
            self.rejects.open("wb") as rejects_file,
            self.lookup.open("wb") as lookup_file,
            read_rows(self._batch, self._plan, self._shard, self._contract.sent) as reading,
            closing(open_part(part_file, self._plan, reading.schema)) as part,
        ):
            rejects = Rejects(rejects_file)
            lookup = LookupWriter(lookup_file, len(self._answers.told.numbers), self._shard.line)
            for rows in self._timed(reading.rows()):
                table, scored_rows, predictions, problems = self._predict(rows)
                self._watch.lap("score")
                part.write(rows, scored_rows, predictions)
                ids = self._ids(rows, scored_rows)
                joined = None if ids is None else _joined(ids)
                lookup.add(predictions.lines, predictions.indices, predictions.numbers, joined)
                if problems or rows.broken:
                    rejects.write(rows, problems)
                self.scored += len(predictions.lines)
                self._watch.lap("write")
                if self._capture is not None:
                    self._keep(self._capture, rows, table, scored_rows, predictions, ids, problems)
                    self._watch.lap("capture")
            lookup.close()
            self.rejected, self.height = rejects.count, reading.height
        self._watch.lap("write")

    def _keep(
        self,
        capture: ShardCapture,
        rows: Rows,
        table: Table,
        scored_rows: NDArray[np.int64] | None,
        predictions: RowPredictions,
        ids: pa.StringArray | None,
        problems: list[Violation],
    ) -> None:
        """Keep the scored rows for the watch, and count what was wrong with the others."""
        truths, labels = truths_of(rows, self._contract, self._plan.head.decimal), None
        if truths is not None:
            labels = truths.labels if scored_rows is None else truths.labels[scored_rows]
            capture.unlabelled(truths.unknown)
        capture.add(table, predictions, ids, labels)
        if problems or rows.broken:
            capture.reject(problems, rows)

    def _ids(self, rows: Rows, scored_rows: NDArray[np.int64] | None) -> pa.StringArray | None:
        """The callers' own ids of the rows at `scored_rows`, None where the file has none."""
        column = None if self._plan.record_column is None else rows.exact.get(self._plan.record_column)
        if column is None:
            return None
        ids = record_ids(column, len(rows.lines), self._contract.data.missing)
        return ids if scored_rows is None else ids.take(scored_rows)

    def _timed(self, blocks: Iterator[Rows]) -> Iterator[Rows]:
        for rows in blocks:
            self._watch.lap("read")
            yield rows

    def _predict(self, rows: Rows) -> tuple[Table, NDArray[np.int64] | None, RowPredictions, list[Violation]]:
        """The rows with a prediction, which they are (None: all), their predictions, what is wrong with the others."""
        plan, contract = self._plan, self._contract
        table = parse(contract.sent, rows.columns, len(rows.lines), text=rows.text, decimal=plan.head.decimal)
        if self._all_optional:
            table.violations += _rows_of_nothing(rows, table)
        table = prepared(contract, self._code, table)
        problems, scored_rows = table.violations, None
        if problems:
            scored_rows = np.flatnonzero(~table.bad)
            table = table.take(scored_rows)
        encoded = encode(contract, table, today=self._today)
        self._watch.lap("parse")
        scores = scores_of(self._model, encoded)
        finite = np.isfinite(scores).all(axis=1)
        if not finite.all():
            candidates = np.arange(len(finite)) if scored_rows is None else scored_rows
            problems = [
                *problems,
                *(Violation(row, "", NO_ANSWER, "no-answer") for row in candidates[~finite].tolist()),
            ]
            scored_rows, scores, table = candidates[finite], scores[finite], table.take(finite)
        lines = rows.lines if scored_rows is None else rows.lines[scored_rows]
        predictions = row_predictions(lines, scores, self._answers)
        return table, scored_rows, predictions, problems


def _rows_of_nothing(rows: Rows, table: Table) -> list[Violation]:
    """The rows without any value, which break no rule of a contract whose features are all optional."""
    empty = np.ones(table.rows, dtype=bool)
    for column in table.columns.values():
        empty &= column == "" if column.dtype == object else np.isnan(column)
    for coded in table.coded.values():
        empty &= coded.codes == -1
    candidates = np.flatnonzero(empty).tolist()
    return [Violation(row, "", NO_VALUES, "no-values") for row in candidates if is_nothing(rows.original(row))]


def _joined(ids: pa.StringArray) -> tuple[NDArray[np.int64], bytes]:
    """Where each id ends, and the bytes of all."""
    _, ends, data = ids.buffers()
    offsets = np.frombuffer(ends, np.int32, len(ids) + 1, ids.offset * 4).astype(np.int64)
    texts = b"" if data is None else bytes(memoryview(data)[offsets[0] : offsets[-1]])
    return offsets[1:] - offsets[0], texts
