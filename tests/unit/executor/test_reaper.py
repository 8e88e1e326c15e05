"""What is left of functions when their LocalStack is gone."""

from __future__ import annotations

import os
import signal
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from localstack.executor.reaper import Reaper
from localstack.process import Identity, spawn, stop

from .conftest import MakeEnvironment, invoke, result

REPO = Path(__file__).resolve().parents[3]
MARK = "emulator@tests"

PARENT = """
    import sys, time
    from pathlib import Path
    from localstack.executor.bundle import Bundle, link_runtime
    from localstack.executor.call import Call
    from localstack.executor.environment import Environment, Function
    from localstack.executor.reaper import Reaper

    folder = Path(sys.argv[1])
    reaper = Reaper(folder / "environments")
    function = Function(Bundle(folder / "task", link_runtime(folder / "runtime")), "main.handler", 600)
    environment = Environment(function, {}, folder / "environments" / "one", reaper)
    environment.invoke(Call("1", b"null"))
"""

HANDLER = """
    import os, subprocess, time
    def handler(event, context):
        child = subprocess.Popen(["sleep", "600"])
        with open({path!r} + ".part", "w") as file:
            print(os.getpid(), child.pid, file=file)
        os.rename({path!r} + ".part", {path!r})
        time.sleep(600)
"""


def kill(parent: Identity) -> None:
    assert parent.process
    parent.process.kill()


def kill_all_that_is_marked(parent: Identity) -> None:
    """How the local cloud ends a service that does not end by itself: this one ignores what it is asked with."""
    assert not stop(parent, mark=MARK, ask=signal.SIGCONT, patience=0)


@pytest.mark.parametrize("end", [kill, kill_all_that_is_marked])
def test_nothing_outlives_a_localstack_that_was_killed_in_the_middle_of_a_call(
    tmp_path: Path, end: Callable[[Identity], None]
) -> None:
    ready = tmp_path / "pids"
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "main.py").write_text(textwrap.dedent(HANDLER.format(path=str(ready))))
    command = [sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)]
    parent = spawn(command, environment=os.environ, folder=REPO, log=tmp_path / "log", mark=MARK, inherit=None)
    try:
        wait_until(ready.exists)
        children = [psutil.Process(int(pid)) for pid in ready.read_text().split()]
    finally:
        end(parent)
    wait_until(lambda: not any(process.is_running() and process.status() != "zombie" for process in children))
    wait_until(lambda: not (tmp_path / "environments").exists())


def test_a_reaper_that_was_killed_is_replaced_and_knows_the_functions_that_run(
    make: MakeEnvironment, reaper: Reaper
) -> None:
    code = """
        import os
        def handler(event, context):
            return os.getpid()
    """
    environments = [make(code), make(code)]
    first = result(invoke(environments[0]))
    assert reaper.pid is not None
    os.kill(reaper.pid, signal.SIGKILL)
    wait_until(lambda: psutil.Process(reaper.pid).status() == psutil.STATUS_ZOMBIE)
    second = result(invoke(environments[1]))
    reaper.close()
    for pid in (first, second):
        wait_until(lambda pid=pid: not psutil.pid_exists(pid))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
