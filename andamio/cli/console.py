"""The terminal: one console for results (stdout), one for progress and errors (stderr)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.text import Text

_WIDE = 160
"""Columns where there is no terminal: a table in a file or a pipe is not folded."""


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    return console


_SPINNER = 3
"""Columns that a spinner takes, and one that keeps the cursor on its line."""


out = _console(stderr=False)
err = _console(stderr=True)


def done(text: str) -> None:
    """Print a finished step."""
    err.print(f"[green]✓[/green] {escape(text)}")


def note(text: str) -> None:
    """Print a note."""
    err.print(f"[dim]{escape(text)}[/dim]")


def fail(text: str, code: str = "") -> None:
    """Print an error, with its code (docs/errors.md) on a line of its own."""
    err.print(f"[red]✗[/red] {escape(text)}")
    if code:
        err.print(f"  [dim]error code: {escape(code)}[/dim]")


class Step:
    """A running step: one line on a terminal, cut to its width."""

    def __init__(self, status: Status) -> None:
        self._status = status

    def update(self, text: str) -> None:
        """Set the text."""
        self._status.update(one_line(text))


@contextmanager
def step(text: str) -> Iterator[Step]:
    """A running step: a spinner on a terminal, one line elsewhere."""
    if not err.is_terminal:
        err.print(f"  {escape(text)} ...")
    with err.status(one_line(text)) as status:
        yield Step(status)


def one_line(text: str) -> Text:
    """A text without markup, cut to fit beside a spinner."""
    line = Text(" ".join(text.split()))
    line.truncate(max(err.width - _SPINNER, 1), overflow="ellipsis")
    return line


def from_here(path: Path) -> str:
    """A path as the next command takes it: from the working directory where it lies below it, else whole."""
    place = path.resolve()
    return str(place.relative_to(Path.cwd())) if place.is_relative_to(Path.cwd()) else str(place)


def ago(moment: datetime) -> str:
    """A time as an age, such as "5 min ago"."""
    seconds = int((datetime.now(UTC) - moment.astimezone(UTC)).total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{max(seconds, 0)} s ago"
