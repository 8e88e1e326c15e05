"""`cdk deploy` by hand, and `make down`: the local cloud forgets nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from .conftest import REPO, Clone, Deployed
from .test_1_demo import COURSE

pytestmark = pytest.mark.e2e


def _runs(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped, as where PID 1 is no init."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_plain_cdk_deploy_works_with_nothing_but_the_endpoint(clone: Clone, heart: Deployed) -> None:
    bin_folder = Path(sys.executable).parent
    kept = {name: value for name, value in clone.env.items() if not name.startswith("AWS_")}
    env = kept | {
        "AWS_ENDPOINT_URL": heart.outputs["endpoint_url"],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": heart.outputs["region"],
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }
    done = subprocess.run(
        [
            REPO / "node_modules" / ".bin" / "cdk",
            "deploy",
            "--require-approval",
            "never",
            "--output",
            clone.home / "out",
        ],
        cwd=REPO,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert heart.request("POST", "/predict", json=COURSE).status_code == 200


def test_down_frees_ports_and_processes_and_up_finds_everything_again(clone: Clone, heart: Deployed) -> None:
    pids = [service["pid"] for service in clone.file("cloud.json")["services"].values()]
    assert all(_runs(pid) for pid in pids)
    clone.ok("down")
    assert not any(_runs(pid) for pid in pids)
    for url in (heart.outputs["endpoint_url"], heart.outputs["mlflow_url"]):
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", int(url.rsplit(":", 1)[1]))) != 0
    clone.ok("demo")
    assert heart.request("POST", "/predict", json=COURSE).json()["label_text"] == "Heart disease detected"
