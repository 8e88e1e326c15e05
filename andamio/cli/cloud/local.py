"""The local cloud as a separate program: the command line starts and queries it, and never imports it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx

from andamio.cli.home import REPO, cloud, home
from andamio.errors import LocalCloudError, ToolError

_INTERRUPTED = 130
SAVE_PATH = "/_andamio/save"
_SAVE_SECONDS = 60.0
DUMMY = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
_AWS_VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")


def run(*arguments: str) -> None:
    """Run `python -m localstack ...`, with its output on the terminal; raises `ToolError` when it fails."""
    process = subprocess.Popen([sys.executable, "-m", "localstack", *arguments], cwd=REPO, env=_environment())
    try:
        code = process.wait()
    except KeyboardInterrupt:
        process.wait()  # Ctrl-C reached it too
        code = _INTERRUPTED
    if code == _INTERRUPTED:
        sys.exit(code)  # it has said itself what was stopped, and what to do
    if code:
        raise ToolError(f"'localstack {' '.join(arguments)}' failed: see the lines above.")


def up(emulator: str | None = None, *, iam: bool | None = None, docker: bool = False) -> None:
    """Start the local cloud, or what of it does not run; None leaves a running one as it is. Raises `ToolError`."""
    options = [
        *(["--emulator", emulator] if emulator else []),
        *([] if iam is None else ["--iam" if iam else "--no-iam"]),
        *(["--docker"] if docker else []),
    ]
    run("up", *options)


def services() -> dict[str, Any]:
    """The output of `python -m localstack status --json`."""
    reply = subprocess.run(
        [sys.executable, "-m", "localstack", "status", "--json"],
        cwd=REPO,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        content = json.loads(reply.stdout)
    except ValueError:
        raise ToolError(f"The status of the local cloud cannot be read: {reply.stderr.strip()}") from None
    return content if isinstance(content, dict) else {}


def started() -> dict[str, Any]:
    """The record of the local cloud; raises `LocalCloudError` when it was never started."""
    recorded = cloud()
    if recorded is None:
        raise LocalCloudError("The local cloud is not running. Start it with: andamio up")
    return recorded


def save(recorded: dict[str, Any]) -> None:
    """Have the emulator save its state now, so that a crash loses nothing of it; raises `LocalCloudError`.

    LocalStack keeps its state in memory: there is nothing to save.
    """
    if recorded.get("emulator") == "localstack":
        return
    try:
        reply = httpx.post(recorded["endpoint_url"] + SAVE_PATH, timeout=_SAVE_SECONDS, trust_env=False)
        unsaved = reply.raise_for_status().json()["unsaved"]
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise LocalCloudError(
            f"The local cloud has not confirmed that it saved what was deployed ({type(error).__name__}): if it is "
            "killed now, deploy again. Look: andamio status"
        ) from error
    if unsaved:
        raise LocalCloudError(
            f"The local cloud could not save what was deployed: {'; '.join(unsaved.values())}. Look: andamio status"
        )


def aws_environment(recorded: dict[str, Any]) -> dict[str, str]:
    """Environment variables that direct AWS tools to the local cloud only."""
    environment = {name: value for name, value in os.environ.items() if name not in _AWS_VARIABLES}
    endpoint = recorded["endpoint_url"]
    return (
        environment
        | DUMMY
        | {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_REGION": recorded["region"],
            "AWS_DEFAULT_REGION": recorded["region"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    )


def _environment() -> dict[str, str]:
    return dict(os.environ) | {"ANDAMIO_HOME": str(home())}
