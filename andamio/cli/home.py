"""The state folder of this clone: `.andamio/`, or the folder that ANDAMIO_HOME names."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from andamio.adapters.aws import Account
from andamio.errors import AccountError

REPO = Path(__file__).resolve().parents[2]


def home() -> Path:
    """The state folder."""
    return Path(os.environ.get("ANDAMIO_HOME") or REPO / ".andamio")


def read_json(file: Path) -> dict[str, Any] | None:
    """The object in a JSON file, or None when the file is missing or not valid JSON."""
    try:
        content = json.loads(file.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(file)


def cloud() -> dict[str, Any] | None:
    """The record of the local cloud (`cloud.json`), or None before the first start."""
    return read_json(home() / "cloud.json")


def account(deployed: dict[str, Any]) -> Account:
    """The account of a deployed system; raises `AccountError` when the credentials belong to another account."""
    if deployed["emulator"]:
        return Account(deployed["endpoint_url"], deployed["region"])
    found = Account(None, deployed["region"])
    now = found.number()
    if now != deployed["account"]:
        raise AccountError(
            f"{deployed['system']} is deployed in AWS account {deployed['account']}, but your credentials belong to "
            "account "
            f"{now}. Nothing was changed. Select the other account (AWS_PROFILE), or deploy here: andamio deploy --aws"
        )
    return found
