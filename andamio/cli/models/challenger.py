"""The challenger in `andamio status`: how it is tried, and whether anything judges it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from andamio.adapters.aws import Execution
from andamio.release.pointer import Pointer

_STARTS_WITHIN = timedelta(minutes=15)
"""Training starts a trial after it has written the pointer, and retries that for minutes."""


def challenger_rows(pointer: Pointer) -> list[tuple[str, str]]:
    """The challenger, its strategy and since when it is tried; none without a challenger."""
    challenger = pointer.challenger
    if challenger is None:
        return []
    how = f"canary, {pointer.share:.0%} of the records" if pointer.strategy == "canary" else "shadow"
    since = datetime.fromisoformat(challenger.since)
    return [("challenger", f"[yellow]{challenger.release}[/yellow] since {since:%Y-%m-%d %H:%M} UTC ({how})")]


def unjudged_rows(
    pointer: Pointer, executions: Iterable[Execution], now: datetime | None = None
) -> list[tuple[str, str]]:
    """What to do about a trial that no execution of the machine `rollout` judges; none where one does, or will.

    Pass executions that were listed before the pointer was read: one that ends in between has changed the pointer.
    """
    challenger = pointer.challenger
    if challenger is None:
        return []
    found = next((execution for execution in executions if execution.name == pointer.rollout), None)
    if found is not None and found.running:
        return []
    age = (now or datetime.now(UTC)) - datetime.fromisoformat(challenger.since)
    if found is None and age < _STARTS_WITHIN:
        return []
    why = "there is none of that name" if found is None else ended_as(found)
    return [
        ("", f"[red]no execution judges its trial[/red] ({pointer.rollout}: {why}), so it goes on without an end"),
        ("", f"To let it serve: andamio promote {challenger.release}. To withdraw it: andamio rollback"),
    ]


def ended_as(execution: Execution) -> str:
    """How an execution ended, in small letters."""
    return execution.status.lower().replace("_", " ")
