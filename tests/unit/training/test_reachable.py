"""A tracking server that does not answer is waited for a while, and then said with what to do."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from andamio.errors import TrainingError
from registry import reachable


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[http.server.HTTPServer]:
    made = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def free_address() -> str:
    with http.server.HTTPServer(("127.0.0.1", 0), Answers) as gone:
        return f"http://127.0.0.1:{gone.server_port}"


def test_whatever_speaks_http_there_is_an_answer_and_what_is_no_address_is_not_asked(
    server: http.server.HTTPServer,
) -> None:
    assert reachable.answers(f"http://127.0.0.1:{server.server_port}/")
    assert not reachable.answers(free_address())
    for uri in ("sqlite:///mlflow.db", "arn:aws:sagemaker:eu-west-1:1:mlflow-app/app"):
        assert reachable.answers(uri)


def test_one_that_does_not_answer_is_given_up_within_two_minutes_with_what_to_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with pytest.raises(TrainingError, match=r"does not answer.*is kept.*andamio up.*start training again"):
        reachable.wait(free_address(), sleep=sleep, clock=lambda: now[0])
    assert 60 <= now[0] <= 120
    assert "MLflow does not answer at http://127.0.0.1" in capsys.readouterr().out


def test_one_that_comes_up_meanwhile_is_used(server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    came = iter([False, False, True])
    monkeypatch.setattr(reachable, "answers", lambda uri: next(came))
    slept: list[float] = []
    reachable.wait("http://127.0.0.1:1", sleep=slept.append, clock=lambda: 0.0)
    assert len(slept) == 2
