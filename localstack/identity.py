"""The identity of a local cloud: an id made at its first start, kept with its state, answered by the emulator itself.

Account and ARNs are the same in every local cloud, and a port may be anybody's tomorrow. So every
command asks `GET /_andamio/cloud` first: {"cloud": ID, "home": PATH}. `launch.py` loads this file in
the emulator's own environment, so that it knows the standard library alone.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

PATH = "/_andamio/cloud"
ID, HOME = "ANDAMIO_CLOUD_ID", "ANDAMIO_CLOUD_HOME"
"""How the emulator is told what to answer."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def read(file: Path, home: Path) -> str | None:
    """The id that a home's cloud was given; None before its first start, and where the file came from another home."""
    try:
        content = json.loads(file.read_bytes())
        return str(content["cloud"]) if content["home"] == str(home) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure(file: Path, home: Path) -> str:
    """The id of a home's cloud, made now where there is none: a copy of a clone is a cloud of its own."""
    found = read(file, home)
    if found is None:
        found = secrets.token_hex(8)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps({"cloud": found, "home": str(home)}) + "\n")
        part.replace(file)
    return found


def is_ours(said: bytes | None, file: Path, home: Path) -> bool:
    """Whether what an emulator answered is the id of this home's cloud."""
    own = read(file, home)
    try:
        return own is not None and bool(json.loads(said or b"{}")["cloud"] == own)
    except (ValueError, KeyError, TypeError):
        return False


def answer() -> bytes:
    """What the emulator answers; taken out of its environment, which every function would inherit."""
    return json.dumps({"cloud": os.environ.pop(ID, None), "home": os.environ.pop(HOME, None)}).encode()


async def respond(body: bytes, send: Send) -> None:
    """Send the answer, as an ASGI application does."""
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
