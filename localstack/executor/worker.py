"""One process of a function: Lambda's own runtime client, served by a Runtime API of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from . import call as calls
from .bundle import Bundle
from .call import Call, Reply
from .reaper import Reaper
from .runtime_api import RuntimeApi

LOG_BYTES = 4 << 20
"""How much of what one call prints is kept."""


class Worker:
    """A process that runs until it ends by itself or is killed; then another one is needed."""

    def __init__(self, bundle: Bundle, variables: Mapping[str, str], log: Path, reaper: Reaper) -> None:
        self._log = log
        self._read = 0
        self._reaper = reaper
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._code = 0
        self._started = time.monotonic()
        self._init_seconds: float | None = None
        self.used = False
        self.api = RuntimeApi()
        log.unlink(missing_ok=True)
        try:
            # A file, not a pipe: when the process asks for its next call, all that it has printed is there.
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    # -S: nothing that is installed beside this interpreter is importable.
                    [sys.executable, "-S", "-m", "awslambdaric", variables["_HANDLER"]],
                    cwd=bundle.task,
                    env={**variables, **bundle.variables, "AWS_LAMBDA_RUNTIME_API": self.api.address},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except BaseException:
            self.api.close()
            raise
        reaper.watch(self._process.pid)
        threading.Thread(target=self._watch, name=f"function-{self._process.pid}", daemon=True).start()

    @property
    def pid(self) -> int:
        """The process id, which is its group's id too."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return not self.api.closed

    def wait_ready(self, deadline: float) -> bool:
        """Wait until the process asks for a call; False when it has ended, or has not asked by `deadline`."""
        ready = self.api.wait_idle(deadline)
        if ready and self._init_seconds is None:
            self._init_seconds = time.monotonic() - self._started
        return ready

    def run(self, call: Call, deadline: float) -> Reply | None:
        """Hand a call to the process that is ready; None when there is no reply by `deadline`, or the process ends."""
        self.api.hand(call, deadline - time.monotonic())
        return self.api.wait_reply(deadline)

    def failure(self, call: Call, timeout: float) -> Reply:
        """The reply to a call that has none: the process could not start, has ended, or took too long and is killed."""
        if self.alive:
            self.kill()
            return calls.timed_out(call, timeout)
        self._ended.wait()
        if self.api.init_error:
            return Reply(self.api.init_error, is_error=True)
        return calls.exited(call, self._code)

    def take_init_seconds(self) -> float | None:
        """How long the process took until it was ready, the first time that this is asked; then None."""
        seconds = None if self.used else self._init_seconds
        self.used = True
        return seconds

    def output(self) -> str:
        """What the process has printed since this was last asked."""
        with self._log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(self._read)
            text = file.read(min(size - self._read, LOG_BYTES)).decode(errors="replace")
        dropped = size - self._read - LOG_BYTES
        self._read = size
        return text if dropped <= 0 else f"{text}\n[{dropped} bytes more were printed and are not kept]\n"

    def memory(self) -> int | None:
        """The most memory that the process has had at once, in bytes; None where the system does not say."""
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) << 10
        return None

    def kill(self) -> None:
        """End the process and everything that it has started, at once; harmless when it has ended."""
        self._signal()
        self._ended.wait()

    def _signal(self) -> None:
        with self._lock:
            if not self._ended.is_set():
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)

    def _watch(self) -> None:
        """Wait for the end of the process; its group is killed before its id can be given to another process."""
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self._signal()
        with self._lock:
            self._code = self._process.wait()
            self._ended.set()
        self._reaper.forget(self.pid)
        self.api.close()
