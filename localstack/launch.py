"""Starts ministack, in its own environment, with two things added: it saves its state as it goes, and says who it is.

On its own ministack saves only when it is asked to end, so a reboot would forget whatever was
deployed since its start, and leave S3 objects (written at once) in buckets of no stack. Here it
saves in quiet moments too: between requests, in the event loop, so that what is saved fits together.
"""

import asyncio
import logging
import runpy
import time
from pathlib import Path
from typing import Any

from ministack import app as ministack  # type: ignore[import-not-found]

QUIET_SECONDS = 2.0
"""A save waits until no request has come for so long ..."""
LATEST_SECONDS = 20.0
"""... but no longer than this after the first change."""

serve = ministack.app
# By its path: nothing of ours is importable here, since functions would see it too.
identity = runpy.run_path(str(Path(__file__).with_name("identity.py")))
WHO = identity["answer"]()


class Gateway:
    """The ASGI application of ministack, and a note of whether anything has changed since the last save."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.last_request = 0.0
        self.changed_since: float | None = None

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Serve one request, or the whole life of the server."""
        if scope["type"] == "lifespan":
            saving = asyncio.create_task(self.keep_saving())
            await serve(scope, receive, send)
            saving.cancel()
            return
        if scope["type"] == "http" and scope["path"] == identity["PATH"]:
            await identity["respond"](WHO, send)
            return
        if scope.get("path", "").startswith("/_ministack/"):
            await serve(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await serve(scope, receive, send)
        finally:
            self.in_flight -= 1
            self.last_request = time.monotonic()
            if scope.get("method") not in ("GET", "HEAD") and self.changed_since is None:
                self.changed_since = self.last_request

    async def keep_saving(self) -> None:
        """Save in every quiet moment that follows a change."""
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            quiet = now - self.last_request >= QUIET_SECONDS
            due = self.changed_since is not None and now - self.changed_since >= LATEST_SECONDS
            if self.changed_since is not None and self.in_flight == 0 and (quiet or due):
                self.changed_since = None
                ministack.save_all(ministack._build_persistence_save_dict())


if __name__ == "__main__":
    logging.getLogger("persistence").setLevel(logging.WARNING)  # a line a service and save, otherwise
    ministack.app = Gateway()
    ministack.main()
