"""A real `mlflow server`, and a record of every request that this process's client sends it."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

_API = re.compile(r"^/(?:ajax-)?api/\d\.\d")
_PATIENCE = 120.0


@dataclass
class Recorder:
    """Method and path of requests, as MLflow's services spell paths: `("GET", "/mlflow/runs/get")`."""

    url: str
    seen: set[tuple[str, str]] = field(default_factory=set)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URL of a server of its own, with its database and artifacts in a folder; it is stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "--host": "127.0.0.1",
        "--port": str(port),
        "--workers": "1",
        "--backend-store-uri": f"sqlite:///{folder}/mlflow.db",
        "--default-artifact-root": (folder / "artifacts").as_uri(),
    }
    url = f"http://127.0.0.1:{port}"
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mlflow", "server", "--no-serve-artifacts", *sum(options.items(), ())],
            env=os.environ
            | {
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "DO_NOT_TRACK": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            },
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + _PATIENCE
        while not _answers(f"{url}/health"):
            assert process.poll() is None, (folder / "server.log").read_text()
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.2)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


@contextmanager
def recording(url: str) -> Iterator[Recorder]:
    """Note every request to a server while this is open."""
    recorder, send = Recorder(url), requests.Session.send

    def noted(session: requests.Session, request: requests.PreparedRequest, **more: object) -> requests.Response:
        asked = urlsplit(str(request.url))
        if str(request.url).startswith(url) and _API.match(asked.path):
            recorder.seen.add((str(request.method), _API.sub("", asked.path)))
        return send(session, request, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(requests.Session, "send", noted)
        yield recorder


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False
