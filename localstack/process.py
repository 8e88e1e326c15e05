"""Detached processes: started with their log, found again by identity, stopped without guessing.

A process id alone says nothing: it is given to somebody else once its process is gone. So an
identity is the id with the moment the process started, and each process carries a *mark* in its
environment (service and home) that its children inherit: by it, what a crash left behind is found.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "ANDAMIO_LOCAL_CLOUD"
POLL_SECONDS = 0.02
CLOCK_TOLERANCE = 1.0
"""Seconds: start times are counted from the boot, whose own time moves a little when the clock is set."""
UNLIST_SECONDS = 2.0
"""Seconds to wait until the system removes an ended process from its list; without a parent that reaps it, it stays."""

# Referenced here, because Python warns when a child is garbage-collected while it runs; these outlive this process.
_children: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Identity:
    """A process, and no other: its id and when it started (seconds since the epoch)."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> Identity:
        """The identity of a process that runs now; raises `psutil.NoSuchProcess`."""
        return cls(pid, psutil.Process(pid).create_time())

    @property
    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended or its id belongs to another process."""
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.started) <= CLOCK_TOLERANCE
            return found if same and found.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return self.process is not None


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path, mark: str, inherit: int | None
) -> Identity:
    """Start a process in a session of its own, which outlives this one.

    Its output goes to `log` (that of the start before is kept, as `.1`), its working directory is
    `folder`, and `inherit` is a file descriptor that it keeps open.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, MARK: mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=() if inherit is None else (inherit,),
        )
    _children.append(child)
    return Identity.of(child.pid)


def detach(command: Sequence[str]) -> None:
    """Start a process that outlives this one, prints nothing, and that nobody waits for."""
    child = subprocess.Popen(
        command,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _children.append(child)


def marked(mark: str) -> list[psutil.Process]:
    """Every process that carries the mark: a service, and the children it has had."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def stop(identity: Identity | None, *, mark: str, ask: signal.Signals, patience: float) -> bool:
    """End a service: ask its process, wait up to `patience` seconds, then kill what still carries its mark.

    Without an identity, everything that carries the mark is asked: what a crash left behind.
    Returns whether it ended by itself, and so had time to save what it knows.
    """
    processes = [process] if identity and (process := identity.process) else marked(mark)
    _signal(processes, ask)
    by_itself = wait_until(lambda: not any(map(_runs, processes)), patience)
    left = [process for process in (*processes, *marked(mark)) if _runs(process)]
    _signal(left, signal.SIGKILL)
    wait_until(lambda: not any(map(_runs, left)), 5)
    wait_until(lambda: not any(map(_listed, (*processes, *left))), UNLIST_SECONDS)
    return by_itself


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition until it holds; False when it does not hold within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _signal(processes: Sequence[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        try:
            process.send_signal(number)  # psutil looks at the start time again before it sends
        except psutil.NoSuchProcess:
            continue


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _listed(process: psutil.Process) -> bool:
    """Whether the system still lists it: a process that has ended is listed until its parent has noticed."""
    for child in _children:
        child.poll()
    return psutil.pid_exists(process.pid)
