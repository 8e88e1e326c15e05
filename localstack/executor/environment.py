"""An execution environment: one function's processes, one after the other, with a folder of their own."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .bundle import PYTHON, Bundle
from .call import Call, Reply, Usage, log_of
from .reaper import Reaper
from .worker import Worker

INIT_SECONDS = 10.0
"""How long Lambda lets a process start before a call has to wait for it."""


@dataclass(frozen=True, slots=True)
class Function:
    """What an environment has to know of its function. `timeout` is in seconds, `memory_size` in MB."""

    bundle: Bundle
    handler: str
    timeout: float
    memory_size: int = 128
    version: str = "$LATEST"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A call's reply, and its log as Lambda would write it."""

    reply: Reply
    log: str


class Stopped(RuntimeError):
    """The environment has been stopped."""


class Environment:
    """Runs one call at a time in a process that is kept for the next; one that has ended is replaced.

    `variables` are all that its processes see, with the ones that say where things are; `folder` is made here and
    removed by `stop`: the log, and `tmp`, which is the function's `TMPDIR`.
    """

    def __init__(self, function: Function, variables: Mapping[str, str], folder: Path, reaper: Reaper) -> None:
        self._function = function
        self._folder = folder
        self._reaper = reaper
        self._worker: Worker | None = None
        self._stopped = False
        self._running = threading.Lock()
        self._starting = threading.Lock()
        scratch = str(folder / "tmp")
        self._variables = {
            "LANG": "en_US.UTF-8",
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "TZ": ":UTC",
            "HOME": scratch,  # else boto3 would read this machine's ~/.aws
            "TMPDIR": scratch,
            **variables,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{PYTHON}",
            "_HANDLER": function.handler,
        }
        Path(scratch).mkdir(parents=True)

    @property
    def worker(self) -> Worker | None:
        """The process that runs, or the last one."""
        return self._worker

    def start(self, seconds: float = INIT_SECONDS) -> None:
        """Start a process, and give it some seconds until it is ready.

        One that is late or cannot start is no error here: the next call says so, with the log. Raises `Stopped`.
        """
        self._ensure().wait_ready(time.monotonic() + seconds)

    def invoke(self, call: Call) -> Outcome:
        """Run one call, in a new process where the last one has ended; raises `Stopped`."""
        with self._running:
            while (outcome := self._run(self._ensure(), call)) is None:
                pass  # a process had ended while it was idle; a new one always has an outcome
            return outcome

    def _run(self, worker: Worker, call: Call) -> Outcome | None:
        started, reused = time.monotonic(), worker.used
        deadline = started + self._function.timeout
        ready = worker.wait_ready(deadline)
        init = worker.output()
        reply = worker.run(call, deadline) if ready else None
        if reply is None:
            if reused and not worker.alive and not (ready and worker.api.taken):
                return None
            reply = worker.failure(call, self._function.timeout)
        usage = Usage(time.monotonic() - started, worker.memory(), worker.take_init_seconds())
        function, output = self._function, worker.output()
        return Outcome(
            reply, log_of(call, function.version, function.memory_size, reply, usage, init=init, output=output)
        )

    def stop(self, drain: float = 0.0) -> None:
        """Let the call that runs end, for at most `drain` seconds; then end the process and remove the folder."""
        self._stopped = True
        idle = self._running.acquire(timeout=drain) if drain > 0 else self._running.acquire(blocking=False)
        with self._starting:
            if self._worker:
                self._worker.kill()
        if not idle:  # its call is told that the process has ended
            self._running.acquire()
        self._running.release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ensure(self) -> Worker:
        with self._starting:
            if self._stopped:
                raise Stopped("The execution environment has been stopped.")
            # One that has ended before its first call is kept: that call says why.
            if self._worker is None or (self._worker.used and not self._worker.alive):
                self._worker = Worker(self._function.bundle, self._variables, self._folder / "log", self._reaper)
            return self._worker
