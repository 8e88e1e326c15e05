"""An execution environment with Lambda's own runtime client, from cold to killed."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from localstack.executor.call import PAYLOAD_BYTES
from localstack.executor.environment import Stopped

from .conftest import MakeEnvironment, error, invoke, result

COUNTER = """
    import os
    calls = 0
    print("loaded")
    def handler(event, context):
        global calls
        calls += 1
        print("called")
        return {"calls": calls, "pid": os.getpid(), "event": event}
"""


def test_the_first_call_starts_the_process_and_the_next_one_finds_it_warm(make: MakeEnvironment) -> None:
    environment = make(COUNTER)
    environment.start()
    cold, warm = invoke(environment, {"n": 1}), invoke(environment, {"n": 2})
    first, second = result(cold), result(warm)
    assert first == {"calls": 1, "pid": second["pid"], "event": {"n": 1}}
    assert second["calls"] == 2
    assert "Init Duration" in cold.log
    assert "Init Duration" not in warm.log


def test_the_log_of_a_call_is_whole_and_in_lambdas_order(make: MakeEnvironment) -> None:
    environment = make(COUNTER)
    environment.start()
    lines = invoke(environment).log.splitlines()
    assert [line.split()[0] for line in lines] == ["loaded", "START", "called", "END", "REPORT"]
    assert [line.split()[0] for line in invoke(environment).log.splitlines()] == ["START", "called", "END", "REPORT"]


def test_a_handlers_context_says_who_calls_and_how_long_it_may_take(make: MakeEnvironment) -> None:
    environment = make(
        """
        def handler(event, context):
            return [context.invoked_function_arn, context.get_remaining_time_in_millis()]
        """,
        timeout=20,
    )
    arn, left = result(invoke(environment))
    assert arn == "arn:aws:lambda:::function:f"
    assert 0 < left <= 20_000


def test_forty_environments_run_at_once(make: MakeEnvironment, tmp_path: Path) -> None:
    """Each call waits until all forty run, so that they would never end one after the other."""
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    code = f"""
        import os, time
        def handler(event, context):
            open({str(meeting)!r} + f"/{{event}}", "w").close()
            while len(os.listdir({str(meeting)!r})) < 40:
                time.sleep(0.01)
            return os.getpid()
    """
    environments = [make(code, timeout=120) for _ in range(40)]
    with ThreadPoolExecutor(40) as pool:
        outcomes = list(pool.map(invoke, environments, range(40)))
    assert len({result(outcome) for outcome in outcomes}) == 40


@pytest.mark.parametrize(
    ("death", "reason"),
    [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal: 9"), ("os._exit(0)", "without providing")],
)
def test_a_process_that_ends_costs_its_call_and_no_other(make: MakeEnvironment, death: str, reason: str) -> None:
    environment = make(
        f"""
        import os
        def handler(event, context):
            print("last words")
            if event:
                {death}
            return "fine"
        """
    )
    failed = invoke(environment, True)
    assert error(failed)["errorType"] == "Runtime.ExitError"
    assert reason in error(failed)["errorMessage"]
    assert "last words" in failed.log
    assert "Error Type: Runtime.ExitError" in failed.log
    assert result(invoke(environment)) == "fine"


def test_a_process_that_ends_between_two_calls_costs_neither(make: MakeEnvironment) -> None:
    environment = make(COUNTER)
    first = result(invoke(environment))
    os.kill(first["pid"], 9)
    wait_until(lambda: not psutil.pid_exists(first["pid"]))
    second = result(invoke(environment))
    assert second["calls"] == 1
    assert second["pid"] != first["pid"]


def test_a_call_that_a_dead_process_was_handed_is_given_to_the_next(
    make: MakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The moment between the end of a process and the notice of it."""
    over, notice, wait = threading.Event(), threading.Event(), os.waitid

    def late(*arguments: int) -> object:
        ended = wait(*arguments)
        over.set()
        notice.wait(30)
        return ended

    monkeypatch.setattr(os, "waitid", late)
    environment = make(COUNTER)
    first = result(invoke(environment))
    os.kill(first["pid"], 9)
    assert over.wait(30)
    with ThreadPoolExecutor() as pool:
        call = pool.submit(invoke, environment)
        assert environment.worker is not None
        api = environment.worker.api
        wait_until(lambda: api._call is not None)
        notice.set()
        assert result(call.result())["calls"] == 1


def test_a_call_that_takes_too_long_is_killed_with_what_it_started(make: MakeEnvironment, tmp_path: Path) -> None:
    child = tmp_path / "child"
    environment = make(
        f"""
        import subprocess, time
        def handler(event, context):
            if event:
                process = subprocess.Popen(["sleep", "600"])
                open({str(child)!r}, "w").write(str(process.pid))
                time.sleep(600)
            return "fine"
        """,
        timeout=3,
    )
    late = invoke(environment, True)
    assert error(late)["errorType"] == "Sandbox.Timedout"
    assert error(late)["errorMessage"].endswith("Task timed out after 3.00 seconds")
    assert "Task timed out after 3.00 seconds" in late.log
    assert "Status: timeout" in late.log
    assert gone(int(child.read_text()))
    assert result(invoke(environment)) == "fine"


def test_a_module_that_cannot_be_imported_is_told_with_its_log_at_every_call(make: MakeEnvironment) -> None:
    environment = make("import pandas_is_not_in_this_bundle")
    environment.start()
    for _ in range(2):
        failed = invoke(environment)
        assert error(failed)["errorType"] == "Runtime.ImportModuleError"
        assert "pandas_is_not_in_this_bundle" in failed.log
        assert "END RequestId" in failed.log


def test_an_exception_is_the_handlers_reply_and_leaves_the_process_warm(make: MakeEnvironment) -> None:
    environment = make(
        """
        import os
        def handler(event, context):
            if event:
                raise ValueError("not a number")
            return os.getpid()
        """
    )
    before = result(invoke(environment))
    failed = error(invoke(environment, True))
    assert (failed["errorType"], failed["errorMessage"]) == ("ValueError", "not a number")
    assert result(invoke(environment)) == before


def test_six_megabytes_come_and_go_and_one_more_byte_is_refused(make: MakeEnvironment) -> None:
    environment = make(
        """
        def handler(event, context):
            return event if isinstance(event, str) else "x" * event
        """
    )
    largest = "x" * (6 * 1024 * 1024 - 2)
    assert result(invoke(environment, largest)) == largest
    assert len(result(invoke(environment, PAYLOAD_BYTES - 2))) == PAYLOAD_BYTES - 2
    refused = invoke(environment, PAYLOAD_BYTES - 1)
    assert error(refused)["errorType"] == "Function.ResponseSizeTooLarge"
    assert result(invoke(environment, 1)) == "x"


def test_layers_lie_over_each_other_and_under_the_bundle(make: MakeEnvironment, tmp_path: Path) -> None:
    for layer, modules in {"low": ("a", "b", "main"), "high": ("b",)}.items():
        for module in modules:
            file = tmp_path / layer / "python" / f"{module}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"name = {layer!r}")
    environment = make(
        """
        import a, b
        def handler(event, context):
            return [a.name, b.name]
        """,
        layers=(tmp_path / "low", tmp_path / "high"),
    )
    assert result(invoke(environment)) == ["low", "high"]


def test_nothing_is_importable_but_the_bundle_and_what_lambda_provides(make: MakeEnvironment) -> None:
    environment = make(
        """
        import importlib.util
        def handler(event, context):
            return [name for name in event if importlib.util.find_spec(name)]
        """
    )
    names = ["main", "json", "boto3", "botocore", "awslambdaric", "pytest", "numpy", "pydantic", "localstack", "pip"]
    assert result(invoke(environment, names)) == ["main", "json", "boto3", "botocore", "awslambdaric"]


def test_a_process_sees_the_variables_of_its_function_and_none_of_ours(
    make: MakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_CALLER", "1")
    environment = make(
        """
        import os
        def handler(event, context):
            return dict(os.environ)
        """,
        STAGE="dev",
    )
    variables = result(invoke(environment))
    assert variables["STAGE"] == "dev"
    assert "OF_THE_CALLER" not in variables
    assert Path(variables["TMPDIR"]).is_dir()
    assert variables["HOME"] == variables["TMPDIR"]


def test_what_is_printed_beyond_a_limit_is_counted_not_kept(make: MakeEnvironment) -> None:
    environment = make(
        """
        def handler(event, context):
            print("x" * (5 << 20))
        """
    )
    log = invoke(environment).log
    assert len(log) < (4 << 20) + 1000
    assert "bytes more were printed" in log
    assert "REPORT" in log


def test_stopping_waits_for_the_call_that_runs(make: MakeEnvironment, tmp_path: Path) -> None:
    environment = make(waiting(tmp_path))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(invoke, environment)
        wait_for(tmp_path / "started")
        stopping = pool.submit(environment.stop, 30)
        (tmp_path / "go").touch()
        assert result(running.result()) == "fine"
        stopping.result()
    with pytest.raises(Stopped):
        invoke(environment)


def test_stopping_at_once_ends_the_call_that_runs(make: MakeEnvironment, tmp_path: Path) -> None:
    environment = make(waiting(tmp_path))
    with ThreadPoolExecutor() as pool:
        running = pool.submit(invoke, environment)
        wait_for(tmp_path / "started")
        environment.stop()
        assert error(running.result())["errorType"] == "Runtime.ExitError"


def test_stopping_leaves_no_process_no_folder_and_no_thread(make: MakeEnvironment, tmp_path: Path) -> None:
    threads = threading.active_count()
    environment = make(COUNTER)
    pid = result(invoke(environment))["pid"]
    environment.stop()
    assert gone(pid)
    assert list((tmp_path / "environments").iterdir()) == []
    wait_until(lambda: threading.active_count() <= threads)


def waiting(folder: Path) -> str:
    return f"""
        import os, time
        def handler(event, context):
            open({str(folder / "started")!r}, "w").close()
            while not os.path.exists({str(folder / "go")!r}):
                time.sleep(0.01)
            return "fine"
    """


def wait_for(path: Path) -> None:
    wait_until(path.exists)


def wait_until(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> bool:
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    return True
