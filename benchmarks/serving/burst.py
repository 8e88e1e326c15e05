"""How long a burst of clients waits for the API on the local cloud, when none of its functions is warm.

    .venv/bin/python -m benchmarks.serving.burst

A local cloud of its own is started, heart's stack is deployed, and a small model is put in its place. For a cold start
the API's processes are ended. What counts is a burst against one cold request: a busy machine slows both alike. A
request that fails ends the benchmark.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from time import perf_counter
from typing import Any

import httpx
import psutil

from andamio.adapters.aws import Account
from benchmarks.serving.api import PATIENT
from localstack.process import wait_until
from tests.support.releases import heart, serve

CLIENTS, ROUNDS = 32, 5
REPO = Path(__file__).resolve().parents[2]


def main() -> None:
    """Measure and print."""
    with local_cloud() as (andamio, emulator):
        outputs = deploy(andamio)
        first = [_asked_cold(outputs, emulator, 1)[0] for _ in range(ROUNDS)]
        cold, warm = [], []
        for _ in range(ROUNDS):
            cold.append(_asked_cold(outputs, emulator, CLIENTS))
            warm.append(ask(outputs, CLIENTS))
    alone = statistics.median(first)
    print(f"{'case':<44}{'p50 ms':>10}{'p99 ms':>10}{'of one cold':>14}")
    print(f"{'one client, cold':<44}{alone * 1000:>10.0f}{max(first) * 1000:>10.0f}{1:>14.1f}")
    for name, rounds in (("cold", cold), ("warm", warm)):
        # p99 of so few is the slowest; the middle round is reported, for the machine's neighbours.
        half, slowest = (statistics.median(each) for each in zip(*map(_half_and_slowest, rounds), strict=True))
        said = f"{CLIENTS} clients at once, {name}"
        print(f"{said:<44}{half * 1000:>10.0f}{slowest * 1000:>10.0f}{slowest / alone:>14.1f}")


@contextmanager
def local_cloud(emulator: str = "ministack") -> Iterator[tuple[Callable[..., str], psutil.Process]]:
    """A local cloud of its own: the `andamio` command there, and the emulator's process."""
    home = Path(tempfile.mkdtemp(prefix="andamio-"))  # short: a Unix socket's path may have 107 characters only
    bundles = os.environ.get("ANDAMIO_BUNDLES", str(REPO / ".andamio" / "bundles"))
    environment = {**os.environ, "ANDAMIO_HOME": str(home), "ANDAMIO_BUNDLES": bundles}

    def andamio(*arguments: str) -> str:
        command = [str(Path(sys.executable).with_name("andamio")), *arguments]
        return subprocess.run(command, cwd=REPO, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    try:
        andamio("up", "--emulator", emulator)
        services = json.loads((home / "cloud.json").read_text())["services"]
        yield andamio, psutil.Process(services["emulator"]["pid"])
    finally:
        andamio("down", "--purge")
        shutil.rmtree(home, ignore_errors=True)


def deploy(andamio: Callable[..., str]) -> dict[str, Any]:
    """Deploy heart's stack with a model that serves; returns its outputs."""
    andamio("deploy", "--problem", str(REPO / "problems" / "heart"))
    outputs: dict[str, Any] = json.loads(andamio("outputs", "--json"))
    serve(Account(outputs["endpoint_url"], outputs["region"]).objects(outputs["buckets"]["models"]), heart())
    return outputs


def ask(outputs: dict[str, Any], clients: int) -> list[float]:
    """Send a prediction from so many clients at once; returns seconds that each waited."""
    barrier = Barrier(clients)

    def one(_: int) -> float:
        with httpx.Client(headers={"x-api-key": outputs["api_key"]}, timeout=120) as client:
            barrier.wait()
            started = perf_counter()
            client.post(outputs["api_url"] + "/predict", json={"features": PATIENT}).raise_for_status()
            return perf_counter() - started

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(one, range(clients)))


def _asked_cold(outputs: dict[str, Any], emulator: psutil.Process, clients: int) -> list[float]:
    cool(emulator, outputs["stack"] + "-api-")
    return ask(outputs, clients)


def cool(emulator: psutil.Process, function: str) -> None:
    """End the processes of the functions whose names begin so."""
    running = [process for process in emulator.children() if _name(process).startswith(function)]
    for process in running:
        process.kill()
    # The emulator notices at the next call only, and its child is a zombie until then.
    assert wait_until(lambda: not any(_lives(process) for process in running), 10)


def _name(process: psutil.Process) -> str:
    try:
        return str(process.environ().get("AWS_LAMBDA_FUNCTION_NAME", ""))
    except psutil.Error:
        return ""


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _half_and_slowest(waited: list[float]) -> tuple[float, float]:
    return statistics.median(waited), max(waited)


if __name__ == "__main__":
    main()
