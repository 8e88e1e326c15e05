"""The pinned CDK command line, run with the pinned Node."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from andamio.cli.console import done, note, step
from andamio.cli.home import REPO, home
from andamio.errors import ToolError

_TAIL = 25


def run(
    arguments: list[str], environment: dict[str, str], title: str, *, folder: Path = REPO, interactive: bool = False
) -> None:
    """Run the CDK: its output goes to a log, or to the terminal when `interactive`.

    Raises `ToolError` with the last lines of the output when it fails.
    """
    cdk = REPO / "node_modules" / "aws-cdk" / "bin" / "cdk"
    if not cdk.exists():
        raise ToolError("The CDK command line is not installed. Run: make install")
    bin_folder = Path(sys.executable).parent
    environment = environment | {
        "PATH": f"{bin_folder}{os.pathsep}{environment.get('PATH', '')}",
        "ANDAMIO_HOME": str(home()),
        "CDK_DISABLE_VERSION_CHECK": "1",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
    with _alone():
        _run(arguments, environment, title, folder, cdk, interactive=interactive)


def _run(
    arguments: list[str], environment: dict[str, str], title: str, folder: Path, cdk: Path, *, interactive: bool
) -> None:
    shutil.rmtree(home() / "cdk.out", ignore_errors=True)  # the CDK keeps the zips of every synth
    bin_folder = Path(sys.executable).parent
    command = [str(bin_folder / "node"), str(cdk), *arguments, "--output", str(home() / "cdk.out"), "--no-notices"]
    if interactive:
        note(title)
        # With --ci the CDK would not ask.
        if subprocess.call(command, cwd=folder, env=environment):
            raise ToolError(f"{title} failed: see the lines above.")
        done(title)
        return
    _unattended([*command, "--ci"], environment, title, folder)


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of `cdk.out`: each run begins by emptying it, and would take it from under another."""
    lock = home() / "cdk.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("wb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("Another deploy or destroy is under way on this machine: waiting for it.")
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _unattended(command: list[str], environment: dict[str, str], title: str, folder: Path) -> None:
    log().parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    with step(title) as status, log().open("a") as file:
        file.write(f"\n--- {datetime.now(UTC).isoformat(timespec='seconds')} cdk {command[2]}\n")
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        try:
            for line in process.stdout or ():
                file.write(line)
                if line.strip():
                    lines.append(line.rstrip())
                    status.update(f"{title}: {line.strip()}")
            code = process.wait()
        except BaseException:
            # Stopped: nothing may go on creating what the caller is about to delete.
            process.terminate()
            process.wait()
            raise
    if code:
        raise ToolError(
            f"{title} failed:\n  " + "\n  ".join(lines[-_TAIL:]) + f"\nThe whole log: {log()}\n"
            "Fix the cause, then run the same command again: it continues where it stopped."
        )
    done(title)


def log() -> Path:
    """The log file of the CDK."""
    return home() / "logs" / "cdk.log"
