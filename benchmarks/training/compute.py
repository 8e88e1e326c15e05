"""What a trial of each family takes, in a process of its own: the size from which training needs tasks.

    python -m benchmarks.training.compute                          # 20,000 and 100,000 rows
    python -m benchmarks.training.compute 100000 --families gradient_boosting hist_gradient_boosting --write

Seconds are of CPU, for a trial of two repeats of five folds on one thread: one repeat is measured and counted twice.
Memory is the most that the process had, in bytes a cell (a row's feature) beyond what it has with 1,000 rows.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Sequence

from threadpoolctl import threadpool_limits

from benchmarks.batch import report
from benchmarks.training import trials
from training.families.catalog import FAMILIES

SIZES = (20_000, 100_000)
REPEATS = 2
FEATURES = 13
HEAD = "| rows | cells | family | trial, s | memory, MB | bytes a cell |\n|---:|---:|---|---:|---:|---:|"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print CPU seconds and memory of a trial for each size and family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        print(json.dumps(measure(given.rows[0], given.families[0])))
        return
    written = [HEAD]
    for family in given.families:
        empty = _in_a_process(1_000, family)[1]
        for rows in given.rows:
            seconds, most = _in_a_process(rows, family)
            cells = rows * FEATURES
            line = (
                f"| {rows:,} | {cells:,} | {family} | {seconds:.0f} | {most / 2**20:.0f} "
                f"| {(most - empty) / cells:.0f} |"
            )
            written.append(line)
            print(line, flush=True)
    if given.write:
        report.put("compute", "\n".join(written))


def measure(rows: int, family: str) -> tuple[float, int]:
    """CPU seconds of a trial, and the most memory of this process in bytes."""
    contract, body, assigned = trials.version("bench", rows)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        before = time.process_time()
        trials.ours(contract, body, assigned, family)
        seconds = time.process_time() - before
    return seconds * REPEATS, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _in_a_process(rows: int, family: str) -> tuple[float, int]:
    command = [sys.executable, "-m", "benchmarks.training.compute", str(rows), "--families", family, "--child"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    seconds, most = json.loads(said)
    return float(seconds), int(most)


if __name__ == "__main__":
    main()
