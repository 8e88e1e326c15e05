"""The port of the watch: where its figures go, for alarms and dashboards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Metrics(Protocol):
    """Figures over time."""

    def put(self, values: Mapping[str, float]) -> None:
        """Put figures of this moment, by name; raises `AccessRefused` where it is not allowed."""
