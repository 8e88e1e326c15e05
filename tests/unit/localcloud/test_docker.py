"""LocalStack's image by Docker Compose: the file, what is missing, and how it is started and stopped.

There is no Docker here: a program of that name keeps what it is asked, and answers for the containers.
"""

from __future__ import annotations

import json
import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

import psutil
import pytest
import yaml

from localstack import docker
from localstack.home import Home

from .conftest import CommandLine, runs

COMPOSE = yaml.safe_load(docker.COMPOSE.read_text())
FAKE = f"""#!{sys.executable} -S
import json, os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
signal.signal(signal.SIGINT, signal.default_int_handler)  # as Docker: what started it may ignore it
arguments = sys.argv[1:]
with open(os.environ["DOCKER_ASKED"], "a") as asked:
    print(json.dumps(arguments), file=asked)
if arguments == ["info"] and os.environ.get("DOCKER_ENGINE") == "off":
    sys.exit("Cannot connect to the Docker daemon.")
if "down" in arguments and not os.environ.get("LOCALSTACK_AUTH_TOKEN"):
    sys.exit("required variable LOCALSTACK_AUTH_TOKEN is missing a value")
if "down" in arguments and os.environ.get("DOCKER_DOWN") == "fails":
    sys.exit("Cannot connect to the Docker daemon.")
if "up" not in arguments:
    sys.exit()
class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        who = {{"cloud": os.environ["ANDAMIO_CLOUD_ID"], "home": os.environ["ANDAMIO_CLOUD_HOME"]}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(who).encode())
servers = [
    ThreadingHTTPServer(("127.0.0.1", int(os.environ[name])), Answers)
    for name in ("ANDAMIO_EMULATOR_PORT", "ANDAMIO_MLFLOW_PORT")
]
threading.Thread(target=servers[0].serve_forever, daemon=True).start()
try:
    servers[1].serve_forever()
except KeyboardInterrupt:
    pass
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Docker that works, and the file where it keeps what it is asked."""
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(FAKE)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("DOCKER_ASKED", str(tmp_path / "asked"))
    monkeypatch.setenv(docker.TOKEN, "token")
    return tmp_path / "asked"


@pytest.fixture
def home(tmp_path: Path) -> CommandLine:
    return CommandLine(tmp_path / "home")


UP = ("up", "--emulator", "localstack", "--docker", "--emulator-port", "0", "--mlflow-port", "0")


def test_every_port_is_published_on_this_machine_alone() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_token_comes_from_the_environment_and_is_in_no_file() -> None:
    token = COMPOSE["services"]["localstack"]["environment"][docker.TOKEN]
    assert re.fullmatch(r"\$\{LOCALSTACK_AUTH_TOKEN:\?[^}]*\}", token), "Compose refuses to start without it"
    assert "ls-" not in docker.COMPOSE.read_text(), "how a token begins"


def test_every_file_that_is_mounted_is_there() -> None:
    mounts = COMPOSE["services"]["localstack"]["volumes"]
    files = [mount.split(":")[0] for mount in mounts if mount.startswith("./")]
    assert sorted(files) == ["./identity.py", "./ready_in_docker.py"]
    assert all((docker.COMPOSE.parent / file).is_file() for file in files)


def test_mlflow_is_the_one_that_is_installed_here_and_known_by_its_address() -> None:
    mlflow = COMPOSE["services"]["mlflow"]
    assert mlflow["image"].endswith(f":v{version('mlflow')}")
    assert f"{docker.ADDRESS}:*" in mlflow["command"][-1]
    assert mlflow["network_mode"] == "service:localstack", "its address is LocalStack's"


def test_what_is_missing_is_said_at_once_with_the_way_without(home: CommandLine) -> None:
    done = home.run(*UP, PATH=str(home.home), LOCALSTACK_AUTH_TOKEN="")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "there is no command `docker`" in said
    assert "LOCALSTACK_AUTH_TOKEN" in said
    assert "andamio up --emulator localstack" in said


def test_an_engine_that_does_not_answer_is_named_and_nothing_is_started(home: CommandLine, asked: Path) -> None:
    done = home.run(*UP, DOCKER_ENGINE="off")
    assert done.returncode == 1
    assert "Cannot connect to the Docker daemon." in done.stderr
    assert docker.TOKEN not in done.stderr
    assert "up" not in asked.read_text()


def test_only_localstack_runs_in_docker(home: CommandLine, asked: Path) -> None:
    done = home.run("up", "--docker")
    assert done.returncode == 1
    assert "--emulator localstack --docker" in done.stderr


def test_the_containers_are_one_local_cloud_that_starts_and_stops(home: CommandLine, asked: Path) -> None:
    up = home.ok(*UP)
    try:
        assert up["running"]
        assert (up["emulator"], up["docker"], up["iam"]) == ("localstack", True, False)
        assert up["endpoint_url"] == f"http://127.0.0.1:{up['services']['emulator']['port']}"
        assert up["mlflow_url"] == f"http://localhost.localstack.cloud:{up['services']['mlflow']['port']}"
        (pid,) = {service["pid"] for service in up["services"].values()}
        assert home.ok("up")["services"]["emulator"]["pid"] == pid, "a plain up leaves it as it is"
        moved = home.run("up", "--emulator", "ministack")
        assert moved.returncode == 1
        assert "andamio down" in moved.stderr
    finally:
        down = home.ok("down", "--purge")
    assert set(down["stopped"]) == {"emulator", "postgres", "mlflow"}
    assert not runs(pid)
    assert composed(home, asked) == [["up", "--no-color"], ["down"], ["down", "--volumes"]]


def composed(home: CommandLine, asked: Path) -> list[list[str]]:
    """What Compose was asked about the containers of a home."""
    compose = ["compose", "--project-name", Home(home.home).project, "--file", str(docker.COMPOSE)]
    commands = [json.loads(line) for line in asked.read_text().splitlines()]
    return [it[len(compose) :] for it in commands if it[: len(compose)] == compose]


def test_containers_that_outlived_their_compose_are_removed_before_something_else_starts(
    home: CommandLine, asked: Path
) -> None:
    process = psutil.Process(home.ok(*UP)["services"]["emulator"]["pid"])
    process.kill()
    psutil.wait_procs([process], timeout=10)
    try:
        assert home.ok(*UP)["running"]
        assert composed(home, asked) == [["up", "--no-color"], ["down"], ["up", "--no-color"]]
    finally:
        home.ok("down")


def test_containers_that_could_not_be_removed_are_told_and_removed_by_the_next_down(
    home: CommandLine, asked: Path
) -> None:
    home.ok(*UP)
    try:
        failed = home.run("down", DOCKER_DOWN="fails")
        assert failed.returncode == 1
        assert "Cannot connect to the Docker daemon." in failed.stderr
        assert "docker compose --project-name" in failed.stderr
    finally:
        home.ok("down", LOCALSTACK_AUTH_TOKEN="")
    assert composed(home, asked) == [["up", "--no-color"], ["down"], ["down"]]


def test_a_purge_needs_no_docker_where_none_was_used(home: CommandLine, asked: Path) -> None:
    home.ok("down", "--purge", DOCKER_DOWN="fails")
    home.ok("down", "--purge", PATH=str(home.home))
