"""A bar for what has a length: bytes that are sent, shards that are scored, parts that are brought."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from andamio.cli.console import err, one_line


class Bar:
    """A bar under way."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def more(self, amount: int = 1) -> None:
        """So much more is done; called from any thread."""
        self._progress.advance(self._task, amount)

    def at(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Say what it is at, and how far."""
        self._progress.update(self._task, description=one_line(text).plain, completed=done, total=total)


@contextmanager
def bar(text: str, total: int | None = None, *, size: bool = False) -> Iterator[Bar]:
    """A bar on a terminal, one line where there is none; `size` says that what is counted are bytes."""
    if not err.is_terminal:
        err.print(f"  {escape(text)} ...")
    progress = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        DownloadColumn() if size else MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with progress:
        yield Bar(progress, progress.add_task(text, total=total))
