"""Changes of one pointer from several threads at once, each tried again until it is made."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from andamio.errors import PreconditionFailed, UsageError
from andamio.storage.ports import Objects

TRIES = 1000
"""So often one change is tried: of those that race one is always made, so each is after a few."""


class Met:
    """Objects of one thread, which reads a key first and then waits until the others have read it too."""

    def __init__(self, objects: Objects, key: str, barrier: threading.Barrier) -> None:
        self._objects, self._key, self._barrier = objects, key, barrier
        self._has_met = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._objects, name)

    def get(self, key: str, *arguments: Any, **more: Any) -> Any:
        found = self._objects.get(key, *arguments, **more)
        if key == self._key and not self._has_met:
            self._has_met = True
            self._barrier.wait(60)
        return found


def race(
    objects: Objects,
    key: str,
    change: Callable[[Any, random.Random, int], bool],
    *,
    threads: int = 10,
    each: int = 5,
) -> list[str]:
    """Make `threads` x `each` changes; all threads begin on the same state of the object under `key`.

    `change` gets the objects, chance, and the thread's number, and says whether it changed anything. Returns what was
    said to those whose change came second.
    """
    barrier = threading.Barrier(threads)
    refused: list[str] = []

    def made(met: Any, chance: random.Random, number: int) -> bool:
        try:
            return change(met, chance, number)
        except (UsageError, PreconditionFailed) as error:
            refused.append(str(error))
            return False

    def work(number: int) -> None:
        met, chance = Met(objects, key, barrier), random.Random(number)
        for _ in range(each):
            assert any(made(met, chance, number) for _ in range(TRIES)), refused[-1:]

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, number) for number in range(threads)]:
            done.result()
    return refused
