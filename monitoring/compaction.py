"""An hour of deliveries to one file for each release: each prediction once, typed as the API typed it.

Of a release that made more than `MOST_KEPT` of them a uniform sample is kept: a window is compared by no more.

A delivery may come after its hour was compacted: what an hour is made of is written with it, and an hour that has
another delivery since is made again. A line whose record the release's contract does not take, which the API took, is
counted with the reason.
"""

from __future__ import annotations

import gzip
import json
import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import batched
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from andamio import names
from andamio.captures import columns, files
from andamio.captures.sampling import ALL, chance
from andamio.captures.summary import CaptureSummary, ReleaseRows, count_faults, digest, duration_bin, faults_of
from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.task import Classification, Regression, Task
from andamio.errors import ObjectNotFound, ReleaseError
from andamio.records.names import in_contract_form
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from monitoring.delivery import FAILED, PART

ContractOf = Callable[[str], Contract]
"""The contract of a release by its version; raises `ReleaseError`."""

Line = dict[str, Any]
Faults = Counter[tuple[str, str, str]]

MOST_KEPT = 200_000
"""Predictions of a release that are kept of an hour; all are counted."""
_SPARE = 50_000
"""Predictions above those that are taken before they are thinned."""
_CHUNK = 16_384
"""Lines that are parsed together: a row group."""
_PURPOSE = "hour"
_AT_ONCE, _AHEAD = 8, 64
"""Deliveries that are read at once, and that are held."""


def hours_between(start: datetime, end: datetime) -> list[datetime]:
    """The whole hours from `start` to before `end`, both rounded down to the hour."""
    first, last = (moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0) for moment in (start, end))
    return [first + timedelta(hours=count) for count in range(int((last - first) / timedelta(hours=1)))]


def compact_window(lake: Objects, contract_of: ContractOf, start: datetime, end: datetime, share: float = 1.0) -> int:
    """Compact the hours of a window that have deliveries; returns how many have."""
    found = [compact_hour(lake, contract_of, hour, share) for hour in hours_between(start, end)]
    return sum(summary is not None for summary in found)


def compact_hour(lake: Objects, contract_of: ContractOf, hour: datetime, share: float = 1.0) -> CaptureSummary | None:
    """Make the files of an hour, unless they are made of the deliveries that there are; None for an hour without any.

    `share` of its predictions were to be logged with their record, as the deployment says now.
    Of two that do it at once the later one stays; a reader in between may see a few predictions too many.
    """
    prefix = layout.captures(hour)
    parts = [info.key for begin in (FAILED, PART) for info in lake.list(f"{prefix}{begin}")]
    if not parts:
        return None
    made_of = digest(part.removeprefix(prefix).removeprefix(PART) for part in parts)
    key = layout.captured_hour(hour)
    try:
        earlier = documents.read(lake, key, CaptureSummary)
        if earlier.made_of == made_of:
            return earlier
    except ObjectNotFound:
        pass
    with TemporaryDirectory(prefix="hour-") as folder, ExitStack() as exits:
        compaction = _Compaction(Path(folder), contract_of, exits)
        for lines in _deliveries(lake, parts):
            compaction.add(lines)
        compaction.flush()
        exits.close()
        for version, release in compaction.releases.items():
            release.thin()
            files.put(lake, layout.captured_rows(hour, version), release.file.path)
    summary = compaction.summary(made_of, share)
    lake.put(key, summary.to_json(), content_type=documents.JSON)
    return summary


class _Release:
    """The predictions of one release that are being written."""

    def __init__(self, path: Path, contract: Contract, version: str) -> None:
        self.contract, self.version = contract, version
        self.file = files.RowsFile(path, columns.schema(contract))
        self.pending: list[Line] = []
        self.asked = 0
        self._numbers = array("Q")
        self._limit = ALL

    def take(self, line: Line) -> None:
        """Keep a line, unless there are so many that it is not drawn."""
        number = chance(line["prediction_id"], _PURPOSE)
        if number >= self._limit:
            return
        self._numbers.append(number)
        self.pending.append(line)
        if len(self._numbers) > MOST_KEPT + _SPARE:
            self._draw()

    def thin(self) -> None:
        """Leave the rows in the file, which is closed, that are drawn of all."""
        self._draw()
        if self._limit == ALL:
            return
        whole, self.file = self.file, files.RowsFile(self.file.path.with_suffix(".drawn"), self.file.schema)
        self.asked = 0
        with self.file:
            for batch in files.rows_of(whole.path):
                self._add(files.drawn(batch, _PURPOSE, self._limit))

    def _draw(self) -> None:
        if len(self._numbers) > MOST_KEPT:
            numbers = np.frombuffer(self._numbers, dtype=np.uint64)
            smallest = np.partition(numbers, MOST_KEPT - 1)[:MOST_KEPT]
            self._limit = int(smallest.max()) + 1
            self._numbers = array("Q", smallest.tobytes())

    def write(self, unreadable: Faults) -> None:
        """Write the lines that wait; what cannot be read is counted."""
        lines, self.pending = self.pending, []
        known = [line for line in lines if _is_of(self.contract.task, line)]
        if len(known) < len(lines):
            unreadable[self.version, "", "other-classes"] += len(lines) - len(known)
        if not known:
            return
        table = _table(self.contract, [line["features"] for line in known])
        bad = _judge(self.contract, table, self.version, unreadable)
        rows = np.array([row for row in range(len(known)) if row not in bad], dtype=np.int64)
        kept = [known[row] for row in rows.tolist()]
        if kept:
            self._add(self._batch(table.take(rows), kept))

    def _add(self, batch: pa.RecordBatch) -> None:
        self.file.add(batch)
        self.asked += batch.column("audit").to_pylist().count(True)

    def _batch(self, table: Table, lines: Sequence[Line]) -> pa.RecordBatch:
        labels, probabilities = _answers(self.contract.task, lines)
        times = [datetime.fromisoformat(line["time"]).astimezone(UTC).replace(tzinfo=None) for line in lines]
        return columns.to_arrow(
            self.contract,
            table,
            ids=[line["prediction_id"] for line in lines],
            record_ids=[None if line.get("record_id") is None else str(line["record_id"]) for line in lines],
            times=np.array(times, dtype="datetime64[ms]"),
            sources=[str(line.get("route", "")) for line in lines],
            version=self.version,
            labels=labels,
            probabilities=probabilities,
            audit=[line.get("audit") is True for line in lines],
            variants=[str(line.get("variant", names.CHAMPION)) for line in lines],
        )


def _is_of(task: Task, line: Line) -> bool:
    """Whether a line has an answer of this task."""
    match task:
        case Classification():
            return line.get("label") in task.outputs and line["probabilities"].keys() == {*task.outputs}
        case Regression():
            return "value" in line


def _answers(task: Task, lines: Sequence[Line]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Labels `[rows]` and scores `[rows, outputs]` of lines."""
    match task:
        case Classification():
            index = {name: place for place, name in enumerate(task.outputs)}
            scores = [[line["probabilities"][name] for name in task.outputs] for line in lines]
            return np.array([index[line["label"]] for line in lines]), np.array(scores, dtype=np.float32)
        case Regression():
            values = np.array([[line["value"]] for line in lines], dtype=np.float32)
            return np.zeros(len(values), dtype=np.int64), values


class _Compaction:
    """An hour that is being compacted, in local files."""

    def __init__(self, folder: Path, contract_of: ContractOf, exits: ExitStack) -> None:
        self._folder, self._contract_of, self._exits = folder, contract_of, exits
        self._unknown: set[str] = set()
        self._ids: set[bytes] = set()
        self._refused: set[tuple[str, int]] = set()
        self._failures: dict[str, str] = {}
        self._durations: Counter[str] = Counter()
        self.releases: dict[str, _Release] = {}
        self.made: Counter[str] = Counter()
        self.drawn: Counter[str] = Counter()
        self.validated: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.faults: Faults = Counter()
        self.unreadable: Faults = Counter()
        self.duplicates = 0

    def add(self, lines: Sequence[Line]) -> None:
        """Take the lines of a delivery."""
        for line in lines:
            if line["event"] == names.EVENT_PREDICTION:
                self._predicted(line)
            elif line["event"] == names.EVENT_FAILURE:
                self._failures[line["id"]] = line["kind"]
            else:
                self._rejected(line)

    def flush(self) -> None:
        """Write what waits."""
        for release in self.releases.values():
            release.write(self.unreadable)

    def summary(self, made_of: str, share: float) -> CaptureSummary:
        """What there is."""
        return CaptureSummary(
            made_of=made_of,
            releases=tuple(
                ReleaseRows(
                    version=version,
                    made=made,
                    drawn=self.drawn[version],
                    kept=self.releases[version].file.rows if version in self.releases else 0,
                    share=_chance(made, self.drawn[version], share),
                    asked=self.releases[version].asked if version in self.releases else 0,
                )
                for version, made in sorted(self.made.items())
            ),
            validated=dict(sorted(self.validated.items())),
            rejected=dict(sorted(self.rejected.items())),
            faults=faults_of(self.faults),
            unreadable=faults_of(self.unreadable),
            duplicates=self.duplicates,
            failures=dict(sorted(Counter(self._failures.values()).items())),
            durations=dict(sorted(self._durations.items())),
        )

    def _predicted(self, line: Line) -> None:
        known = bytes.fromhex(line["prediction_id"])
        if known in self._ids:
            self.duplicates += 1
            return
        self._ids.add(known)
        version = line["model"]["version"]
        self.made[version] += 1
        self.validated[str(line.get("validated_by", version))] += 1
        if isinstance(took := line.get("duration_ms"), int | float):
            self._durations[duration_bin(took)] += 1
        if "features" not in line:
            return  # of a sample, and not drawn
        self.drawn[version] += 1
        release = self._release(version)
        if release is None:
            self.unreadable[version, "", "unknown-release"] += 1
            return
        release.take(line)
        if len(release.pending) >= _CHUNK:
            release.write(self.unreadable)

    def _rejected(self, line: Line) -> None:
        known = (line["request_id"], line["index"])
        if known in self._refused:
            self.duplicates += 1
            return
        self._refused.add(known)
        version = line["model_version"]
        self.rejected[version] += 1
        count_faults(self.faults, version, ((each["field"], each["code"]) for each in line["violations"]))

    def _release(self, version: str) -> _Release | None:
        if version in self._unknown:
            return None
        if version not in self.releases:
            try:
                contract = self._contract_of(version)
            except ReleaseError:
                self._unknown.add(version)
                return None
            release = _Release(self._folder / f"{version}.parquet", contract, version)
            self._exits.enter_context(release.file)
            self.releases[version] = release
        return self.releases[version]


def _chance(made: int, drawn: int, share: float) -> float:
    """The chance of a prediction to be kept, of which `drawn` were logged with their record where `share` is meant.

    An hour in which another share was meant shows how many there were instead; of few that tells little.
    """
    luck = 5 * math.sqrt(made * share * (1 - share))
    logged = share if abs(drawn - made * share) <= luck else drawn / made
    return logged * min(1.0, MOST_KEPT / max(1, drawn))


def _table(contract: Contract, records: Sequence[Line]) -> Table:
    """Records as the API reads them; what is wrong with some is in the table."""
    inputs, time = contract.inputs, contract.problem.time
    allowed = {*inputs, *(() if time is None else (time,))}
    maps = [record if record.keys() <= allowed else in_contract_form(record, allowed) for record in records]
    cells: dict[str, list[object]] = {name: [record.get(name) for record in maps] for name in inputs}
    for name, feature in inputs.items():
        if feature.type == "date" and feature.format is not None:
            cells[name] = _dates(cells[name], feature.format)
    return parse(contract, cells, len(maps), text=False)


def _dates(cells: Sequence[object], written: str) -> list[object]:
    """Days that the API read from a CSV text, and logged in ISO 8601, beside those as the contract writes them."""
    known = date_format(written)

    def day(cell: object) -> object:
        if not isinstance(cell, str) or known.read(cell.strip()) is not None:
            return cell
        try:
            return date.fromisoformat(cell)
        except ValueError:
            return cell

    return [day(cell) for cell in cells]


def _judge(contract: Contract, table: Table, version: str, unreadable: Faults) -> set[int]:
    """The rows that cannot be read, counted; that a private feature is missing is how it should be."""
    by_row: dict[int, list[tuple[str, str]]] = {}
    for violation in table.violations:
        if violation.field not in contract.inputs or not contract.inputs[violation.field].private:
            by_row.setdefault(violation.row, []).append((violation.field, violation.code))
    for found in by_row.values():
        count_faults(unreadable, version, found)
    return set(by_row)


def _deliveries(lake: Objects, keys: Sequence[str]) -> Iterator[list[Line]]:
    """The lines of each delivery, in the order of the keys."""

    def lines(key: str) -> list[Line]:
        return [json.loads(line) for line in gzip.decompress(lake.get(key).body).splitlines()]

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for some in batched(keys, _AHEAD, strict=False):
            yield from pool.map(lines, some)
