"""The disk of the emulator's state: watched while it runs, so that no write is acknowledged that cannot be saved.

ministack answers 200 to a write that it could not save. Here a request that brings data is refused before the disk is
full, and one whose data could not be saved is answered with an error. `launch.py` loads this file in the emulator's own
environment, so that it knows the standard library alone. `GET /_andamio/disk` says how it stands: `Disk.report`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

PATH = "/_andamio/disk"
LEAST = "ANDAMIO_LEAST_FREE_BYTES"
"""How the emulator is told below how much free disk it takes no more data."""
LEAST_BYTES = 256 << 20
CODE = "InsufficientStorage"
STATUS = 507
"""No client of AWS retries at this status: a retry frees no space."""

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SERVICE = re.compile(rb"Credential=[^,]*/([a-z0-9-]+)/aws4_request")
_BRINGS_DATA = re.compile(
    rb"(?i)(?:DynamoDB_\d+\.(?:Put|Update|BatchWrite|TransactWrite)|AWSStepFunctions\.StartExecution)"
)


@dataclass(slots=True)
class Disk:
    """The disk of a folder. `unsaved` says by name what could not be saved last, and why."""

    folder: Path
    least: int = LEAST_BYTES
    unsaved: dict[str, str] = field(default_factory=dict)

    @classmethod
    def told(cls) -> Disk:
        """As the environment says; taken out of it, because every function would inherit it."""
        return cls(Path(os.environ["STATE_DIR"]), int(os.environ.pop(LEAST, LEAST_BYTES)))

    @property
    def free(self) -> int:
        """The free bytes; the folder need not exist yet."""
        there = next(each for each in (self.folder, *self.folder.parents) if each.exists())
        return shutil.disk_usage(there).free

    @property
    def refusal(self) -> str:
        """Why no more data are taken; "" while there is room."""
        for name, reason in list(self.unsaved.items()):
            return (
                f"The local cloud could not save {name}, and takes no more data until it can: {reason}. What was "
                "acknowledged before is safe. Make room on its disk, then run the same command again."
            )
        free = self.free
        if free >= self.least:
            return ""
        return (
            f"The disk of {self.folder} has {free >> 20} MB left, and the local cloud takes no more data below "
            f"{self.least >> 20} MB. What was acknowledged before is safe. Make room, then run the same command again."
        )

    def refuses(self, method: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """Why a request is refused; "" for one that may pass: it reads, deletes, or there is room."""
        found = {name.lower(): value for name, value in headers}
        service = _SERVICE.search(found.get(b"authorization", b""))
        to_s3 = service is not None and service[1] == b"s3" and method in ("PUT", "POST")
        return self.refusal if to_s3 or _BRINGS_DATA.match(found.get(b"x-amz-target", b"")) else ""

    def report(self) -> bytes:
        """{"free", "least": bytes, "refusal": why no more data are taken, or "", "unsaved": {name: why}}."""
        said = {"free": self.free, "least": self.least, "refusal": self.refusal, "unsaved": self.unsaved}
        return json.dumps(said).encode()


async def refuse(why: str, headers: Iterable[tuple[bytes, bytes]], send: Send) -> None:
    """Answer as S3 (XML) or as a service that speaks JSON does."""
    if any(name.lower() == b"x-amz-target" for name, _ in headers):
        body, kind = json.dumps({"__type": CODE, "message": why}).encode(), b"application/x-amz-json-1.0"
    else:
        body = f"<Error><Code>{CODE}</Code><Message>{escape(why)}</Message></Error>".encode()
        kind = b"application/xml"
    head = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": STATUS, "headers": head})
    await send({"type": "http.response.body", "body": body})
