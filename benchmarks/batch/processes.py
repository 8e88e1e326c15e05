"""Starts contestants and takes their time, CPU and peak memory.

This process stays small, and imports nothing but the standard library: a child's peak memory, as the kernel
counts it, is never less than that of the process that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_IO_THREADS"), "1")
"""For contestants that have a process per core."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What some processes, started together, took: wall and CPU seconds, peak memory of the largest in 10^6 bytes."""

    seconds: float
    cpu: float
    peak_mb: float
    said: tuple[Any, ...] = ()

    def __add__(self, after: Taken) -> Taken:
        """One after the other."""
        return Taken(
            self.seconds + after.seconds,
            self.cpu + after.cpu,
            max(self.peak_mb, after.peak_mb),
            (*self.said, *after.said),
        )


def together(commands: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> Taken:
    """Run commands at the same time and wait for all; `said` is the last line of each, read as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        files, running = Path(folder), []
        started = time.perf_counter()
        for number, command in enumerate(commands):
            with (files / f"{number}.out").open("wb") as out, (files / f"{number}.err").open("wb") as err:
                running.append(
                    subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(environment or {})})
                )
        usages = []
        for number, process in enumerate(running):
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            usages.append(usage)
            if process.returncode:
                with (files / f"{number}.err").open(encoding="utf-8", errors="replace") as err:
                    raise SystemExit(f"{' '.join(commands[number][:4])} ended with {process.returncode}:\n{err.read()}")
        seconds = time.perf_counter() - started
        said = []
        for number in range(len(commands)):
            lines = (files / f"{number}.out").read_text(encoding="utf-8").splitlines()
            said.append(json.loads(lines[-1]) if lines and lines[-1].startswith(("{", "[")) else None)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes, Linux 2^10
    return Taken(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage in usages),
        max(usage.ru_maxrss for usage in usages) * unit / 1e6,
        tuple(said),
    )


def python(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this package on this interpreter."""
    return [sys.executable, "-m", f"benchmarks.batch.{module}", *map(str, arguments)]
