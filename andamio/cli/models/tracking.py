"""MLflow while a training is followed: a person is told at once that the step which needs it will wait."""

from __future__ import annotations

import time
from dataclasses import dataclass

from andamio.cli.console import note
from registry import reachable

_SECONDS = 5.0


@dataclass
class TrackingWatch:
    """The local MLflow server by its address; None where it is not ours to start."""

    url: str | None
    _down: bool = False
    _looked: float = float("-inf")

    def look(self) -> None:
        """Check the server at intervals, and print when it stops answering and when it answers again."""
        if self.url is None or time.monotonic() - self._looked < _SECONDS:
            return
        self._looked = time.monotonic()
        down = not reachable.answers(self.url)
        if down and not self._down:
            note(
                f"MLflow does not answer at {self.url}. Training goes on; to record the model it waits for MLflow "
                f"{reachable.WAIT_SECONDS:.0f} s. Start it, in another terminal: andamio up"
            )
        if self._down and not down:
            note("MLflow answers again.")
        self._down = down
