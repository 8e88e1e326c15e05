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


def account(deployed: dict[str, Any]) -> Account:
    """The account that a deploy went to; raises `CommandError` where the credentials are another AWS account's."""
    if deployed["emulator"]:
        return Account(deployed["endpoint_url"], deployed["region"])
    found = Account(None, deployed["region"])
    now = found.number()
    if now != deployed["account"]:
        raise CommandError(
            f"{deployed['system']} is deployed in AWS account {deployed['account']}, and your credentials are those of "
            f"{now}. Nothing was done. Use the other's (AWS_PROFILE), or deploy here: andamio deploy --aws"
        )
    return found
