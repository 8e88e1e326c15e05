"""An emulator that died or hangs is started again as it was; after a `down` the default is ministack again."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from localstack import cloud as module
from localstack import identity, opencore
from localstack.cloud import EMULATOR, MLFLOW, POSTGRES, Cloud
from localstack.docker import Docker, MlflowBeside, PostgresBeside
from localstack.emulator import Emulator
from localstack.home import Home
from localstack.opencore import OpenCore
from localstack.ports import HOST
from localstack.process import Identity, spawn, stop
from localstack.record import Record

LOCALSTACK, MINISTACK = ("localstack", False, False), ("ministack", True, False)


@dataclass(frozen=True)
class Told(Cloud):
    """A local cloud that notes what it would start: the emulator, whether it enforces IAM, and whether in Docker."""

    said: list[str] = field(default_factory=list)
    starts: list[tuple[str, bool, bool]] = field(default_factory=list)

    def _start(self, record: Record, ports: Mapping[str, int]) -> None:
        if EMULATOR not in record.services:
            self.starts.append((record.emulator, record.iam, record.docker))

    _start_in_docker = _start

    def up_with(self, emulator: str | None = None, *, iam: bool | None = None) -> list[tuple[str, bool, bool]]:
        self.up({}, emulator=emulator, iam=iam)
        return self.starts


@pytest.fixture
def cloud(tmp_path: Path) -> Told:
    said: list[str] = []
    return Told(Home(tmp_path), said.append, said)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Identity]:
    """A process that runs until the test ends."""
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    log = tmp_path / "running.log"
    process = spawn(command, environment={}, folder=tmp_path, log=log, mark="a test", inherit=None)
    yield process
    end(process)


@pytest.fixture
def dead(running: Identity) -> Identity:
    end(running)
    return running


def end(process: Identity) -> None:
    stop(process, mark="a test", ask=signal.SIGKILL, patience=10)


class Slow(BaseHTTPRequestHandler):
    """Answers as LocalStack once it is let go."""

    def do_GET(self) -> None:
        assert isinstance(self.server, Gateway)
        self.server.asked.set()
        self.server.go.wait(60)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Gateway(ThreadingHTTPServer):
    """A gateway that accepts connections, and answers none of them until it is let go."""

    daemon_threads = True
    body = b""

    def __init__(self) -> None:
        super().__init__((HOST, 0), Slow)
        self.asked, self.go = threading.Event(), threading.Event()

    def handle_error(self, *_: object) -> None:
        """Nothing: who asked has left."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02])
        thread.start()
        yield server
        server.go.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REPAIR_SECONDS", 0.1)
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    healthy = OpenCore.healthy
    monkeypatch.setattr(OpenCore, "healthy", lambda service, _=0.1: healthy(service, 0.1))


def recorded(cloud: Told, process: Identity, kind: str, *, iam: bool = False, port: int = 1) -> None:
    """Note that an emulator was started as that process."""
    record = Record(cloud.home, emulator=kind, iam=iam)
    record.add(OpenCore(cloud.home, port) if kind == opencore.KIND else Emulator(cloud.home, port), process, port)


def test_localstack_that_died_is_started_again_and_its_state_is_said_to_be_gone(cloud, dead):
    recorded(cloud, dead, "localstack")
    assert cloud.up_with() == [LOCALSTACK]
    (sentence,) = cloud.said
    assert "LocalStack has ended since it was started: it is started again." in sentence
    assert "is gone" in sentence


def test_ministack_that_died_is_started_again_with_the_choice_of_iam_that_it_had(cloud, dead):
    recorded(cloud, dead, "ministack", iam=False)
    assert cloud.up_with() == [("ministack", False, False)]
    assert "is gone" not in cloud.said[0], "ministack keeps its state"


def test_all_services_that_died_with_localstack_do_not_make_it_ministack(cloud, dead):
    recorded(cloud, dead, "localstack")
    record = Record.read(cloud.home)
    for service in (MlflowBeside(cloud.home, 1), PostgresBeside(cloud.home)):
        record.add(service, dead)
    assert cloud.up_with() == [LOCALSTACK]


@pytest.mark.usefixtures("impatient")
def test_localstack_that_accepts_no_connection_is_stopped_and_started_again(cloud, running):
    recorded(cloud, running, "localstack")
    assert cloud.up_with() == [LOCALSTACK]
    assert not running.alive
    (sentence,) = cloud.said
    assert "LocalStack runs but does not answer: it is started again." in sentence
    assert "is gone" in sentence


@pytest.mark.usefixtures("impatient")
def test_localstack_that_accepts_connections_and_never_answers_is_started_again_in_the_end(cloud, running, gateway):
    recorded(cloud, running, "localstack", port=gateway.server_port)
    assert cloud.up_with() == [LOCALSTACK]
    assert not running.alive
    assert "it may be busy" in cloud.said[0]
    assert "does not answer: it is started again" in cloud.said[1]


def test_localstack_that_is_busy_is_waited_for(cloud, running, gateway, monkeypatch):
    monkeypatch.setattr(module, "REPAIR_SECONDS", 0.1)
    own = identity.ensure(cloud.home.passing_identity, cloud.home.path)
    gateway.body = f'{{"cloud": "{own}"}}'.encode()
    recorded(cloud, running, "localstack", port=gateway.server_port)
    busy = cloud.said.append

    def then_answers(sentence: str) -> None:
        busy(sentence)
        gateway.go.set()

    patient = Told(cloud.home, then_answers, cloud.said, cloud.starts)
    assert patient.up_with() == []
    assert running.alive
    (sentence,) = cloud.said
    assert "LocalStack accepts connections and has not answered" in sentence


def test_another_emulator_on_purpose_takes_the_place_of_one_that_died(cloud, dead):
    recorded(cloud, dead, "localstack")
    assert cloud.up_with("ministack") == [MINISTACK]
    assert "started again" not in cloud.said[0]


def test_permissions_are_enforced_again_where_that_is_asked_for(cloud, dead):
    recorded(cloud, dead, "ministack", iam=False)
    assert cloud.up_with(iam=True) == [MINISTACK]


def test_after_a_down_the_default_is_ministack(cloud, dead):
    recorded(cloud, dead, "localstack")
    cloud.down(purge=False)
    assert cloud.up_with() == [MINISTACK]


def died_in_docker(cloud: Told, dead: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Docker, "stop", lambda *_: True)
    record = Record(cloud.home, emulator="localstack", iam=False, docker=True)
    for service in (PostgresBeside(cloud.home), MlflowBeside(cloud.home, 1), Docker(cloud.home, 1, 1)):
        record.add(service, dead)
    assert set(record.services) == {EMULATOR, POSTGRES, MLFLOW}


def test_localstack_in_docker_that_died_is_started_again_in_docker(cloud, dead, monkeypatch):
    died_in_docker(cloud, dead, monkeypatch)
    assert cloud.up_with() == [("localstack", False, True)]


def test_the_open_core_on_purpose_takes_the_place_of_localstack_in_docker_that_died(cloud, dead, monkeypatch):
    died_in_docker(cloud, dead, monkeypatch)
    assert cloud.up_with("localstack") == [LOCALSTACK]
