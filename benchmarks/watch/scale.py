"""How far the comparison carries: windows of 100 features, from ten thousand to ten million rows.

A window is read in pieces, as captures are, and a uniform sample of its rows is compared. Beside it the exact figures
over all rows, which counts in fixed cells give in one pass: what the sample gives away.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.watch import others, tables_of
from benchmarks.watch.population import Columns, Population, World, world
from monitoring.captures import MOST_ROWS
from monitoring.drift import psi
from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits

NUMBERS, CATEGORIES = 80, 20
PIECE = 100_000
CURVE = (10_000, 100_000, 1_000_000, 3_000_000, 10_000_000)
EVIDENTLY_UP_TO = 100_000
"""Rows; above, it would take most of an hour."""
_DRIFT = 0.4
"""Standard deviations by which every tenth number is larger in the window."""


def _draw(rng: np.random.Generator, rows: int, drift: float) -> Columns:
    numbers = rng.normal(size=(rows, NUMBERS))
    numbers[:, ::10] += drift
    numbers[:, NUMBERS // 2 :] = np.exp(numbers[:, NUMBERS // 2 :])
    names = np.array([f"v{place}" for place in range(8)], dtype=object)
    columns: Columns = {f"x{place:02d}": numbers[:, place] for place in range(NUMBERS)}
    for place in range(CATEGORIES):
        columns[f"k{place:02d}"] = names[rng.integers(0, 8, rows)]
    return columns


def _pieces(rows: int) -> Iterator[Columns]:
    for start in range(0, rows, PIECE):
        yield _draw(np.random.default_rng([17, start]), min(PIECE, rows - start), _DRIFT)


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
        "seconds",
        "largest error of PSI",
        "of KS distance",
        "features named",
        "Evidently, seconds",
    ]
    return tables_of(head, lines)


def _line(known: World, rows: int) -> list[str]:
    features = known.reference.features
    kept: list[Columns] = []
    ordered = {name: one for name, one in features.items() if one.ordered}
    cells = {name: np.zeros(len(one.counts)) for name, one in ordered.items() if one.counts is not None}
    below = {name: np.zeros(len(one.values) + 1) for name, one in ordered.items()}
    sorted_values = {name: np.sort(one.values) for name, one in ordered.items()}
    sampling = np.random.default_rng(2)
    for piece in _pieces(rows):
        size = len(piece["x00"])
        chosen = sampling.random(size) < min(1.0, MOST_ROWS / rows)
        kept.append({name: column[chosen] for name, column in piece.items()})
        for name, one in ordered.items():
            assert one.edges is not None
            cells[name] += np.bincount(np.searchsorted(one.edges, piece[name]), minlength=len(cells[name]))
            below[name] += np.bincount(np.searchsorted(sorted_values[name], piece[name]), minlength=len(below[name]))
    sample = {name: np.concatenate([one[name] for one in kept]) for name in features}
    scores = known.model.scores(sample)
    started = time.process_time()
    found = compare(known.reference, sample, scores, (scores[:, 1] >= 0.5).astype(np.int64), Limits(), rows_seen=rows)
    seconds = time.process_time() - started
    errors = []
    for moved in found.features:
        if moved.feature in cells and moved.psi is not None and moved.statistic is not None:
            exact = _exact(ordered[moved.feature].counts, cells[moved.feature], below[moved.feature])
            errors.append((abs(moved.psi - exact[0]), abs(moved.statistic - exact[1])))
    worst = np.max(errors, axis=0)
    named = f"{len(found.drifted)} of {len(range(0, NUMBERS, 10))}"
    other = _evidently(known.columns, sample) if rows <= EVIDENTLY_UP_TO else "-"
    return [f"{rows:,}", f"{found.window_rows:,}", f"{seconds:.1f}", *(f"{one:.4f}" for one in worst), named, other]


def _exact(
    before: NDArray[np.float64] | None, after: NDArray[np.float64], below: NDArray[np.float64]
) -> tuple[float, float]:
    assert before is not None
    merged = psi.merge(before, psi.CELLS)
    index = psi.index(*(np.bincount(merged, weights=side) for side in (before, after))).value
    window = np.cumsum(below)[:-1] / below.sum()
    own = np.arange(len(window) + 1) / len(window)
    return index, float(max(np.abs(window - own[1:]).max(), np.abs(window - own[:-1]).max()))


def _evidently(reference: Columns, window: Columns) -> str:
    python = others.interpreter("evidently")
    if python is None:
        return "cannot be installed here"
    with tempfile.TemporaryDirectory(prefix="watch-") as folder:
        file = Path(folder) / "window.pickle"
        file.write_bytes(pickle.dumps([("scale", reference, window)]))
        script = Path(others.__file__).with_name("contestant.py")
        done = subprocess.run(
            [str(python), str(script), "evidently", str(file)], capture_output=True, text=True, check=True
        )
    return f"{json.loads(done.stdout.strip().splitlines()[-1])['seconds']:.0f}"
