"""`cdk deploy` by hand, and `make down`: the local cloud forgets nothing, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from .conftest import COURSE, REPO, Clone, Deployed

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
    clone.ok("demo", "--short")
    assert heart.request("POST", "/predict", json=COURSE).json()["label_text"] == "Heart disease detected"


@pytest.fixture
def other() -> Iterator[Clone]:
    """Another clone's local cloud."""
    home = Path(tempfile.mkdtemp(prefix="andamio-"))
    yield Clone(home)
    done = Clone(home).run("down", "--purge")
    shutil.rmtree(home, ignore_errors=True)
    assert done.code == 0, done.said


def _up(clone: Clone, emulator: int, mlflow: int) -> None:
    """Start a clone's local cloud on certain ports."""
    ports = ("--emulator-port", str(emulator), "--mlflow-port", str(mlflow))
    command = [sys.executable, "-m", "localstack", "up", *ports]
    done = subprocess.run(command, cwd=REPO, env=clone.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def test_another_clones_cloud_on_our_port_is_left_alone_and_ours_is_followed_to_another(
    clone: Clone, other: Clone, heart: Deployed
) -> None:
    ports = _port(heart.outputs["endpoint_url"]), _port(heart.outputs["mlflow_url"])
    clone.ok("down")
    _up(other, *ports)
    for command in (["train", "--no-wait"], ["status"], ["logs", "api"], ["predict", "--set", "age=63"], ["deploy"]):
        done = clone.run(*command)
        assert done.code == 1, command
        assert "Unexpected error" not in done.said
        assert command == ["deploy"] or str(other.home) in done.said, "it is said whose cloud answers"

    # Ours takes other ports; outputs and functions follow without a deploy.
    clone.ok("up")
    moved = clone.deployed("heart")
    assert _port(moved.outputs["endpoint_url"]) != ports[0]
    assert _port(moved.outputs["mlflow_url"]) != ports[1]
    assert moved.request("POST", "/predict", json=COURSE).json()["label_text"] == "Heart disease detected"
    assert moved.outputs["api_url"] in clone.ok("status").out
    assert "up to date" in clone.ok("deploy").said
    clone.ok("train", "--families", "logistic_regression", "--trials", "1")
    latest = max(moved.executions("train"), key=lambda execution: execution.started)
    assert latest.status == "SUCCEEDED", "the function that registers models found MLflow where it is now"

    # And back, where the tests that follow look for it.
    clone.ok("down")
    other.ok("down", "--purge")
    _up(clone, *ports)
    clone.ok("up")
    assert clone.deployed("heart").outputs["api_url"] == heart.outputs["api_url"]
    assert heart.request("POST", "/predict", json=COURSE).status_code == 200
