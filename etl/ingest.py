"""From raw objects to rows: reading, replacement by id, validation, rejects."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns, contract_columns, table_columns
from andamio.dataset.version import KEY, ROW
from andamio.errors import Violation
from andamio.records.names import why_unusable
from andamio.records.parse import parse
from andamio.storage.ports import Objects
from andamio.tabular.arrow import cells_of
from andamio.tabular.columns import column_kinds
from andamio.tabular.csv.number_marks import with_point
from andamio.tabular.file import read_file
from andamio.tabular.read_as import ReadAs
from andamio.tabular.refused import RefusedFile
from andamio.tabular.rows import Rows
from etl.collect import Source
from etl.quarantine import Reject, Violations, masked_cells
from etl.split import SealedSplit

Cells = dict[str, list[object]]


@dataclass(slots=True)
class FileReport:
    """The result of reading one raw object: each row is valid, rejected or replaced.

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
    extra: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    unusable: str = ""
    refused: str = ""

    @property
    def rows(self) -> int:
        """How many rows were read."""
        return self.valid + self.rejected + self.replaced

    @property
    def all_bad(self) -> bool:
        """Whether rows were read and none of them is usable, or was until a later one replaced it."""
        return self.rejected > 0 and self.rejected == self.rows


@dataclass(slots=True)
class Ingested:
    """All raw rows: the valid ones as columns, the unusable ones as rejects.

    `columns` are what the contract keeps and `_row`, and `_key` when the split was known; `labels`
    `[rows]` are class indices. `cells` are the raw cells that keys are made of, kept only when there
    was no split. `coerced` counts values out of range that became missing, per feature.
    """

    files: list[FileReport]
    columns: Columns
    labels: NDArray[np.int64]
    cells: Cells
    rejects: list[Reject]
    coerced: Counter[str]

    @property
    def rows(self) -> int:
        """How many rows are valid."""
        return len(self.labels)


def key_columns(contract: Contract) -> tuple[str, ...]:
    """The columns that make a row's key until the split is sealed."""
    problem = contract.problem
    key_column = problem.group or problem.id
    return (key_column,) if key_column is not None else tuple(contract.inputs)


def ingest(lake: Objects, contract: Contract, sources: Sequence[Source], split: SealedSplit | None) -> Ingested:
    """Read every source in its very version, from the oldest to the newest, so that the latest row of an id wins."""
    reader = _Reader(contract, split)
    files: list[FileReport] = []
    parts: list[_Part] = []
    for source in sources:
        report = FileReport(source)
        files.append(report)
        parts += reader.read(report, lake.get(source.key, version=source.version or None).body)
    return _merge(contract, files, parts)


@dataclass(slots=True)
class _Part:
    """A parsed chunk with all of its rows: `bad` tells the unusable ones by index, `broken` those without cells."""

    report: FileReport
    columns: Columns
    labels: NDArray[np.int64]
    cells: Cells
    bad: dict[int, Reject]
    broken: list[Reject]
    coerced: Mapping[str, int]


class _Reader:
    """Reads files into parts."""

    def __init__(self, contract: Contract, split: SealedSplit | None) -> None:
        self._contract = contract
        self._split = split
        self._keys = key_columns(contract) if split is None else split.columns
        self._contract_columns = contract_columns(contract)
        self._shared_texts: dict[object, object] = {}
        self._problems: dict[Violations, Violations] = {}

    def read(self, report: FileReport, body: bytes) -> list[_Part]:
        """One file; a file that is refused, or lacks a column, has no parts."""
        report.sha256 = hashlib.sha256(body).hexdigest()
        parts: list[_Part] = []
        try:
            report.read_as, blocks = read_file(
                report.source.key,
                body,
                self._contract,
                column_kinds(self._contract, self._contract_columns),
                exact=self._keys,
            )
            read = 0
            for rows in blocks:
                # The names of JSON Lines are only complete at the end: any line may bring a new one.
                if report.read_as.format != "jsonl" and self._compare(report, report.read_as.names):
                    break
                parts.append(self._part(report, report.read_as, rows, rows.places(read)))
                read += rows.count
        except RefusedFile as error:
            report.refused = str(error)
            return []
        return [] if self._compare(report, report.read_as.names) else parts

    def _compare(self, report: FileReport, names: Sequence[str]) -> bool:
        """Whether the columns of a file are of no use."""
        present = set(names)
        report.extra = [name for name in names if name and name not in self._contract_columns]
        report.absent = [name for name in self._contract_columns if name not in present]
        report.unusable = why_unusable(names, self._contract)
        return bool(report.unusable)

    def _part(self, report: FileReport, read_as: ReadAs, rows: Rows, places: NDArray[np.int64]) -> _Part:
        contract, count = self._contract, len(rows.lines)
        table = parse(contract, rows.columns, count, text=rows.text, training=True, decimal=read_as.decimal or ".")
        columns = table_columns(contract, table)
        identities = [_identity(report.sha256, place) for place in places.tolist()]
        columns[ROW] = np.array(identities, dtype=object)
        cells = {name: _key_cells(rows, name) for name in self._keys}
        if self._split is not None:
            columns[KEY] = self._split.keys(cells, identities).astype(object)
            cells = {}
        assert table.labels is not None  # read with training=True
        return _Part(
            report,
            columns,
            table.labels,
            {name: self._deduplicated(column) for name, column in cells.items()},
            dict(self._rejects(report, rows, table.violations)),
            [
                Reject(report.source.key, report.source.version, broken.line, (("", broken.reason, "unreadable-row"),))
                for broken in rows.broken
            ],
            table.coerced,
        )

    def _rejects(self, report: FileReport, rows: Rows, problems: Sequence[Violation]) -> Iterator[tuple[int, Reject]]:
        by_row: dict[int, list[tuple[str, str, str]]] = {}
        for problem in problems:
            by_row.setdefault(problem.row, []).append((problem.field, problem.reason, problem.code))
        source = report.source
        for row in sorted(by_row):
            violations = tuple(by_row[row])
            violations = self._problems.setdefault(violations, violations)
            original = rows.original(row)
            cells = masked_cells(self._contract, {name: original.get(name) for name in self._contract_columns})
            yield row, Reject(source.key, source.version, int(rows.lines[row]), violations, cells)

    def _deduplicated(self, cells: list[object]) -> list[object]:
        """The cells with equal texts as one object, which saves memory."""
        return [self._shared_texts.setdefault(cell, cell) if isinstance(cell, str) else cell for cell in cells]


def _identity(sha256: str, place: int) -> str:
    """The identity of a row without id: the content of its file and its position, not the name or time of the file."""
    return hashlib.sha256(f"{sha256}/{place}".encode()).hexdigest()[:16]


def _key_cells(rows: Rows, name: str) -> list[object]:
    """The raw cells of a key column, decimal commas as points.

    Told by the cell alone and not by its column's type: no edit of the contract may change a key.
    """
    if name not in rows.exact:
        return [None] * len(rows.lines)
    return [with_point(cell) if isinstance(cell, str) else cell for cell in cells_of(rows.exact[name])]


def _merge(contract: Contract, files: list[FileReport], parts: list[_Part]) -> Ingested:
    """Merge the parts: remove rows with a later row of the same id, then rejected rows."""
    sizes = [len(part.labels) for part in parts]
    starts = np.cumsum([0, *sizes])
    is_latest = np.ones(int(starts[-1]), dtype=bool)
    id_column = contract.problem.id
    if id_column is not None and parts:
        ids = pd.Series(np.concatenate([part.columns[id_column] for part in parts]))
        is_latest = ~((ids != "") & ids.duplicated(keep="last")).to_numpy()
    is_valid = is_latest.copy()
    rejects: list[Reject] = []
    for part, start, size in zip(parts, starts, sizes, strict=False):
        kept_here = is_latest[start : start + size]
        bad = [row for row in part.bad if kept_here[row]]
        is_valid[[start + row for row in bad]] = False
        unusable = part.broken + [part.bad[row] for row in bad]
        rejects += sorted(unusable, key=lambda reject: reject.line or 0)
        report = part.report
        report.rejected += len(unusable)
        report.replaced += int(size - kept_here.sum())
        report.valid += int(kept_here.sum()) - len(bad)
    valid_masks = [is_valid[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    columns: Columns = {}
    cells: Cells = {}
    # Column by column, each taken out of the parts: all of them twice is what memory would have to hold otherwise.
    for name in list(parts[0].columns) if parts else ():
        columns[name] = np.concatenate(
            [part.columns.pop(name)[mask] for part, mask in zip(parts, valid_masks, strict=True)]
        )
    for name in list(parts[0].cells) if parts else ():
        cells[name] = [
            cell for part, mask in zip(parts, valid_masks, strict=True) for cell in compress(part.cells.pop(name), mask)
        ]
    return Ingested(
        files=files,
        columns=columns,
        labels=np.concatenate([part.labels for part in parts])[is_valid] if parts else np.zeros(0, dtype=np.int64),
        cells=cells,
        rejects=rejects,
        coerced=sum((Counter(part.coerced) for part in parts), Counter()),
    )
