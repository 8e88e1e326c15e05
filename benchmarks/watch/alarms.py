"""False alarms and detection of the data drift, by rows of reference and window."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.watch import tables_of
from benchmarks.watch.population import Columns, Population, World, population, world
from benchmarks.watch.shifts import SHIFTS, Shift, correlation
from monitoring.drift.compare import compare
from monitoring.drift.limits import Limits
from monitoring.results import DataDrift

TABLES = ("heart", "mixed", "wide")
DETECTED = (*TABLES, "paired")
"""Tables in which shifts are detected."""
SIZES = (200, 1000, 5000, 20_000)
PAIRS = [
    *((rows, rows) for rows in SIZES[:3]),
    (200, 1000),
    (1000, 200),
    (200, 20_000),
    (20_000, 200),
    (20_000, 20_000),
]
"""Rows of reference and window."""
WINDOWS, DETECTIONS, JOINT_EVERY = 1000, 100, 5
"""Windows drawn for false alarms and for each shift; of those for false alarms one in five has joint drift tested."""
REFERENCE_ROWS = 1000
"""Rows of the reference where detection is measured."""

Detector = Callable[[World, Columns, NDArray[np.float64]], dict[str, bool]]
"""What finds drift in a window's columns and probabilities: which kinds of alarm ring."""


@dataclass
class Rates:
    """Windows by what rang in them, and windows in which it could ring."""

    rang: Counter[str] = field(default_factory=Counter)
    windows: Counter[str] = field(default_factory=Counter)

    def add(self, alarms: dict[str, bool]) -> None:
        """One window."""
        for name, rings in alarms.items():
            self.windows[name] += 1
            self.rang[name] += rings

    def text(self, name: str) -> str:
        """The share of windows, with the count where it is small."""
        windows = self.windows[name]
        return "-" if not windows else f"{self.rang[name] / windows:.3f}".rstrip("0").rstrip(".")


def compared(place: World, columns: Columns, scores: NDArray[np.float64], *, with_joint: bool, seed: int) -> DataDrift:
    """What Andamio finds with its defaults."""
    labels = (scores[:, 1] >= place.reference.threshold).astype(np.int64)
    return compare(place.reference, columns, scores, labels, Limits(), with_joint=with_joint, seed=seed)


def ours(with_joint: bool, number: int) -> Detector:
    """Andamio, with its defaults."""

    def detect(place: World, columns: Columns, scores: NDArray[np.float64]) -> dict[str, bool]:
        alarms = _alarms(compared(place, columns, scores, with_joint=with_joint, seed=number))
        return alarms if with_joint else {kind: alarms[kind] for kind in ("features", "predictions")}

    return detect


def _alarms(found: DataDrift) -> dict[str, bool]:
    return {
        "features": bool(found.drifted),
        "predictions": found.predictions.status == "drift",
        "joint": found.joint.status == "drift",
        "any": found.status == "drift",
    }


def rates(
    place: Population,
    reference_rows: int,
    window_rows: int,
    windows: int,
    detector: Callable[[int], Detector],
    shift: Shift | None = None,
) -> Rates:
    """Draw reference and window anew each time, and count what rings."""
    found = Rates()
    for number in range(windows):
        rng = np.random.default_rng([number, reference_rows, window_rows])
        known = world(place, rng, reference_rows)
        columns, labels = place.draw(rng, window_rows)
        if shift is not None:
            shifted = shift(rng, columns, labels)
            if shifted is None:
                continue  # by chance these rows have no column for it
            columns, labels = shifted
        found.add(detector(number)(known, columns, known.model.scores(columns)))
    return found


def false_alarms(windows: int, tables: Sequence[str] = TABLES, sizes: Sequence[int] = SIZES) -> str:
    """A table of the share of windows that ring where nothing has moved, where the larger side has one of the sizes."""
    lines = []
    for name in tables:
        place = population(name)
        for m, n in PAIRS if name == "heart" else [(rows, rows) for rows in SIZES]:
            if max(m, n) not in sizes:
                continue
            found = rates(place, m, n, windows, lambda number: ours(number % JOINT_EVERY == 0, number))
            kinds = [found.text(kind) for kind in ("features", "predictions", "joint", "any")]
            drawn = f"{found.windows['features']:,}", f"{found.windows['joint']:,}"
            lines.append([name, f"{m:,}", f"{n:,}", *kinds, *drawn])
            print(lines[-1], flush=True)
    head = ["table", "reference rows", "window rows", "a feature", "predictions", "joint", "any", "windows"]
    return tables_of([*head, "of these with joint"], lines)


def joint(windows: int, tables: Sequence[str] = TABLES[:1], sizes: Sequence[int] = SIZES[:3]) -> str:
    """A table of how often joint drift alone rings where nothing has moved, tested in every window.

    "p <= 0.01" is the test by itself, without what it shares with the other tests and without the limit of its AUC.
    """
    lines = []
    for name in tables:
        place = population(name)
        for rows in sizes:
            found = rates(place, rows, rows, windows, _joint)
            kinds = [found.text(kind) for kind in ("p", "joint", "any")]
            lines.append([name, f"{rows:,}", f"{rows:,}", *kinds, f"{found.windows['joint']:,}"])
            print(lines[-1], flush=True)
    return tables_of(["table", "reference rows", "window rows", "p <= 0.01", "joint drift", "any", "windows"], lines)


def _joint(number: int) -> Detector:
    def detect(place: World, columns: Columns, scores: NDArray[np.float64]) -> dict[str, bool]:
        found = compared(place, columns, scores, with_joint=True, seed=number)
        p = found.joint.p
        return {"p": p is not None and p <= 0.01, **_alarms(found)}

    return detect


def detection(
    windows: int,
    tables: Sequence[str] = DETECTED,
    sizes: Sequence[int] = SIZES,
    shifts: Sequence[str] = tuple(SHIFTS),
) -> str:
    """A table of the share of windows that ring after each shift of the data, of so many windows each.

    A dash where a table has nothing that a shift could change.
    """
    lines = []
    for name in tables:
        place = population(name)
        for label in shifts:
            row, shift = [name, label], SHIFTS[label]
            void = place.independent and shift is correlation
            if void or shift(np.random.default_rng(0), place.columns, place.labels) is None:
                lines.append([*row, *("-" for _ in sizes), "0"])
                continue
            for n in sizes:
                found = rates(place, REFERENCE_ROWS, n, windows, lambda number: ours(True, number), shift)
                row.append(found.text("any"))
            row.append(f"{windows:,}")
            lines.append(row)
            print(row, flush=True)
    return tables_of(["table", "shift", *(f"{n:,} rows" for n in sizes), "windows each"], lines)
