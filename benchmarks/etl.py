"""ETL step by step, each in a process of its own: CPU seconds, and the most memory that it had.

python -m benchmarks.etl                      # 100,000 rows of 13 columns
python -m benchmarks.etl 100000 1000000 --write
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andamio.contract import Contract
from andamio.step import run_step
from benchmarks.batch import generate, report
from benchmarks.batch.folder import PROBLEM, FolderObjects
from etl.steps import STEPS, Etl

SIZES = (100_000,)
HEAD = "| rows | MB of CSV | step | CPU, s | peak, MB | bytes a row |\n|---:|---:|---|---:|---:|---:|"

Said = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print CPU seconds and memory of each step, for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    parser.add_argument("--step", nargs=2, metavar=("FOLDER", "EVENT"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.step:
        print(json.dumps(_step(Path(given.step[0]), json.loads(given.step[1]))))
        return
    written = [HEAD]
    print(HEAD)
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            for line in lines(Path(folder), rows):
                written.append(line)
                print(line, flush=True)
    if given.write:
        report.put("etl", "\n".join(written))


def lines(folder: Path, rows: int) -> Iterator[str]:
    """The table's lines of so many rows, one a step."""
    raw = folder / "raw" / "bench.csv"
    raw.parent.mkdir(parents=True)
    generate.write_csv(raw, rows, labelled=True)
    size = raw.stat().st_size / 1e6
    digest = _in_a_process(folder, {"step": "collect", "event": {}})["input"]
    version = ""
    for name in ("validate", "publish", "report", "commit"):
        fields = {"version": version} if name == "report" else {"input": digest}
        said = _in_a_process(folder, {"step": name, **fields, **({"version": version} if name == "commit" else {})})
        version = said.get("version") or version
        each = (said["peak"] - said["before"]) / rows * 2**20
        yield f"| {rows:,} | {size:,.0f} | {name} | {said['cpu']:.1f} | {said['peak']:,.0f} | {each:,.0f} |"


def _in_a_process(folder: Path, event: Said) -> Said:
    command = [sys.executable, "-m", "benchmarks.etl", "--step", str(folder), json.dumps(event)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: Said = json.loads(done.stdout.splitlines()[-1])
    return said


def _step(folder: Path, event: Said) -> Said:
    """One step in this process: what it returns, with `cpu` seconds, and `peak` MB, of which `before` were there."""
    etl = Etl(FolderObjects(folder), Contract.load(PROBLEM), datetime.now(UTC))
    before, started = _peak(), time.process_time()
    result = run_step(STEPS, etl, event)
    return {**result, "cpu": time.process_time() - started, "before": before, "peak": _peak()}


def _peak() -> float:
    """The most memory that this process had, in MB; `getrusage` would count what its parent had when it began it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return float(status.split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
