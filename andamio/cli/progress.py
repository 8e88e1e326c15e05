"""A progress bar: bytes uploaded, shards scored, parts downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from andamio.cli.console import err, one_line


class Bar:
    """A running progress bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def more(self, amount: int = 1) -> None:
        """Advance by `amount`; may be called from any thread."""
        self._progress.advance(self._task, amount)

    def at(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Set the text and the progress."""
        self._progress.update(self._task, description=one_line(text).plain, completed=done, total=total)


@contextmanager
def bar(text: str, total: int | None = None, *, size: bool = False) -> Iterator[Bar]:
    """A bar on a terminal, one line elsewhere; `size` means that bytes are counted."""
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
