"""How far the comparison carries: windows of 100 features, from ten thousand to ten million rows.

A window is read from the Parquet files of its hours, as captures are, and a uniform sample of its rows is compared.
Beside it the exact figures over all rows, which counts in fixed cells give in one pass: what the sample gives away.
"""

from __future__ import annotations

import json
import pickle
import resource
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import numpy as np

from andamio.adapters.memory import MemoryObjects
from andamio.captures import columns as captured
from andamio.captures import files
from andamio.captures.summary import CaptureSummary, ReleaseRows
from andamio.contract import Contract
from andamio.records.table import Table
from andamio.storage import layout
from benchmarks.watch import others, tables_of
from benchmarks.watch.population import Columns, Population, World, world
from monitoring.captures import read_window
from monitoring.drift import psi
from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits
from monitoring.reference import FeatureReference

NUMBERS, CATEGORIES = 80, 20
PIECE = 100_000
"""Rows of an hour."""
_GROUP = 16_384
CURVE = (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
EVIDENTLY_UP_TO = 100_000
"""Rows: of a million it had 2.7 GB before it was done."""
_DRIFT = 0.4
"""Standard deviations by which every tenth number is larger in the window."""
_RELEASE = "0123456789abcdef"
_START = datetime(2026, 1, 1, tzinfo=UTC)


def _draw(rng: np.random.Generator, rows: int, drift: float) -> Columns:
    numbers = rng.normal(size=(rows, NUMBERS))
    numbers[:, ::10] += drift
    numbers[:, NUMBERS // 2 :] = np.exp(numbers[:, NUMBERS // 2 :])
    names = np.array([f"v{place}" for place in range(8)], dtype=object)
    columns: Columns = {f"x{place:02d}": numbers[:, place] for place in range(NUMBERS)}
    for place in range(CATEGORIES):
        columns[f"k{place:02d}"] = names[rng.integers(0, 8, rows)]
    return columns


def _contract(names: Iterable[str]) -> Contract:
    """A contract of these features, whose target has two classes."""
    kinds = {"x": "number", "k": "category"}
    features = [f'[features.{name}]\ntype = "{kinds[name[0]]}"\n' for name in names]
    head = '[problem]\nname = "scale"\ntarget = "y"\nlabels = { "0" = "no", "1" = "yes" }\npositive = "1"\n'
    return Contract.from_toml("\n".join([head, *features]))


class Exact:
    """How many rows of a whole window are at most each edge, and at most each value, of the reference."""

    def __init__(self, features: Mapping[str, FeatureReference]) -> None:
        self._rows = 0
        self._ordered = {name: one for name, one in features.items() if one.ordered}
        self._sorted = {name: np.sort(one.values) for name, one in self._ordered.items()}
        self._to_edge = {name: np.zeros(len(one.edges)) for name, one in self._ordered.items() if one.edges is not None}
        self._to_value = {name: np.zeros(len(one.values)) for name, one in self._ordered.items()}

    def add(self, piece: Columns) -> None:
        """Count some rows."""
        self._rows += len(piece["x00"])
        for name, one in self._ordered.items():
            assert one.edges is not None
            column = np.sort(piece[name])
            self._to_edge[name] += np.searchsorted(column, one.edges, side="right")
            self._to_value[name] += np.searchsorted(column, self._sorted[name], side="right")

    def of(self, name: str) -> tuple[float, float] | None:
        """PSI and the distance of Kolmogorov and Smirnov over all rows; None of a category."""
        if name not in self._ordered:
            return None
        before = self._ordered[name].counts
        assert before is not None
        after = np.diff(self._to_edge[name], prepend=0.0, append=self._rows)
        merged = psi.merge(before, psi.CELLS)
        index = psi.index(*(np.bincount(merged, weights=side) for side in (before, after))).value
        window = self._to_value[name] / self._rows
        own = np.arange(len(window) + 1) / len(window)
        return index, float(max(np.abs(window - own[1:]).max(), np.abs(window - own[:-1]).max()))


class Hours(MemoryObjects):
    """A lake with the hours of a window, whose files are made, and counted, when they are read.

    `spent` seconds of the processor went into that.
    """

    def __init__(self, contract: Contract, rows: int, exact: Exact, folder: Path) -> None:
        super().__init__("lake")
        self.spent = 0.0
        self._contract, self._exact, self._file = contract, exact, folder / "hour.parquet"
        self._sizes: dict[str, tuple[int, int]] = {}
        for hour, start in enumerate(range(0, rows, PIECE)):
            size = min(PIECE, rows - start)
            moment = _START + timedelta(hours=hour)
            made = ReleaseRows(version=_RELEASE, made=size, drawn=size, kept=size, share=1.0)
            self.put(layout.captured_hour(moment), CaptureSummary(made_of="", releases=(made,)).to_json())
            self._sizes[layout.captured_rows(moment, _RELEASE)] = hour, size
        self.end = _START + timedelta(hours=len(self._sizes))

    @contextmanager
    def stream(
        self, key: str, *, version: str | None = None, start: int = 0, length: int | None = None
    ) -> Iterator[BinaryIO]:
        """Make the file of an hour."""
        began = time.process_time()
        self._make(*self._sizes[key])
        self.spent += time.process_time() - began
        with self._file.open("rb") as file:
            yield file

    def _make(self, hour: int, rows: int) -> None:
        columns = _draw(np.random.default_rng([17, hour]), rows, _DRIFT)
        self._exact.add(columns)
        ids = [f"{number:032x}" for number in range(hour * PIECE, hour * PIECE + rows)]
        batch = captured.to_arrow(
            self._contract,
            Table(rows, columns),
            ids=ids,
            record_ids=ids,
            times=np.full(rows, np.datetime64((_START + timedelta(hours=hour)).replace(tzinfo=None), "ms")),
            sources="/predict",
            version=_RELEASE,
            labels=np.zeros(rows, dtype=np.int64),
            probabilities=np.zeros((rows, 2), dtype=np.float32),
            audit=np.zeros(rows, dtype=np.bool_),
        )
        with files.RowsFile(self._file, batch.schema) as file:
            for first in range(0, rows, _GROUP):
                file.add(batch.slice(first, _GROUP))


def curve(largest: int) -> str:
    """A line for each number of rows up to the largest."""
    rng = np.random.default_rng(1)
    train = _draw(rng, 20_000, 0.0)
    known = world(Population("hundred", train, rng.integers(0, 2, 20_000)), rng, 20_000)
    lines = []
    for rows in [count for count in CURVE if count <= largest]:
        lines.append(_line(known, rows))
        print(lines[-1], flush=True)
    head = [
        "rows",
        "compared",
        "to read, s",
        "to compare, s",
        "peak memory, MB",
        "largest error of PSI",
        "of KS distance",
    ]
    return tables_of([*head, "features named", "Evidently, s", "its memory, MB"], lines)


def _line(known: World, rows: int) -> list[str]:
    contract, exact = _contract(known.columns), Exact(known.reference.features)
    with tempfile.TemporaryDirectory(prefix="watch-") as folder:
        lake = Hours(contract, rows, exact, Path(folder))
        began = time.process_time()
        window = read_window(lake, contract, _RELEASE, _START, lake.end)
        reading = time.process_time() - began - lake.spent
    sample = window.captured.columns
    scores = known.model.scores(sample)
    began = time.process_time()
    labels = (scores[:, 1] >= 0.5).astype(np.int64)
    found = compare(known.reference, sample, scores, labels, Limits(), rows_seen=window.rows_seen)
    comparing = time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    errors = [
        (abs(moved.psi - whole[0]), abs(moved.statistic - whole[1]))
        for moved in found.features
        if (whole := exact.of(moved.feature)) and moved.psi is not None and moved.statistic is not None
    ]
    named = f"{len(found.drifted)} of {len(range(0, NUMBERS, 10))}"
    other = _evidently(known.columns, rows) if rows <= EVIDENTLY_UP_TO else ("-", "-")
    figures = f"{reading:.1f}", f"{comparing:.1f}", f"{peak:,.0f}", *(f"{one:.4f}" for one in np.max(errors, axis=0))
    return [f"{rows:,}", f"{found.window_rows:,}", *figures, named, *other]


def _evidently(reference: Columns, rows: int) -> tuple[str, str]:
    """Seconds and memory of Evidently's preset, which is given all rows of the window as a data frame."""
    python = others.interpreter("evidently")
    if python is None:
        return "cannot be installed here", "-"
    pieces = [
        _draw(np.random.default_rng([17, hour]), min(PIECE, rows - start), _DRIFT)
        for hour, start in enumerate(range(0, rows, PIECE))
    ]
    window = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    del pieces
    with tempfile.TemporaryDirectory(prefix="watch-") as folder:
        file = Path(folder) / "window.pickle"
        with file.open("wb") as opened:
            pickle.dump([("scale", reference, window)], opened)
        del window
        script = Path(others.__file__).with_name("contestant.py")
        done = subprocess.run(
            [str(python), str(script), "evidently", str(file)], capture_output=True, text=True, check=True
        )
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return f"{said['seconds']:.0f}", f"{said['peak_mb']:,.0f}"
