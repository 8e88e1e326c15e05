"""Rules that choose a trial, compared by nested resampling on sixteen real tables.

    python -m benchmarks.training.selection                       # two outer splits of each table, or more: --splits
    python -m benchmarks.training.selection --jobs 2 --splits 4 --write
    python -m benchmarks.training.selection --automl 10           # FLAML as well, on the first split of ten tables

Each split is computed once and kept in `.andamio/selection`: a longer run goes on where a shorter one ended, and other
rules are compared within seconds. The tables are fetched by uv from a package that the project does not need.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from benchmarks.batch import report as page
from benchmarks.training.selection import automl, report, splits
from benchmarks.training.selection.tables import SOURCES, Source


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute what is missing in the cache, and print what each rule would have served."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=2, help="outer splits of each table")
    parser.add_argument("--rows", type=int, default=splits.MOST_TRAIN, help="train rows of a split at most")
    parser.add_argument("--repeats", type=int, default=1, help="how often the folds are drawn")
    parser.add_argument("--jobs", type=int, default=1, help="splits at the same time")
    parser.add_argument("--automl", type=int, default=0, help="tables whose first split FLAML gets as well")
    parser.add_argument("--only-read", action="store_true", help="report what is in the cache")
    parser.add_argument("--write", action="store_true", help="put the tables into RESULTS.md")
    given = parser.parse_args(arguments)
    wanted = [(source, number) for number in range(given.splits) for source in SOURCES]
    if not given.only_read:
        os.environ["OMP_NUM_THREADS"] = "1"
        _compute(wanted, given.rows, given.repeats, given.jobs)
    files = [splits.path(source, number, given.rows) for source, number in wanted]
    text = report.tables([splits.read(file) for file in files if file.exists()])
    print(text)
    contests = [
        automl.contest(source, 0, given.rows)
        for source in SOURCES[: given.automl]
        if not given.only_read or automl.told_file(source, 0, given.rows).exists()
    ]
    beside = report.automl(contests) if contests else ""
    print(beside)
    if given.write:
        page.put("selection", text)
    if given.write and beside:
        page.put("automl", beside)


def _compute(wanted: Sequence[tuple[Source, int]], rows: int, repeats: int, jobs: int) -> None:
    missing = [each for each in wanted if not splits.path(*each, rows).exists()]
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(splits.compute, *each, rows, repeats): each for each in missing}
        for done in as_completed(running):
            source, number = running[done]
            print(f"{source.name}, split {number + 1}: {done.result():.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
