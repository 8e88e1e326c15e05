"""Where this clone keeps its state: `.andamio/`, or the folder that ANDAMIO_HOME names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from andamio.adapters.aws import Account
from andamio.errors import CommandError

REPO = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The state folder."""
    return Path(os.environ.get("ANDAMIO_HOME") or REPO / ".andamio")


def read_json(file: Path) -> dict[str, Any] | None:
    """A JSON file of ours, or None when it is not there (or was cut short)."""
    try:
        content = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one move: a reader never sees half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(file)


def cloud() -> dict[str, Any] | None:
    """What the local cloud recorded when it was started."""
    return read_json(home() / "cloud.json")


def outputs(problem: str | None = None) -> dict[str, Any]:
    """What the last deploy wrote (of one problem, where it is named); raises `CommandError` before the first."""
    file = home() / "outputs" / f"{problem}.json" if problem else home() / "outputs.json"
    content = read_json(file)
    if content is None:
        what = f"Problem '{problem}' is not" if problem else "Nothing is"
        folder = problem if problem and os.sep in problem else f"problems/{problem or 'heart'}"
        raise CommandError(f"{what} deployed yet. Run: andamio deploy --problem {folder}")
    return content


def account(deployed: dict[str, Any]) -> Account:
    """The account that a deploy went to."""
    return Account(deployed["endpoint_url"] if deployed["emulator"] else None, deployed["region"])
