"""What capture holds and costs: lines a second through one function, an hour compacted, a window read, dollars on AWS.

    .venv/bin/python -m benchmarks.serving.capture                     # an hour of 100,000 predictions
    .venv/bin/python -m benchmarks.serving.capture --hour 1000000      # one of a million: minutes
    .venv/bin/python -m benchmarks.serving.capture --hour 1000000 --features 100
    .venv/bin/python -m benchmarks.serving.capture --dollars           # the arithmetic alone

The function is measured without the network: lines are unzipped, checked, zipped again and made into items of the
table. Costs are the prices of `benchmarks.prices` times what was measured here.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from andamio.adapters.dynamodb import DynamoPredictionStore
from andamio.adapters.memory import MemoryObjects
from andamio.contract import Contract
from benchmarks import prices
from benchmarks.batch.folder import FolderObjects
from monitoring.captures import read_window
from monitoring.compaction import compact_hour
from monitoring.delivery import read, store
from tests.support.capture import NOON, PATIENT, RELEASE, delivery, prediction

HEART = Path(__file__).resolve().parents[2] / "problems" / "heart"
PER_DELIVERY = 1_000
HOUR = timedelta(hours=1)

VCPU_OF_FUNCTION = 512 / 1769
"""The function has 512 MB, and a vCPU is 1,769 MB."""
WAITING = 0.06
"""Seconds of a delivery for S3 and DynamoDB: assumed."""


class NoTable:
    """DynamoDB that takes everything at once."""

    def batch_write_item(self, **_: Any) -> Mapping[str, Any]:
        """Take a batch."""
        return {}


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hour", type=int, default=100_000, help="predictions of the hour that is compacted")
    parser.add_argument("--features", type=int, default=0, help="of each of them, all numbers; else heart's 13")
    parser.add_argument("--dollars", action="store_true", help="do not compact")
    parser.add_argument("--compact", nargs=2, help=argparse.SUPPRESS)
    said = parser.parse_args(argv)
    if said.compact:
        _compact(Path(said.compact[0]), said.compact[1], said.features)
        return
    if said.features:
        _hour(said.hour, said.features)
        return
    line = len(json.dumps(prediction(0)))
    print(f"A line of the heart problem has {line} bytes.")
    print(f"Cold start, without boto3: {_cold() * 1000:.0f} ms of CPU more than Python itself (median of 5).")
    rates = {size: _rate(size) for size in (1, 10, 100, PER_DELIVERY)}
    for size, rate in rates.items():
        print(f"Deliveries of {size:>5} lines: {rate:>8,.0f} lines a second on one core")
    for requests, size in ((1, 1), (1000, 100)):
        _dollars(requests, size, line, rates[size])
    if not said.dollars:
        _hour(said.hour)


def _cold() -> float:
    def seconds(script: str) -> float:
        found = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([sys.executable, "-c", script], check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        return median(found)

    return seconds("import lambdas.capture.handler") - seconds("pass")


def _rate(size: int) -> float:
    """Lines a second of CPU, by deliveries of a size."""
    contract, lake = Contract.load(HEART), MemoryObjects("lake")
    table = DynamoPredictionStore("table", client=NoTable())
    count = max(1, 10_000 // size)
    events = [delivery([prediction(at * size + row) for row in range(size)]) for at in range(count)]
    started = time.process_time()
    for event in events:
        store(read(event, contract), contract, lake, table)
    return count * size / (time.process_time() - started)


def _dollars(requests: int, size: int, line: int, rate: float) -> None:
    """Dollars a month at so many requests a second, of so many lines a delivery."""
    deliveries = requests / size
    seconds = size / rate / VCPU_OF_FUNCTION + WAITING
    month = {
        "log lines": requests * line / 1e9 * prices.LOGS_GB,
        "calls": deliveries * prices.LAMBDA_REQUEST,
        "function": deliveries * seconds * 0.5 * prices.LAMBDA_GB_SECOND["x86-64"],
        "S3 puts": deliveries * prices.S3_WRITE,
        "table": requests * 2 * prices.DYNAMODB_WRITE,  # the item, and its entry in the index
    }
    parts = ", ".join(f"{name} {prices.MONTH * cost:,.0f}" for name, cost in month.items())
    print(
        f"{requests:,} requests a second, {size} lines a delivery: {deliveries:,.0f} deliveries a second of "
        f"{seconds * 1000:.0f} ms, {deliveries * seconds:.1f} at once. Dollars a month: "
        f"{prices.MONTH * sum(month.values()):,.0f} ({parts})."
    )


def _contract(features: int) -> Contract:
    """Heart's, or with so many numbers for features."""
    heart = Contract.load(HEART)
    if not features:
        return heart
    made = "".join(f'[features.n{n}]\ntype = "number"\n' for n in range(features))
    return Contract.from_toml(
        '[problem]\nname = "heart"\ntarget = "y"\nlabels = { 0 = "Well", 1 = "Ill" }\n' + made, "problem.toml"
    )


def _record(number: int, features: int) -> Mapping[str, float]:
    if not features:
        return PATIENT
    # Seventeen digits: of what a prediction may hold, that takes most room.
    return {f"n{n}": float(value) for n, value in enumerate(np.random.default_rng(number).random(features))}


def _hour(predictions: int, features: int = 0) -> None:
    """Compact an hour in a process of its own, and read it as a window, with the memory of each."""
    contract = _contract(features)
    with TemporaryDirectory(prefix="capture-") as folder:
        lake, table = FolderObjects(Path(folder)), DynamoPredictionStore("table", client=NoTable())
        for start in range(0, predictions, PER_DELIVERY):
            numbers = range(start, min(predictions, start + PER_DELIVERY))
            lines = [prediction(n, features=_record(n, features)) for n in numbers]
            store(read(delivery(lines), contract), contract, lake, table)
        for what in ("compact", "read"):
            command = [
                *(sys.executable, "-m", "benchmarks.serving.capture", "--compact", folder, what),
                *("--features", str(features)),
            ]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


def _compact(folder: Path, what: str, features: int) -> None:
    contract, lake = _contract(features), FolderObjects(folder)
    scratch, ended, most = folder.with_name(f"{folder.name}-scratch"), threading.Event(), 0

    def look() -> None:
        nonlocal most
        while not ended.wait(0.05):
            most = max(most, _bytes(scratch))

    scratch.mkdir(exist_ok=True)
    tempfile.tempdir = str(scratch)
    looking = threading.Thread(target=look)
    looking.start()
    started, working = time.perf_counter(), time.process_time()
    if what == "compact":
        summary = compact_hour(lake, lambda version: contract, NOON)
        release = summary.releases[0] if summary else None
        did = f"An hour of {release.made:,} predictions compacted, {release.kept:,} kept" if release else "Nothing"
    else:
        window = read_window(lake, contract, RELEASE, NOON, NOON + HOUR)
        did = f"A window of {window.rows_seen:,} predictions read, {window.captured.rows:,} of them kept"
    seconds, cpu = time.perf_counter() - started, time.process_time() - working
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    ended.set()
    looking.join()
    scratch.rmdir()
    print(f"{did}: {seconds:.1f} s, {cpu:.1f} s of CPU, {memory:,.0f} MiB and {most / 2**20:,.0f} MiB of /tmp at most")


def _bytes(folder: Path) -> int:
    """Bytes of the files below a folder, of which some may go meanwhile."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            found += path.stat().st_size
    return found


if __name__ == "__main__":
    main()
