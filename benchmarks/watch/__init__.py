"""How often the watch is right: false alarms, detection, and how far it carries. See `docs/monitoring.md`."""

from __future__ import annotations

from collections.abc import Sequence


def tables_of(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])
