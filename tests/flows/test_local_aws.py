"""`andamio.testing` as a person meets it: with a problem folder of their own, and with what goes wrong."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import boto3
import pytest

from andamio.testing import ExecutionFailure, Killed, NetworkRefused, local_aws

REPO = Path(__file__).parents[2]
HEART = REPO / "problems" / "heart"
TINY = """
[problem]
name        = "tiny"
title       = "Tiny"
description = "Is it large?"
target      = "large"
labels      = { no = "Small", yes = "Large" }
positive    = "yes"

[data]
files = ["tiny.csv"]

[features.width]
type = "number"

[features.colour]
type   = "category"
values = ["red", "blue"]

[training]
families = ["logistic_regression"]
trials   = 1
"""
ROWS = [f"{(n * 37) % 200},{'red' if n % 3 else 'blue'},{'yes' if (n * 37) % 200 > 90 else 'no'}" for n in range(200)]


def example() -> str:
    """The test of docs/testing.md."""
    found = re.search(r"```python\n(.*?)```", (REPO / "docs" / "testing.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def outside(file: Path) -> subprocess.CompletedProcess[str]:
    """The tests of a file, run in a process of their own, from a folder that knows nothing of this one."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file.name],
        cwd=file.parent,
        env={
            **os.environ,
            "AWS_PROFILE": "of-a-person",
            "AWS_ENDPOINT_URL": "http://192.0.2.1",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A problem folder as somebody may begin with."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "problem.toml").write_text(TINY)
    (folder / "tiny.csv").write_text("\n".join(["width,colour,large", *ROWS]) + "\n")
    return folder


def test_the_example_of_the_documentation_runs_next_to_a_problem(tmp_path: Path) -> None:
    folder = tmp_path / "heart"
    shutil.copytree(HEART, folder)
    (folder / "test_heart.py").write_text(example())
    done = outside(folder / "test_heart.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{example().count('def test_')} passed" in done.stdout


def test_a_problem_of_ones_own_is_trained_and_asked(tiny: Path) -> None:
    with local_aws(tiny) as aws:
        aws.put("raw/tiny.csv", (tiny / "tiny.csv").read_bytes())
        assert aws.run("etl").output["rows"]["read"] == len(ROWS)
        assert aws.run("train").output["status"] == "promoted"
        reply = aws.request("POST", "/predict", {"features": {"width": 190, "colour": "red"}})
        assert (reply.status, reply.json["label"]) == (200, "yes"), reply.text
        wrong = aws.request("POST", "/predict", {"features": {"width": "wide", "colour": "red"}})
        assert wrong.status == 422
        assert "width" in wrong.text


def test_a_failed_execution_shows_the_state_its_input_and_where_the_handler_failed(tiny: Path) -> None:
    def broken(event: object, context: object) -> None:
        raise ValueError("the disk is square")

    with local_aws(tiny, machines=("etl",)) as aws:
        aws.put("raw/tiny.csv", (tiny / "tiny.csv").read_bytes())
        aws.fake_function("etl", broken)
        with pytest.raises(ExecutionFailure) as failure:
            aws.run("etl", aws.landed("raw/tiny.csv"))
    said = str(failure.value)
    assert "The 'etl' execution ended as FAILED" in said
    assert re.search(r"state that failed: Collect\n +its input: \{\"quiet\": ?0\}", said), said
    assert re.search(rf'File "{re.escape(__file__)}", line \d+, in broken', said), said
    assert "andamio/testing/" not in said, "the harness's own frames say nothing"
    assert said.rstrip().endswith("ValueError: the disk is square")


def test_a_killed_function_is_told_too(tiny: Path) -> None:
    def killed(event: object, context: object) -> None:
        raise Killed("signal: killed")

    with local_aws(tiny, machines=("etl",)) as aws:
        aws.fake_function("etl", killed)
        assert aws.execute("etl").status == "FAILED"


def test_a_machine_that_is_not_deployed_is_named_with_those_that_are(tiny: Path) -> None:
    with (
        local_aws(tiny, machines=("etl",)) as aws,
        pytest.raises(LookupError, match=r"Expected one of etl, started\. Got 'train'"),
    ):
        aws.run("train")


def test_nothing_of_a_person_is_in_reach_and_nothing_is_left_changed(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_PROFILE", "of-a-person")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://192.0.2.1")
    monkeypatch.setenv("ANDAMIO_LAKE", "a-persons-lake")
    before = dict(os.environ), list(sys.path), set(sys.modules), boto3.DEFAULT_SESSION, socket.socket.connect
    with local_aws(tiny, machines=("etl",)) as aws:
        assert boto3.Session().get_credentials().access_key in ("test", "FOOBARKEY")
        assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3"} & set(os.environ)
        assert os.environ["ANDAMIO_LAKE"] == aws.lake.bucket
        os.environ["LEFT_BEHIND"] = "by a test"
    assert dict(os.environ) == before[0]
    assert sys.path == before[1]
    assert "andamio_problem" not in sys.modules
    assert boto3.DEFAULT_SESSION is before[3]
    assert socket.socket.connect is before[4]


def test_no_connection_leaves_this_machine(tiny: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, local_aws(tiny, machines=()):
        with pytest.raises(NetworkRefused, match=r"192\.0\.2\.1:443"):
            socket.create_connection(("192.0.2.1", 443), timeout=1)
        with pytest.raises(NetworkRefused, match=r"example\.com"):
            socket.create_connection(("example.com", 80), timeout=1)
        socket.create_connection(server.getsockname()).close()


def test_what_still_runs_at_the_end_is_waited_for(tiny: Path) -> None:
    entered, over = threading.Event(), threading.Event()
    outlived: list[bool] = []

    with local_aws(tiny, machines=("etl",)) as aws:

        def slow(event: object, context: object) -> dict[str, str]:
            entered.set()
            while not aws.closed:
                threading.Event().wait(0.01)
            outlived.append(over.wait(2))
            return {}

        aws.fake_function("etl", slow)
        aws.start("etl", {})
        assert entered.wait(60)
    over.set()
    assert outlived == [False], "a thread outlived its account, and its credentials"


def test_one_account_at_a_time(tiny: Path) -> None:
    with (
        local_aws(tiny, machines=()),
        pytest.raises(RuntimeError, match="one local_aws at a time"),
        local_aws(tiny, machines=()),
    ):
        pass
    with local_aws(tiny, machines=()):
        pass


def test_without_moto_the_cure_is_told() -> None:
    hidden = textwrap.dedent("""
        import sys
        sys.modules["moto"] = None
        import andamio.testing
    """)
    done = subprocess.run([sys.executable, "-c", hidden], capture_output=True, text=True, check=False)
    assert "andamio.testing needs moto" in done.stderr
    assert "pip install 'moto[" in done.stderr
