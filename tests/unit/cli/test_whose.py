"""Whose cloud answers: another clone's, a stranger's or nobody's is said, and nothing is done."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from andamio.adapters.aws import Account
from andamio.cli import main
from andamio.cli.cloud import addresses, cdk, identity
from andamio.cli.cloud import outputs as deployed
from andamio.cli.home import write_json
from andamio.errors import CommandError

OURS, THEIRS = "0123456789abcdef", "fedcba9876543210"
COMMANDS = (
    ["logs", "api"],
    ["train"],
    ["predict", "--set", "age=63"],
    ["explain", "--set", "age=63"],
    ["ingest"],
    ["batch", "{file}"],
    ["batches"],
    ["feedback", "--prediction", "20261121T100000-0123456789ab-2", "--label", "1"],
    ["monitor"],
    ["lookup", "20261121T100000-0123456789ab-2"],
    ["models"],
    ["promote", "0123456789abcdef"],
    ["rollback"],
    ["approve"],
    ["history"],
    ["check", "--registry"],
    ["report"],
    ["card"],
    ["status"],
    ["deploy"],
    ["destroy", "--yes"],
    ["verify", "--yes"],
)
"""Every command that asks or changes what is deployed."""


class Server:
    """A web server on a port of this machine, which notes what it was asked for."""

    def __init__(self, cloud: dict[str, str] | None) -> None:
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(f"{self.command} {self.path}")
                body = b"<h1>It works</h1>"
                if cloud is not None and self.path == "/_andamio/cloud":
                    body = json.dumps(cloud).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815  (as the library calls them)

            def log_message(self, *args: Any) -> None:
                """Nothing: what it was asked is in `asked`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(cloud: dict[str, str] | None) -> Iterator[Server]:
    server = Server(cloud)
    try:
        yield server
    finally:
        server.close()


def outputs(endpoint: str, **more: Any) -> dict[str, Any]:
    machine = "arn:aws:states:us-east-1:000000000000:stateMachine:andamio-heart"
    return {
        "problem": "heart", "stage": "", "system": "heart", "stack": "andamio-heart", "emulator": True,
        "cloud": OURS, "account": "000000000000", "region": "us-east-1", "endpoint_url": endpoint,
        "api_url": f"{endpoint}/restapis/abc/v1/_user_request_", "api_key": "k", "mlflow_url": "http://127.0.0.1:5000",
        "mlflow_own": True, "buckets": {"lake": "l", "models": "m", "batch": "b"},
        "state_machines": {name: f"{machine}-{name}" for name in ("etl", "train", "batch")},
        "deployed_at": "2026-11-27T00:00:00+00:00", **more,
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def record(home: Path, endpoint: str, **more: Any) -> dict[str, Any]:
    """What `up` wrote down."""
    content = {
        "home": str(home), "cloud": OURS, "endpoint_url": endpoint, "region": "us-east-1",
        "account": "000000000000", "mlflow_url": "http://127.0.0.1:5000", "services": {}, **more,
    }  # fmt: skip
    write_json(home / "cloud.json", content)
    return content


def ends(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["andamio", *arguments])
    with pytest.raises(SystemExit) as leave:
        main.main()
    return leave.value.code


def arguments(command: list[str], folder: Path) -> list[str]:
    file = folder / "patients.csv"
    file.write_text("age\n63\n")
    return [word.replace("{file}", str(file)) for word in command]


@pytest.mark.parametrize("started", [True, False], ids=["up", "stopped"])
@pytest.mark.parametrize("who", ["another clone", "a stranger"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_no_command_does_anything_where_somebody_else_answers(
    command: list[str],
    who: str,
    started: bool,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with serving({"cloud": THEIRS, "home": "/other/.andamio"} if who == "another clone" else None) as server:
        if started:
            record(home, server.url)
        deployed.write(outputs(server.url))
        assert ends(monkeypatch, *arguments(command, tmp_path)) == 1
        asked = set(server.asked)
    said = " ".join(capsys.readouterr().err.split())
    assert asked <= {"GET /_andamio/cloud"}, "it was asked for more than who it is"
    assert "andamio up" in said
    assert "Unexpected error" not in said
    if started or command[0] not in ("deploy", "destroy", "verify"):
        assert asked, "nobody was asked who it is"
        assert OURS in said
        assert str(home) in said
        assert "error code: local-cloud" in said
        assert "Nothing was changed" in said
        assert ("the local cloud of /other/.andamio" in said) == (who == "another clone")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_where_nothing_answers_it_is_said(
    command: list[str], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and not listened on: a connection is refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        record(home, url)
        deployed.write(outputs(url))
        assert ends(monkeypatch, *arguments(command, tmp_path)) == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"Nothing answers at {url}" in said
    assert "andamio up" in said


def test_what_speaks_no_http_is_a_stranger_too(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n")

        threading.Thread(target=greet, daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        record(home, url)
        deployed.write(outputs(url))
        assert ends(monkeypatch, "train") == 1
    assert "not HTTP" in capsys.readouterr().err


def test_a_system_of_a_cloud_that_is_gone_is_to_be_deployed_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving({"cloud": OURS, "home": str(home)}) as server:
        record(home, server.url)
        deployed.write(outputs(server.url, cloud=THEIRS))
        assert ends(monkeypatch, "train") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert f"deployed to another local cloud (id {THEIRS})" in said
    assert "Deploy it here: andamio deploy" in said


def test_status_shows_what_runs_before_it_says_what_is_wrong(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from andamio.cli.cloud import local

    service = {"state": "running", "pid": 7}
    now = {"endpoint_url": "http://127.0.0.1:4999", "mlflow_url": None, "services": {"emulator": service}}
    monkeypatch.setattr(local, "services", lambda: now)
    with serving({"cloud": THEIRS, "home": "/other/.andamio"}) as server:
        record(home, server.url)
        deployed.write(outputs(server.url))
        assert ends(monkeypatch, "status") == 1
    shown = capsys.readouterr()
    assert "http://127.0.0.1:4999" in shown.out
    assert "the local cloud of /other/.andamio" in " ".join(shown.err.split())


def test_outputs_are_printed_all_the_same_with_a_warning(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(None) as server:
        deployed.write(outputs(server.url))
        assert not ends(monkeypatch, "outputs", "--json")
    shown = capsys.readouterr()
    assert json.loads(shown.out)["system"] == "heart"
    assert "These addresses cannot be reached now" in shown.err


def test_when_ports_move_outputs_and_the_function_that_knows_mlflow_follow(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[tuple[str, ...]] = []
    monkeypatch.setattr(Account, "set_variable", lambda account, *said: changed.append((account.endpoint_url, *said)))
    here = {"cloud": OURS, "home": str(home)}
    with serving(here) as server:
        recorded = record(home, server.url, mlflow_url="http://127.0.0.1:5001")
        before = outputs("http://127.0.0.1:4566")
        other = outputs(
            "http://127.0.0.1:4566", problem="fruit", system="fruit", mlflow_own=False, mlflow_url="http://m"
        )
        foreign = outputs("http://127.0.0.1:4566", problem="pears", system="pears", cloud=THEIRS)
        for each in (other, foreign, before):
            deployed.write(each)
        addresses.follow(recorded)
        moved = before | {
            "endpoint_url": server.url,
            "api_url": f"{server.url}/restapis/abc/v1/_user_request_",
            "mlflow_url": "http://127.0.0.1:5001",
        }
        assert deployed.read("local", "heart") == moved == deployed.last_deployed()
        assert deployed.read("local", "pears") == foreign, "another cloud's is left alone"
        fruit = deployed.read("local", "fruit") or {}
        assert (fruit["endpoint_url"], fruit["mlflow_url"]) == (server.url, "http://m")
        wanted = (server.url, "andamio-heart-registry", "ANDAMIO_TRACKING_URI", "http://127.0.0.1:5001")
        assert changed == [wanted]
        addresses.follow(recorded)
        assert changed == [wanted], "nothing to do twice"


def test_a_function_that_cannot_follow_leaves_the_outputs_for_the_next_try(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*said: Any) -> None:
        raise CommandError("no")

    monkeypatch.setattr(Account, "set_variable", refused)
    recorded = record(home, "http://127.0.0.1:4570", mlflow_url="http://127.0.0.1:5001")
    before = deployed.write(outputs("http://127.0.0.1:4566"))
    with pytest.raises(CommandError):
        addresses.follow(recorded)
    assert deployed.read("local", "heart") == before


def test_every_command_that_takes_a_problem_is_held_against_whose_cloud_answers() -> None:
    named = {
        command.callback.__name__.rstrip("_")
        for command in main.app.registered_commands
        if command.callback is not None and "problem" in command.callback.__annotations__
    }
    assert named - {"demo", "outputs"} == {command[0] for command in COMMANDS}, "demo starts the cloud that it needs"
    staged = {
        command.callback.__name__.rstrip("_")
        for command in main.app.registered_commands
        if command.callback is not None and "stage" in command.callback.__annotations__
    }
    assert staged == named - {"demo", "verify"}, "a stage is of no use to the demo, and a verification has its own"


@pytest.fixture(autouse=True)
def _no_cdk(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*said: Any, **more: Any) -> None:
        raise AssertionError("the CDK was called")

    monkeypatch.setattr(cdk, "run", run)


def test_a_cloud_that_does_not_reply_in_time_is_called_busy_and_no_other_server(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(identity, "_SECONDS", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # connections are accepted by the system, and nobody answers
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        record(home, url)
        deployed.write(outputs(url))
        assert ends(monkeypatch, "train") == 1
    said = " ".join(capsys.readouterr().err.split())
    assert "another server" not in said
    assert "Nothing answers" not in said
    assert "did not reply within" in said
    assert "Try again in a minute" in said
    assert OURS in said
