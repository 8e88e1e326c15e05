"""The same windows for Andamio, Evidently and NannyML, each with its defaults.

The tools are installed into environments of their own under `.andamio/watch/`; one that cannot be is left out, and the
table says so.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.watch import tables_of
from benchmarks.watch.alarms import Rates, ours
from benchmarks.watch.population import population, world
from benchmarks.watch.shifts import SHIFTS

SIZES = (200, 1000, 5000)
REFERENCE_ROWS = 1000
TOOLS = {"evidently": ["evidently", "pandas<3"], "nannyml": ["nannyml", "statsmodels", "pandas<3"]}
"""What is installed of each, beside what it asks for itself: releases of pandas that it can be imported with."""
HOME = Path(".andamio/watch")
UV = Path(".andamio/uv/bin/uv")
NOTHING = "nothing moved"


def interpreter(tool: str) -> Path | None:
    """The interpreter that has a tool, installed where it is not; None where that fails."""
    python = HOME / tool / "bin" / "python"
    if not python.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        made = subprocess.run([UV, "venv", "--quiet", "--python", sys.executable, HOME / tool], check=False)
        if made.returncode:
            return None
    done = subprocess.run([UV, "pip", "install", "--quiet", "--python", python, *TOOLS[tool]], check=False)
    return None if done.returncode else python


CASES = (NOTHING, *SHIFTS)


def table(windows: int, sizes: Sequence[int] = SIZES) -> str:
    """The share of windows of heart that ring, by tool, rows and shift; where nothing moved, of three times as many."""
    lines = []
    with tempfile.TemporaryDirectory(prefix="watch-") as folder:
        for rows in sizes:
            drawn: list[tuple[str, Any, Any]] = []
            mine = {name: Rates() for name in CASES}
            for name, number, known, columns in _windows(windows, rows):
                mine[name].add(ours(True, number)(known, columns, known.model.scores(columns)))
                drawn.append((name, known.columns, columns))
            file = Path(folder) / f"{rows}.pickle"
            file.write_bytes(pickle.dumps(drawn))
            found = [_line("Andamio", "any", rows, mine)]
            for tool in TOOLS:
                found += _contestant(tool, file, rows)
            print(*found, sep="\n", flush=True)
            lines += found
    return tables_of(["tool", "alarm", "window rows", *CASES, "windows", "of each shift"], lines)


def _line(tool: str, kind: str, rows: int, found: dict[str, Rates]) -> list[str]:
    drawn = found[NOTHING].windows[kind], max(found[name].windows[kind] for name in SHIFTS)
    return [tool, kind, f"{rows:,}", *(found[name].text(kind) for name in CASES), *(f"{one:,}" for one in drawn)]


def _none(tool: str, why: str, rows: int) -> list[str]:
    return [tool, why, f"{rows:,}", *("-" for _ in CASES), "0", "0"]


def _windows(windows: int, rows: int) -> Iterator[tuple[str, int, Any, Any]]:
    place = population("heart")
    for name, shift in {NOTHING: None, **SHIFTS}.items():
        for number in range(windows * (3 if shift is None else 1)):
            rng = np.random.default_rng([number, REFERENCE_ROWS, rows])
            known = world(place, rng, REFERENCE_ROWS)
            columns, labels = place.draw(rng, rows)
            shifted = (columns, labels) if shift is None else shift(rng, columns, labels)
            if shifted is not None:
                yield name, number, known, shifted[0]


def _contestant(tool: str, file: Path, rows: int) -> list[list[str]]:
    python = interpreter(tool)
    if python is None:
        return [_none(tool, "cannot be installed here", rows)]
    command = [str(python), str(Path(__file__).with_name("contestant.py")), tool, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return [_none(tool, f"failed: {done.stderr.strip().splitlines()[-1][:100]}", rows)]
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    found = {name: Rates() for name in CASES}
    for name, windows in answer["alarms"].items():
        for alarms in windows:
            found[name].add(alarms)
    return [_line(f"{tool} {answer['version']}", kind, rows, found) for kind in found[NOTHING].windows]
