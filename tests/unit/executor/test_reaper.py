"""What is left of functions when their LocalStack is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil

from localstack.executor.reaper import Reaper

from .conftest import MakeEnvironment, invoke, result

REPO = Path(__file__).resolve().parents[3]

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


def test_nothing_outlives_a_localstack_that_was_killed_in_the_middle_of_a_call(tmp_path: Path) -> None:
    ready = tmp_path / "pids"
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "main.py").write_text(textwrap.dedent(HANDLER.format(path=str(ready))))
    parent = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PARENT), str(tmp_path)], cwd=REPO)
    try:
        wait_until(ready.exists)
        children = [psutil.Process(int(pid)) for pid in ready.read_text().split()]
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
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
