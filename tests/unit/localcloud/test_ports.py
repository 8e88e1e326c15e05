"""Ports: what is taken is noticed before anything starts, and two clones never choose the same."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from andamio.errors import CommandError
from localstack import ports
from localstack.ports import HOST, claim, is_free


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as server:
        server.bind((HOST, 0))
        server.listen()
        yield server


def test_the_preferred_port_is_used_when_it_is_free():
    first = claim(0)
    first.close()
    again = claim(first.port)
    assert again.port == first.port
    again.close()


def test_a_taken_port_is_passed_over_for_the_next_free_one(listener):
    taken = listener.getsockname()[1]
    assert not is_free(taken)
    claimed = claim(taken)
    assert claimed.port > taken
    assert is_free(claimed.port)
    claimed.close()


def test_a_port_that_another_clone_has_claimed_is_not_free_although_nothing_listens_yet(monkeypatch):
    monkeypatch.setattr(ports, "LOCK_SECONDS", 0.0)
    first = claim(0)
    second = claim(first.port)
    assert second.port != first.port
    first.close()
    second.close()


def test_a_claim_lives_as_long_as_the_process_that_inherited_it(monkeypatch):
    monkeypatch.setattr(ports, "LOCK_SECONDS", 0.0)
    claimed = claim(0)
    with subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(claimed.lock,)
    ) as service:
        claimed.close()
        other = claim(claimed.port)
        assert other.port != claimed.port
        other.close()
        service.communicate(b"\n")
    again = claim(claimed.port)
    assert again.port == claimed.port
    again.close()


def test_no_port_at_all_is_an_error_that_names_the_range(monkeypatch, listener):
    monkeypatch.setattr(ports, "TRIES", 1)
    taken = listener.getsockname()[1]
    with pytest.raises(CommandError, match=f"from {taken} to {taken}"):
        claim(taken)
