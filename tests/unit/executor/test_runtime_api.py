"""The Runtime API as a process sees it that keeps to no rules."""

from __future__ import annotations

import http.client
import time

import pytest

from localstack.executor.call import Call
from localstack.executor.runtime_api import RuntimeApi

PREFIX = "/2018-06-01/runtime"


@pytest.fixture
def api():
    api = RuntimeApi()
    yield api
    api.close()


def ask(api: RuntimeApi, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(api.address, timeout=10)
    try:
        connection.request(method, PREFIX + path, body)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def soon() -> float:
    return time.monotonic() + 10


def test_only_the_first_reply_to_the_call_that_runs_counts(api: RuntimeApi) -> None:
    api.hand(Call("one", b"{}"), 10)
    assert ask(api, "GET", "/invocation/next") == (200, b"{}")
    assert ask(api, "POST", "/invocation/another/response", b"1")[0] == 400
    assert ask(api, "POST", "/invocation/one/response", b"2")[0] == 202
    assert ask(api, "POST", "/invocation/one/error", b"3")[0] == 400
    reply = api.wait_reply(time.monotonic() + 0.1)
    assert reply is not None
    assert (reply.payload, reply.is_error) == (b"2", False)
    assert ask(api, "POST", "/invocation/one/response", b"4")[0] == 400


def test_a_reply_counts_when_the_process_asks_for_its_next_call(api: RuntimeApi) -> None:
    """Until then it may still print."""
    api.hand(Call("one", b"{}"), 10)
    ask(api, "GET", "/invocation/next")
    ask(api, "POST", "/invocation/one/response", b"2")
    deadline = time.monotonic() + 0.2
    assert api.wait_reply(deadline) is not None
    assert time.monotonic() >= deadline


def test_a_request_that_hung_up_takes_no_call(api: RuntimeApi) -> None:
    dead = http.client.HTTPConnection(api.address, timeout=10)
    dead.request("GET", PREFIX + "/invocation/next")
    assert api.wait_idle(soon())
    dead.close()
    api.hand(Call("one", b"{}"), 10)
    assert ask(api, "GET", "/invocation/next")[0] == 200
    assert api.taken


def test_a_call_that_nobody_takes_has_no_reply(api: RuntimeApi) -> None:
    api.hand(Call("one", b"{}"), 10)
    assert api.wait_reply(time.monotonic() + 0.1) is None
    assert not api.taken


def test_the_hook_of_a_restored_snapshot_is_answered(api: RuntimeApi) -> None:
    assert ask(api, "GET", "/restore/next")[0] == 200


def test_another_path_is_not_found(api: RuntimeApi) -> None:
    assert ask(api, "GET", "/elsewhere")[0] == 404
    assert ask(api, "POST", "/invocation")[0] == 404
