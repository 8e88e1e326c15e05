"""A million rows of thirteen columns, from the dropped file to the served model: every night, for it takes minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from benchmarks.batch import generate
from benchmarks.batch.folder import PROBLEM

from .conftest import Clone, Deployed
from .test_verify import NIGHTLY

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not NIGHTLY, reason="ten minutes of two cores: every night, and in `make e2e`"),
    pytest.mark.timeout(1800),
]

SYSTEM = "bench"
ROWS = 1_000_000
SECONDS = 600
"""From the dropped file to the served model, on two cores that have nothing else to do."""
FUNCTION_MB = 3008
TRAINING = """
[training]
trials   = 12
families = ["logistic_regression", "hist_gradient_boosting"]
repeats  = 1
"""
"""A forest would take hours of a core on so many rows (benchmarks/RESULTS.md, Function or task)."""
ROW = {
    "age": 67, "ca": 3, "chol": 286, "cp": "4", "exang": "1", "fbs": "0", "oldpeak": 1.5, "restecg": "2", "sex": "1",
    "slope": "2", "thal": "3", "thalach": 108, "trestbps": 160,
}  # fmt: skip


@pytest.fixture
def bench(clone: Clone, tmp_path: Path) -> Deployed:
    """The problem of the benchmarks, deployed; its file is not there yet."""
    folder = tmp_path / SYSTEM
    folder.mkdir()
    (folder / "problem.toml").write_text((PROBLEM / "problem.toml").read_text() + TRAINING)
    clone.ok("up")
    clone.ok("deploy", "--problem", str(folder))
    return clone.deployed(SYSTEM)


@contextmanager
def peaks(root: int) -> Iterator[dict[int, float]]:
    """The most memory that each process below this one has had, in MB, as Linux counts it."""
    found: dict[int, float] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            for process in psutil.Process(root).children(recursive=True):
                with suppress(psutil.NoSuchProcess, OSError, StopIteration):
                    status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
                    line = next(line for line in status if line.startswith("VmHWM"))
                    found[process.pid] = int(line.split()[1]) / 1024

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield found
    finally:
        stop.set()
        looking.join()


def test_a_million_rows_are_served_in_ten_minutes(clone: Clone, bench: Deployed, tmp_path: Path) -> None:
    file = tmp_path / "million.csv"
    generate.write_csv(file, ROWS, labelled=True)
    emulator = clone.file("cloud.json")["services"]["emulator"]["pid"]
    started = time.monotonic()
    with peaks(emulator) as memory:
        done = clone.run("ingest", str(file), "--problem", SYSTEM, timeout=2 * SECONDS)
        reply = bench.request("POST", "/predict", json={"features": ROW})
        taken = time.monotonic() - started
    assert done.code == 0, done.said
    assert reply.status_code == 200, reply.text
    print(f"{ROWS:,} rows were served after {taken:.0f} s; the largest process had {max(memory.values()):.0f} MB.")
    assert max(memory.values()) < FUNCTION_MB
    assert taken <= SECONDS
