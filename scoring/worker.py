"""One shard, from its bytes to its predictions: read, validated, encoded, scored and written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.errors import ObjectNotFound, Violation
from andamio.records.encode import encode
from andamio.records.parse import parse
from andamio.release.model import Model
from andamio.storage import documents, layout
from andamio.storage.ports import Objects, PredictionStore
from andamio.tabular.rows import Rows
from scoring.batch import BatchPlan, Cut, Shard, ShardResult
from scoring.formats import open_part, read_rows
from scoring.lookup import LookupWriter
from scoring.predictions import NO_ANSWER, Predicted, predicted, probabilities_of
from scoring.read.ids import record_ids
from scoring.write.rejects import Rejects
from scoring.write.table_items import items

_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}


class Stopwatch:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def note(self, what: str) -> None:
        """What has been done since the last note."""
        now = time.perf_counter()
        self.seconds[what] = self.seconds.get(what, 0.0) + now - self._since
        self._since = now

    def rounded(self) -> dict[str, float]:
        """Seconds to the millisecond."""
        return {what: round(spent, 3) for what, spent in self.seconds.items()}


def score_shard(
    batch: Objects, table: PredictionStore, plan: BatchPlan, cut: Cut, shard: Shard, contract: Contract, model: Model
) -> ShardResult:
    """Score one shard and write what came of it: part, rejects, lookup, table, and last the result.

    What another try has written is kept: all of it is made of the plan alone, so it is the same. Raises
    `DataError` where the shard as a whole is not what its plan says.
    """
    key = layout.shard_result(plan.batch, shard.number)
    done = _done(batch, plan, shard)
    if done is not None:
        return done
    watch = Stopwatch()
    with TemporaryDirectory(prefix="shard-") as folder:
        made = _Shard(Path(folder), batch, plan, shard, contract, model, watch)
        made.score()
        part = layout.scored_part(plan.batch, shard.number, plan.ending)
        batch.put_new_file(part, made.part, content_type=_TYPES[plan.format])
        if made.rejected:
            rejects = layout.rejected_part(plan.batch, shard.number)
            batch.put_new_file(rejects, made.rejects, content_type=_TYPES["jsonl"])
        batch.put_new_file(layout.lookup(plan.batch, shard.number), made.lookup)
        watch.note("put")
        if cut.stored:
            for some in items(made.lookup, plan):
                table.put_all(some)
            watch.note("store")
        stored = batch.head(part)
    result = ShardResult(
        shard.number,
        made.scored + made.rejected,
        made.scored,
        made.rejected,
        made.height,
        stored.size,
        stored.etag,
        watch.rounded(),
    )
    batch.put_new(key, result.to_json(), content_type="application/json")
    return result


def _done(batch: Objects, plan: BatchPlan, shard: Shard) -> ShardResult | None:
    """The result of a shard that was scored, unless its part is gone again."""
    try:
        found = documents.read(batch, layout.shard_result(plan.batch, shard.number), ShardResult)
        batch.head(layout.scored_part(plan.batch, shard.number, plan.ending))
    except ObjectNotFound:
        return None
    return found


class _Shard:
    """A shard under way, in files of its own."""

    def __init__(
        self,
        folder: Path,
        batch: Objects,
        plan: BatchPlan,
        shard: Shard,
        contract: Contract,
        model: Model,
        watch: Stopwatch,
    ) -> None:
        self._batch, self._plan, self._shard, self._contract, self._model = batch, plan, shard, contract, model
        self._watch = watch
        self._today = np.datetime64(plan.created[:10], "D")
        self.part, self.rejects, self.lookup = folder / "part", folder / "rejects", folder / "lookup"
        self.scored = self.rejected = self.height = 0

    def score(self) -> None:
        """Read every row and write it to the part or to the rejects."""
        with (
            self.part.open("wb") as part_file,
            self.rejects.open("wb") as rejects_file,
            self.lookup.open("wb") as lookup_file,
            read_rows(self._batch, self._plan, self._shard, self._contract) as reading,
            closing(open_part(part_file, self._plan, reading.schema)) as part,
        ):
            rejects = Rejects(rejects_file)
            lookup = LookupWriter(lookup_file, len(self._plan.classes), self._shard.line)
            for rows in self._timed(reading.rows()):
                kept, said, problems = self._predict(rows)
                self._watch.note("score")
                part.write(rows, kept, said)
                lookup.add(said.lines, said.labels, said.probabilities, self._ids(rows, kept))
                if problems or rows.broken:
                    rejects.write(rows, problems)
                self.scored += len(said.lines)
                self._watch.note("write")
            lookup.close()
            self.rejected, self.height = rejects.count, reading.height
        self._watch.note("write")

    def _ids(self, rows: Rows, kept: NDArray[np.int64] | None) -> tuple[NDArray[np.int64], bytes] | None:
        """The callers' own ids of the rows at `kept`, None where the file has none."""
        column = None if self._plan.record_column is None else rows.exact.get(self._plan.record_column)
        if column is None:
            return None
        ids = record_ids(column, len(rows.lines), self._contract.data.missing)
        return _joined(ids if kept is None else ids.take(kept))

    def _timed(self, blocks: Iterator[Rows]) -> Iterator[Rows]:
        for rows in blocks:
            self._watch.note("read")
            yield rows

    def _predict(self, rows: Rows) -> tuple[NDArray[np.int64] | None, Predicted, list[Violation]]:
        """Which rows have a prediction (None: all of them), their predictions, and what is wrong with the others."""
        plan, contract = self._plan, self._contract
        table = parse(contract, rows.columns, len(rows.lines), text=rows.text, decimal=plan.decimal)
        problems, kept = table.violations, None
        if problems:
            kept = np.flatnonzero(~table.bad)
            table = table.take(kept)
        encoded = encode(contract, table, today=self._today)
        self._watch.note("parse")
        probabilities = probabilities_of(self._model, encoded)
        finite = np.isfinite(probabilities).all(axis=1)
        if not finite.all():
            among = np.arange(len(finite)) if kept is None else kept
            problems = [*problems, *(Violation(row, "", NO_ANSWER) for row in among[~finite].tolist())]
            kept, probabilities = among[finite], probabilities[finite]
        lines = rows.lines if kept is None else rows.lines[kept]
        return kept, predicted(lines, probabilities, contract.positive_index, plan.threshold), problems


def _joined(ids: pa.StringArray) -> tuple[NDArray[np.int64], bytes]:
    """Where each id ends, and the bytes of all."""
    _, ends, data = ids.buffers()
    offsets = np.frombuffer(ends, np.int32, len(ids) + 1, ids.offset * 4).astype(np.int64)
    texts = b"" if data is None else bytes(memoryview(data)[offsets[0] : offsets[-1]])
    return offsets[1:] - offsets[0], texts
