"""Which port a service listens on: noticed and claimed before anything starts.

A free port is not enough: MLflow binds its port seconds after it was chosen, and a second clone
that starts meanwhile would choose the same. So a port is *claimed* with a lock on a file, and the
service inherits that lock: the claim lives exactly as long as the process that needs it.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from andamio.errors import CommandError
from localstack.home import private_folder
from localstack.process import wait_until

HOST = "127.0.0.1"
TRIES = 100
LOCK_SECONDS = 2.0
ACCEPT_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A free port; `lock` is a file descriptor for the service, to be closed afterwards."""

    port: int
    lock: int

    def close(self) -> None:
        """Release the lock here; a service that inherited it still holds it."""
        os.close(self.lock)


def claim(preferred: int) -> Claim:
    """The preferred port, or the next free one above it; 0 means any port.

    Raises `CommandError` when none of a hundred is free.
    """
    for port in _candidates(preferred):
        # A process that has just ended may hold its lock a moment longer: the port that is wanted is worth the wait.
        lock = _lock(port, LOCK_SECONDS if port == preferred and is_free(port) else 0)
        if lock is None:
            continue
        if is_free(port):
            return Claim(port, lock)
        os.close(lock)
    where = f"{preferred} to {preferred + TRIES - 1}" if preferred else "20000 to 29999"
    raise CommandError(f"No free port on {HOST} from {where}. Stop what listens there, or name another port.")


def is_taken(port: int) -> bool:
    """Whether something accepts connections on that port of the loopback interface now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(ACCEPT_SECONDS)
        return probe.connect_ex((HOST, port)) == 0


def is_free(port: int) -> bool:
    """Whether a service could listen on that port of the loopback interface now."""
    # Binding alone is not proof: where a wildcard address is taken, some systems still let the loopback be bound.
    if is_taken(port):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        # As servers do: connections of a server that has just ended do not keep its port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError:
            return False
    return True


def _candidates(preferred: int) -> Iterator[int]:
    if preferred:
        yield from range(preferred, min(preferred + TRIES, 65536))
    else:
        # Below the range that outgoing connections are given their ports from.
        yield from random.sample(range(20000, 30000), TRIES)


def _lock(port: int, seconds: float) -> int | None:
    file = os.open(private_folder() / f"port-{port}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if wait_until(lambda: _locked(file), seconds):
        return file
    os.close(file)
    return None


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
