"""From raw objects to rows: reading, replacement by id, validation, rejects.

Captured records are read by the same reader. A row of theirs is called by its prediction, so that it stays the same
row in a file that grows. It has the key of a raw row whose record it equals, or else that of the equal record which
was captured first, so that all of them are on one side. A raw row of its id takes its place, unless that is rejected.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import DTypeLike, NDArray

from andamio.contract import Contract
from andamio.dataset.columns import contract_columns, file_columns, table_columns
from andamio.dataset.digests import DigestArray, DigestTexts, digest_of
from andamio.dataset.documents import SampleRecords
from andamio.dataset.records import record_digests
from andamio.dataset.version import BESIDE, KEY, PREPARED_BY, RECORD, ROW, VALUES
from andamio.errors import Violation
from andamio.prepare.check import check_rows
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import prepared_for_training
from andamio.records.names import why_unusable
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.storage import layout
from andamio.storage.ports import Objects
from andamio.tabular.arrow import cells_of
from andamio.tabular.columns import column_kinds
from andamio.tabular.csv.number_marks import with_point
from andamio.tabular.file import read_file
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from etl.collect import Source
from etl.extent import MOST_TEXT, TooMuch, most_rows, too_long, too_many
from etl.latest import beside_equal, latest
from etl.quarantine import PackedRejects, Reject, Rejects, Violations, masked_cells
from etl.samples import Samples
from etl.split import SealedSplit, key_columns, row_keys
from etl.staging import Chunks, Scratch, StagedRows

_OTHER_PREPARE = (
    "is passed over: its records were made by another prepare.py than the deployed one. The next retraining of the "
    "watch begins the file anew"
)


@dataclass(slots=True)
class FileReport:
    """The result of reading one raw object: each row is valid, rejected, replaced, or left out by the problem's `keep`.

    `extra` are columns that the contract does not name, `absent` columns of the contract that the
    file lacks. `unusable` says why its columns make the file of no use: required ones are lacking, or have nearly
    the name of one. `refused` says why the whole file is of no use.
    """

    source: Source
    sha256: str = ""
    read_as: ReadAs | None = None
    valid: int = 0
    rejected: int = 0
    replaced: int = 0
    left_out: int = 0
    extra: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    unusable: str = ""
    refused: str = ""

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.valid + self.rejected + self.replaced + self.left_out

    @property
    def all_bad(self) -> bool:
        """Whether rows were read and none of them is usable, or was until a later one replaced it."""
        return self.rejected > 0 and self.rejected == self.rows


@dataclass(slots=True)
class Ingested:
    """All raw rows: the valid ones as columns, the unusable ones as rejects.

    `chunks` hold what the contract keeps of every staged row; `identities` and `keys` are digests of each, `valid`
    says which are usable, all `[staged rows]`. Keys are those of the split, or what `key_columns` make where there is
    none. `labels` (class indices, or numbers) and `times` are those of valid rows; `samples` are records as they are
    sent, by identity. `coerced` counts values out of range that became missing, per feature.
    """

    files: list[FileReport]
    chunks: Chunks
    identities: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    valid: NDArray[np.bool_]
    labels: NDArray[Any]
    times: NDArray[np.datetime64]
    rejects: Rejects
    coerced: Counter[str]
    samples: SampleRecords = field(default_factory=lambda: SampleRecords(records={}))

    @property
    def rows(self) -> int:
        """How many rows are valid."""
        return len(self.labels)

    @property
    def columns(self) -> StagedRows:
        """The valid rows in the order in which they were read."""
        return StagedRows(self.chunks, {ROW: self.identities, KEY: self.keys}, np.flatnonzero(self.valid))


def ingest(
    lake: Objects,
    contract: Contract,
    sources: Sequence[Source],
    split: SealedSplit | None,
    code: OwnCode | None = None,
) -> Ingested:
    """Read every source in its very version, from the oldest to the newest, so that the latest row of an id wins.

    What is in memory does not grow with the files but by about 50 bytes for each row, and by what is rejected. Raises
    `TooMuch`, and `PrepareError` where the problem's own code is at fault.
    """
    reader = _Reader(contract, split, code, captured=any(source.captured for source in sources))
    for source in sources:
        scratch = Scratch()
        reader.read(FileReport(source), scratch.fetch(lake, source.key, "raw", version=source.version or None))
    return reader.result()


@dataclass(frozen=True, slots=True)
class _Part:
    """What stays in memory of some rows, `[rows]` each: digests, labels and times of all, the unusable ones by index.

    `records` are digests of the records, None where nothing was captured. `broken` are rows that are none, and so have
    no place among the others.
    """

    report: FileReport
    identities: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    ids: NDArray[np.uint64] | None
    has_id: NDArray[np.bool_] | None
    labels: NDArray[Any]
    times: NDArray[np.datetime64]
    bad: NDArray[np.int64]
    rejects: PackedRejects
    coerced: Mapping[str, int]
    left_out: NDArray[np.int64]
    records: DigestArray | None = None


class _Reader:
    """Reads files into chunks."""

    def __init__(self, contract: Contract, split: SealedSplit | None, code: OwnCode | None, *, captured: bool) -> None:
        self._contract = contract
        self._sent = contract.sent
        self._code = code
        self._unchecked = code is not None
        self._captured = captured
        self._split = split
        self._keys = key_columns(contract) if split is None else split.columns
        self._columns = file_columns(contract)
        self._problems: dict[Violations, Violations] = {}
        self._chunks = Chunks()
        self._files: list[FileReport] = []
        self._parts: list[_Part] = []
        self._of_no_use: set[int] = set()
        self._rows = 0
        self._samples = Samples(contract, code)

    def read(self, report: FileReport, path: Path) -> None:
        """One file; of a file that is refused, or lacks a column, no row counts."""
        self._files.append(report)
        first = len(self._parts)
        with path.open("rb") as body:
            report.sha256 = hashlib.file_digest(body, "sha256").hexdigest()
            body.seek(0)
            if not self._usable(report, body):
                self._of_no_use.update(range(first, len(self._parts)))

    def _usable(self, report: FileReport, body: BinaryIO) -> bool:
        if report.source.captured and _prepared_by(body) != self._contract.prepare:
            report.refused = _OTHER_PREPARE
            return False
        try:
            report.read_as, blocks = read_file(
                report.source.key,
                body,
                self._read_by(report),
                column_kinds(self._read_by(report), self._columns_of(report)),
                exact=(*self._keys, ROW, BESIDE) if report.source.captured else self._keys,
            )
            read = 0
            for rows in blocks:
                # The names of JSON Lines are only complete at the end: any line may bring a new one.
                if report.read_as.format != "jsonl" and self._compare(report, report.read_as.names):
                    break
                self._count(rows.count)
                self._parts.append(self._part(report, report.read_as, rows, rows.places(read)))
                read += rows.count
        except RefusedFile as error:
            report.refused = str(error)
            return False
        return not self._compare(report, report.read_as.names)

    def _count(self, rows: int) -> None:
        self._rows += rows
        if self._rows > most_rows(self._contract):
            raise TooMuch(too_many(self._contract, f"more than {most_rows(self._contract):,}"))

    def _compare(self, report: FileReport, names: Sequence[str]) -> bool:
        """Whether the columns of a file are of no use."""
        present = set(names)
        own = {ROW, BESIDE, RECORD, VALUES} if report.source.captured else set()
        columns = self._columns_of(report)
        report.extra = [name for name in names if name and name not in columns and name not in own]
        report.absent = [name for name in columns if name not in present]
        report.unusable = why_unusable(names, self._read_by(report))
        return bool(report.unusable)

    def _part(self, report: FileReport, read_as: ReadAs, rows: Rows, places: NDArray[np.int64]) -> _Part:
        contract, count = self._contract, len(rows.lines)
        sent = parse(
            self._read_by(report), rows.columns, count, text=rows.text, training=True, decimal=read_as.decimal or "."
        )
        table, without = self._prepared(sent) if not report.source.captured else (sent, np.zeros(count, dtype=bool))
        left_out = np.flatnonzero(without)
        columns = table_columns(contract, table)
        called = cells_of(rows.exact[ROW]) if report.source.captured else places.tolist()
        where = layout.CAPTURED if report.source.captured else f"{report.sha256}/"
        identities = np.fromiter((digest_of(f"{where}{one}") for one in called), dtype=np.uint64, count=count)
        keys = self._captured_keys(rows) if report.source.captured else self._raw_keys(rows, identities)
        if not report.source.captured:
            self._samples.add(sent, rows, read_as.decimal, without | table.bad, identities)
        assert table.labels is not None  # read with training=True
        id_column, time = contract.problem.id, contract.problem.time
        ids = None if id_column is None else columns[id_column]
        part = _Part(
            report,
            identities,
            keys,
            None if ids is None else np.fromiter(map(digest_of, ids), dtype=np.uint64, count=count),
            None if ids is None else ids != "",
            table.labels if table.labels.dtype.kind == "f" else table.labels.astype(np.int32),
            columns[time] if time in columns else np.array([], dtype="datetime64[s]"),
            *self._rejects(report, rows, table.violations),
            dict(table.coerced),
            left_out,
            record_digests(columns, list(contract.inputs)) if self._captured else None,
        )
        if count:
            self._chunks.add(columns)
            self._weigh()
        return part

    def _raw_keys(self, rows: Rows, identities: DigestArray) -> DigestArray:
        return self._keys_of({name: _key_cells(rows, name) for name in self._keys}, identities)

    def _captured_keys(self, rows: Rows) -> DigestArray:
        """The keys of captured rows: equal records have equal ones, unless a group says where they belong."""
        # A file of an earlier version has no such column, until a retraining begins it anew.
        beside = cells_of(rows.exact[BESIDE if BESIDE in rows.exact else ROW])
        own = np.fromiter((digest_of(f"{layout.CAPTURED}{one}") for one in beside), dtype=np.uint64, count=len(beside))
        if any(name not in rows.exact for name in self._keys):
            return own  # what was sent is not captured, only what was made of it
        cells = {name: _key_cells(rows, name) for name in self._keys}
        problem = self._contract.problem
        if BESIDE in rows.exact and problem.id is not None and problem.id not in self._contract.inputs:
            cells |= {problem.id: beside} if problem.id in cells else {}
        return self._keys_of(cells, own)

    def _keys_of(self, cells: Mapping[str, Sequence[object]], own: DigestArray) -> DigestArray:
        """Keys by raw cells, or where each row is one of its own, `own`."""
        if self._split is None:
            return row_keys(self._keys, self._contract.data.missing, cells, len(own))
        return self._split.keys(cells, DigestTexts(own))

    def _prepared(self, sent: Table) -> tuple[Table, NDArray[np.bool_]]:
        """The features of rows as they are sent, and which of them are left out of training `[rows]`."""
        if self._unchecked and sent.rows:
            check_rows(self._contract, self._code, sent, training=True)
            self._unchecked = False
        found = prepared_for_training(self._contract, self._code, sent)
        return found.table, found.left_out

    def _read_by(self, report: FileReport) -> Contract:
        """The contract of a file's columns: a captured record holds features already."""
        return self._contract if report.source.captured else self._sent

    def _columns_of(self, report: FileReport) -> tuple[str, ...]:
        return contract_columns(self._contract) if report.source.captured else self._columns

    def _weigh(self) -> None:
        name, size = self._chunks.largest_text()
        if size > MOST_TEXT:
            raise TooMuch(too_long(name, self._rows))

    def _rejects(
        self, report: FileReport, rows: Rows, problems: Sequence[Violation]
    ) -> tuple[NDArray[np.int64], PackedRejects]:
        """The unusable rows by index, and what is stored of them and of broken ones."""
        by_row: dict[int, list[tuple[str, str, str]]] = {}
        for problem in problems:
            by_row.setdefault(problem.row, []).append((problem.field, problem.reason, problem.code))
        source, bad = report.source, sorted(by_row)
        found = []
        for row in bad:
            violations = tuple(by_row[row])
            violations = self._problems.setdefault(violations, violations)
            original = rows.original(row)
            cells = masked_cells(self._read_by(report), {name: original.get(name) for name in self._columns_of(report)})
            found.append(Reject(source.key, source.version, int(rows.lines[row]), violations, cells))
        for broken in rows.broken:
            violations = (("", broken.reason, "unreadable-row"),)
            violations = self._problems.setdefault(violations, violations)
            found.append(Reject(source.key, source.version, broken.line, violations))
        return np.array(bad, dtype=np.int64), PackedRejects(found)

    def result(self) -> Ingested:
        """All that was read: without rows that have a later row of the same id, and without rejected rows."""
        self._chunks.finish()
        parts = self._parts
        starts = np.cumsum([0, *(len(part.labels) for part in parts)]).tolist()
        captured = _joined([np.full(len(part.labels), part.report.source.captured) for part in parts], np.bool_)
        is_latest = self._latest(starts, captured)
        valid = is_latest.copy()
        coerced: Counter[str] = Counter()
        rejects = Rejects()
        for number, (part, start, stop) in enumerate(zip(parts, starts, starts[1:], strict=False)):
            if number in self._of_no_use:
                continue
            kept = is_latest[start:stop]
            unusable = kept[part.bad]
            left_out = kept[part.left_out]
            valid[start + part.bad] = valid[start + part.left_out] = False
            broken = len(part.rejects) - len(part.bad)
            rejects.add(part.rejects, np.append(unusable, np.ones(broken, dtype=bool)))
            report = part.report
            report.rejected += int(unusable.sum()) + broken
            report.replaced += int((~kept).sum())
            report.left_out += int(left_out.sum())
            report.valid += int(kept.sum() - unusable.sum() - left_out.sum())
            coerced.update(part.coerced)
        truths, times = [part.labels for part in parts], [part.times for part in parts]
        labels = _joined(truths, truths[0].dtype if truths else np.int32)[valid]
        known = [part for part in times if len(part)]
        identities = _joined([part.identities for part in parts], np.uint64)
        keys = _joined([part.keys for part in parts], np.uint64)
        all_times = _joined(known, np.dtype("datetime64[s]"))
        by_group = self._contract.problem.group is not None if self._split is None else self._split.key == "group"
        if self._captured and not by_group:
            records = np.concatenate([part.records for part in parts if part.records is not None])
            keys = beside_equal(records, keys, valid, captured)
        self._parts = []
        return Ingested(
            files=self._files,
            chunks=self._chunks,
            identities=identities,
            keys=keys,
            valid=valid,
            labels=labels if labels.dtype.kind == "f" else labels.astype(np.int64),
            times=all_times[valid] if len(all_times) else all_times,
            rejects=rejects,
            coerced=coerced,
            samples=self._samples.document(),
        )

    def _latest(self, starts: Sequence[int], captured: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which rows of usable files have no later row of their id there: `[rows]`."""
        usable = np.ones(starts[-1], dtype=bool)
        for number in self._of_no_use:
            usable[starts[number] : starts[number + 1]] = False
        ids = [part.ids for part in self._parts if part.ids is not None]
        has_id = [part.has_id for part in self._parts if part.has_id is not None]
        if not ids:
            return usable
        rejected = np.zeros(starts[-1], dtype=bool)
        for part, start in zip(self._parts, starts, strict=False):
            rejected[start + part.bad] = True
        return usable & latest(np.concatenate(ids), np.concatenate(has_id) & usable, captured, rejected)


def _prepared_by(body: BinaryIO) -> str | None:
    """The digest of the prepare.py that made a captured file's records; None of none."""
    try:
        said = pq.read_schema(body).metadata or {}
    except pa.ArrowInvalid:
        said = {}  # the reader says what the file is
    body.seek(0)
    return said.get(PREPARED_BY.encode(), b"").decode() or None


def _joined(parts: list[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=dtype)


def _key_cells(rows: Rows, name: str) -> list[object]:
    """The raw cells of a key column, decimal commas as points.

    Told by the cell alone and not by its column's type: no edit of the contract may change a key.
    """
    if name not in rows.exact:
        return [None] * len(rows.lines)
    return [with_point(cell) if isinstance(cell, str) else cell for cell in cells_of(rows.exact[name])]
