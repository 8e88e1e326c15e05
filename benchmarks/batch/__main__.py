"""How fast files are scored, against the usual ways.

    python -m benchmarks.batch                # 5 million rows, the curve up to 10 million: most of an hour
    python -m benchmarks.batch --quick        # 1 million rows, no curve: a few minutes, as in `make bench`
    python -m benchmarks.batch --only curve   # one part: contest, linear or curve
    python -m benchmarks.batch --write        # and put the tables into benchmarks/RESULTS.md

What is compared with what, and how, is said there.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.batch import contest, cost, report
from benchmarks.batch.contest import OURS, Arena, Case
from benchmarks.batch.processes import python, together

ROWS, QUICK = 5_000_000, 1_000_000
LARGE, WORKERS = 100_000_000, 1_000
BOOSTED, LINEAR = "gradient_boosting", "logistic_regression"
FORMATS = ("csv", "parquet")


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and write on request."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description="How fast files are scored.")
    parser.add_argument("--rows", type=int, default=0, help=f"rows of the file (default {ROWS:,}; {QUICK:,} if quick)")
    parser.add_argument("--repeat", type=int, default=0, help="runs of each contestant (default 3; 1 if quick)")
    parser.add_argument("--quick", action="store_true", help="the contest alone, with boosted trees")
    parser.add_argument("--only", choices=tuple(PARTS), help="one part alone, with all of its rows")
    parser.add_argument("--write", action="store_true", help="put the tables into benchmarks/RESULTS.md")
    parser.add_argument("--folder", type=Path, help="where the files go: about 4 GB (default: a temporary folder)")
    options = parser.parse_args(arguments)
    rows = options.rows or (QUICK if options.quick else ROWS)
    repeat = options.repeat or (1 if options.quick else 3)
    parts = [options.only] if options.only else list(PARTS)[: 1 if options.quick else None]

    def show(section: str, text: str) -> None:
        print(f"\n{section}\n\n{text}", flush=True)
        if options.write:
            report.put(section, text)

    show("machine", report.machine())
    for part in parts:
        with tempfile.TemporaryDirectory(prefix="batch-", dir=options.folder) as folder:
            for section, text in PARTS[part](Path(folder), rows, repeat):
                show(section, text)


def boosted(folder: Path, rows: int, repeat: int) -> Iterator[tuple[str, str]]:
    """The contest, and what follows from it."""
    before = report.load()
    arena = Arena.prepare(folder / BOOSTED, BOOSTED, rows)
    found, ceilings = fought(arena, repeat)
    for ending, cases in found.items():
        yield ending, report.contest(rows, cases, ceilings)
    yield "aims", f"{report.aims(rows, found, ceilings)}\n\n{report.circumstances(rows, repeat, before)}"
    yield "where", report.where({ending: shards(arena, ending) for ending in FORMATS})
    yield "agreement", report.agreement(agreements(found))
    yield "aws", report.aws(rate(arena, found["csv"][0]), LARGE, WORKERS)


def linear(folder: Path, rows: int, repeat: int) -> Iterator[tuple[str, str]]:
    """The contest with a model that costs hardly anything."""
    before = report.load()
    found, ceilings = fought(Arena.prepare(folder / LINEAR, LINEAR, rows), repeat)
    tables = [f"{ending}:\n\n{report.contest(rows, cases, ceilings)}" for ending, cases in found.items()]
    yield "linear", "\n\n".join((*tables, report.circumstances(rows, repeat, before)))


def growing(folder: Path, rows: int, repeat: int) -> Iterator[tuple[str, str]]:
    """Our worker alone, from the smallest file to one of twice the rows."""
    before = report.load()
    points = curve(folder, sorted({10_000, 100_000, 1_000_000, 2 * rows}))
    yield "curve", f"{report.curve(points)}\n\n{report.circumstances(2 * rows, 1, before)}"


PARTS = {"contest": boosted, "linear": linear, "curve": growing}


def fought(arena: Arena, repeat: int) -> tuple[dict[str, list[Case]], list[Case]]:
    """Every contestant over both formats and the ceilings, in turns."""
    found = {ending: contest.cases(arena, ending) for ending in FORMATS}
    ceilings = contest.ceilings(arena)
    contest.fight([case for cases in (*found.values(), ceilings) for case in cases], repeat)
    return found, ceilings


def agreements(found: dict[str, list[Case]]) -> dict[tuple[str, str], dict[str, float]]:
    """How far every contestant's answers are from ours."""
    said = {}
    for ending, cases in found.items():
        ours = next(case for case in cases if case.name == OURS)
        for case in cases:
            if case.out != ours.out:
                taken = together([python("agreement", ending, ours.out, case.out)])
                said[ending, case.name] = taken.said[0]
    return said


def shards(arena: Arena, ending: str) -> list[dict[str, Any]]:
    """What our workers noted about each shard."""
    out = arena.folder / "out" / f"andamio-{ending}"
    return [json.loads(file.read_bytes()) for file in sorted(out.glob("batches/*/shards/*.json"))]


def rate(arena: Arena, ours: Case) -> cost.Measured:
    """What a worker does: by the CPU time of a whole batch, for the clock counts whoever else is at work."""
    noted = shards(arena, "csv")
    rows, written = sum(shard["rows"] for shard in noted), sum(shard["bytes"] for shard in noted)
    return cost.Measured(rows / ours.cpu, arena.file("csv").stat().st_size / rows, written / rows)


def curve(folder: Path, sizes: Sequence[int]) -> dict[str, list[tuple[int, Case]]]:
    """Our worker over files of these sizes."""
    points: dict[str, list[tuple[int, Case]]] = {ending: [] for ending in FORMATS}
    for rows in sizes:
        arena = Arena.prepare(folder / f"curve-{rows}", BOOSTED, rows, split=False)
        for ending, found in points.items():
            cases = contest.cases(arena, ending)[:1]
            contest.fight(cases, 1)
            found.append((rows, cases[0]))
        arena.remove()
    return points


if __name__ == "__main__":
    main()
