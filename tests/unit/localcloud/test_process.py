"""Processes: found again by identity, stopped for certain, and nobody else's ever touched."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localstack.process import Identity, marked, spawn, stop, wait_until

from .conftest import runs

SLEEPS = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {SLEEPS!r}]); time.sleep(60)"


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    name = f"test@{tmp_path}"
    yield name
    stop(None, mark=name, ask=signal.SIGKILL, patience=1)


@pytest.fixture
def start(tmp_path: Path, mark: str) -> Callable[[str], Identity]:
    def run(program: str) -> Identity:
        return spawn(
            [sys.executable, "-c", program],
            environment=dict(os.environ),
            folder=tmp_path,
            log=tmp_path / "logs" / "test.log",
            mark=mark,
            inherit=None,
        )

    return run


def test_a_recycled_process_id_is_never_killed(start, mark):
    stranger = start(SLEEPS)
    remembered = Identity(stranger.pid, stranger.started - 3600)
    assert not remembered.alive
    assert stop(remembered, mark="somebody else's", ask=signal.SIGTERM, patience=1)
    assert stranger.alive


def test_a_process_that_ended_is_not_alive_even_while_its_parent_has_not_noticed(start):
    ended = start("pass")
    assert wait_until(lambda: not ended.alive, 10)


def test_stopping_asks_first_and_waits_for_the_process_to_end_by_itself(start, mark):
    process = start(SLEEPS)
    assert stop(process, mark=mark, ask=signal.SIGTERM, patience=10)
    assert not runs(process.pid)


def test_a_process_that_does_not_listen_is_killed_when_patience_ends(start, mark, tmp_path):
    process = start(DEAF)
    assert wait_until(lambda: (tmp_path / "logs" / "test.log").read_text() == "ready\n", 10)
    assert not stop(process, mark=mark, ask=signal.SIGTERM, patience=0.2)
    assert not runs(process.pid)


def test_children_of_a_process_that_crashed_are_found_by_their_mark_and_stopped(start, mark):
    parent = start(PARENT)
    assert wait_until(lambda: len(marked(mark)) == 2, 10)
    os.kill(parent.pid, signal.SIGKILL)
    assert wait_until(lambda: not parent.alive, 10)
    assert stop(parent, mark=mark, ask=signal.SIGTERM, patience=1)
    assert marked(mark) == []


def test_the_log_of_the_start_before_is_kept(start, tmp_path):
    log = tmp_path / "logs" / "test.log"
    for text in ("first", "second"):
        start(f"print({text!r})")
        assert wait_until(lambda text=text: log.read_text() == f"{text}\n", 10)
    assert log.with_name("test.log.1").read_text() == "first\n"
