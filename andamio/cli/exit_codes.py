"""The end of a command: its exit code and its last message."""

from __future__ import annotations

import sys
import traceback
from datetime import UTC, datetime
from typing import NoReturn

import typer

from andamio.cli.console import fail, note
from andamio.cli.home import home
from andamio.errors import AndamioError

_INTERRUPTED = 130


def run(app: typer.Typer) -> NoReturn:
    """Run a command line to its exit code: 0, 1 for what went wrong, 2 for a wrong command line, 130 for a stop."""
    try:
        code = app(standalone_mode=False)  # Typer hands back the code of an early end, and makes one of Ctrl-C
        if code == _INTERRUPTED:
            note("Stopped. Executions that were started continue: andamio status shows them.")
        sys.exit(code)
    except typer.Abort:
        note("Nothing was changed.")
        sys.exit(_INTERRUPTED)
    except AndamioError as error:
        fail(str(error), error.code)
        sys.exit(1)
    except OSError as error:
        text = {28: "The disk is full: free some space and try again. ", 13: "Not permitted: "}.get(
            error.errno or 0, ""
        )
        fail(f"{text}{error}")
        sys.exit(1)
    except Exception as error:
        usage = getattr(error, "format_message", None)  # how Typer words a wrong command line
        if usage is not None:
            text = usage()
            if text:  # without a command Typer prints the help, and has nothing to add
                fail(f"{text}\n  See: andamio --help")
            sys.exit(2)
        fail(f"Unexpected error: {type(error).__name__}: {error}\n  {_crash_report()}")
        sys.exit(1)


def _crash_report() -> str:
    """Write the traceback of an unexpected error to a file; returns the path, or the text if it cannot be written."""
    crash = home() / "logs" / "crash.log"
    details = f"{datetime.now(UTC).isoformat()} {' '.join(sys.argv)}\n{traceback.format_exc()}"
    try:
        crash.parent.mkdir(parents=True, exist_ok=True)
        crash.write_text(details)
    except OSError:
        return details
    return f"The details are in {crash}"
