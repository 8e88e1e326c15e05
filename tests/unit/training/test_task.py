"""A step as the command of a task, its bootstrap, and what is said of a task that failed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from andamio.contract.own_code import deployed_source
from andamio.errors import AndamioError
from andamio.settings import TrainSettings
from andamio.step import CaughtError
from infra.tasks import bootstrap
from lambdas.train import handler, task
from training.documents import TaskSize
from training.task_failure import failure, log_of

ARN = "arn:aws:ecs:eu-west-1:123456789012:task/andamio-heart-train/0123456789abcdef"


def said(error: str | None, cause: str | None, lines=(), cpu: str = "2048") -> str:
    size = TaskSize(cpu=cpu, memory="16384")
    return failure(CaughtError(error=error, cause=cause), size, lambda group, stream: list(lines)).why


def ended(**fields) -> str:
    described = {"TaskArn": ARN, "Containers": [{"Name": "step", "ExitCode": 1}], **fields}
    return json.dumps(described)


@pytest.mark.parametrize(
    ("arguments", "event"),
    [
        (["trial", "r1", "t1", "3"], {"step": "trial", "run": "r1", "trial": "t1", "round": 3}),
        (["fit", "r1"], {"step": "fit", "run": "r1"}),
        (["evaluate", "r1"], {"step": "evaluate", "run": "r1"}),
    ],
)
def test_a_command_is_the_event_of_the_functions_step(monkeypatch, arguments, event):
    seen = []
    monkeypatch.setattr(task, "logged_step", lambda steps, connect, event, *_: seen.append((steps, event)))
    assert task.main(arguments) == 0
    assert seen == [(handler.STEPS, event)]


@pytest.mark.parametrize("arguments", [["plan", "r1"], ["decide", "r1"], ["fit"], ["trial", "r1", "t1"], []])
def test_what_is_no_step_of_a_task_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        task.main(arguments)


def test_an_error_of_a_step_ends_the_process_with_its_words_last(monkeypatch):
    def fails(*_):
        raise AndamioError("there is nothing to fit")

    monkeypatch.setattr(task, "logged_step", fails)
    with pytest.raises(AndamioError, match="nothing to fit"):
        task.main(["fit", "r1"])


def test_a_failure_names_the_step_the_reason_and_the_last_lines_of_the_log():
    overrides = {"ContainerOverrides": [{"Command": ["fit", "r1"]}]}
    why = said("States.TaskFailed", ended(Overrides=overrides, StoppedReason="Essential container exited"), ["a", "b"])
    assert "'fit r1'" in why
    assert "exit code 1; Essential container exited" in why
    assert "/aws/ecs/andamio-heart-train, stream task/step/0123456789abcdef" in why
    assert why.endswith("  a\n  b")


def test_spot_capacity_that_was_taken_back_is_called_that():
    assert "took its spot capacity back" in said("States.TaskFailed", ended(StopCode="SpotInterruption"))


def test_a_container_that_never_started_has_no_exit_code():
    why = said(
        "States.TaskFailed", ended(Containers=[{"Reason": "CannotPullContainerError"}], StopCode="TaskFailedToStart")
    )
    assert "it did not start; CannotPullContainerError" in why
    assert "(nothing)" in why


@pytest.mark.parametrize(
    ("error", "cause", "part"),
    [
        ("States.Timeout", None, "States.Timeout"),
        ("ECS.AmazonECSException", "Capacity is unavailable", "Capacity is unavailable. A task of 2 vCPU"),
        (None, None, "no error was given"),
        ("States.TaskFailed", "[1]", "[1]"),
        ("States.TaskFailed", '{"TaskArn": "x"}', "TaskArn"),
    ],
)
def test_an_error_that_describes_no_task_is_passed_on(error, cause, part):
    assert part in said(error, cause)


@pytest.mark.parametrize(("cpu", "quota"), [("2048", 2), ("8192", 8), ("16384", 16)])
def test_a_task_that_is_not_started_says_which_quota_one_of_its_size_needs(cpu, quota):
    why = said("ECS.AmazonECSException", "You've reached the limit on the number of vCPUs", cpu=cpu)
    assert f"A task of {quota} vCPU needs a quota of at least {quota} vCPU of Fargate" in why
    assert "quota" not in said("States.TaskFailed", "it ended", cpu=cpu)


def test_a_task_that_was_too_slow_is_not_said_to_have_been_refused():
    why = said("States.Timeout", None)
    assert "took longer than a task may" in why
    assert "could not be run" not in why


def test_a_log_is_named_by_cluster_and_task():
    assert log_of(ARN) == ("/aws/ecs/andamio-heart-train", "task/step/0123456789abcdef")


def test_a_task_ends_when_its_time_is_over_whatever_it_does():
    """Sorting holds the interpreter's lock, as a fit in C does: no signal handler of Python's would run."""
    script = "import lambdas.train.task as t; t.main = lambda: [sorted(range(10**7, 0, -1)) for _ in range(1000)]"
    settings = TrainSettings(problem="heart", lake="l", models="m", compute="task", seconds=1, memory_mb=16384)
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; t.command()"],
        env={**os.environ, **settings.as_env()},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 1
    assert "Timeout (0:00:01)!" in done.stderr


@pytest.fixture
def bundle(tmp_path, monkeypatch) -> Path:
    """A bundle in a bucket of moto's, and the variables that name it."""
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "ANDAMIO_BUNDLE": "assets/folder/bundle.zip",
    }.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "made.zip"
    with zipfile.ZipFile(file, "w") as archive:
        for package in ("lambdas", "lambdas/train"):
            archive.writestr(f"{package}/__init__.py", "")
        archive.writestr("lambdas/train/task.py", "import sys; print(sys.argv[1:])")
    monkeypatch.setenv("ANDAMIO_BUNDLE_SHA256", hashlib.sha256(file.read_bytes()).hexdigest())
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="assets")
        s3.put_object(Bucket="assets", Key="folder/bundle.zip", Body=file.read_bytes())
        yield file


def test_the_bootstrap_unpacks_the_bundle_that_was_deployed(bundle, tmp_path):
    folder = tmp_path / "task"
    folder.mkdir()
    unpacked = bootstrap.fetch(folder)
    done = subprocess.run(
        [sys.executable, "-m", "lambdas.train.task", "fit", "r1"], cwd=unpacked, capture_output=True, text=True
    )
    assert done.stdout.strip() == "['fit', 'r1']"
    assert [path.name for path in folder.iterdir()] == ["bundle"]


def test_the_bootstrap_puts_a_pipeline_beside_the_bundle(bundle, tmp_path, monkeypatch):
    source = b"def pipeline(trial): ...\n"
    monkeypatch.setenv("ANDAMIO_PIPELINE", base64.b64encode(zlib.compress(source)).decode())
    monkeypatch.syspath_prepend(str(bootstrap.fetch(tmp_path)))
    assert deployed_source("pipeline.py") == source
    sys.modules.pop("andamio_code")


def test_the_bootstrap_refuses_another_bundle(bundle, tmp_path, monkeypatch):
    monkeypatch.setenv("ANDAMIO_BUNDLE_SHA256", "0" * 64)
    with pytest.raises(SystemExit, match=r"assets/folder/bundle\.zip is not the bundle that was deployed"):
        bootstrap.fetch(tmp_path)


def test_the_bootstrap_needs_nothing_but_the_standard_library_and_boto3():
    text = Path(bootstrap.__file__).read_text()
    imported = {line.split()[1].split(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imported - set(sys.stdlib_module_names) == {"boto3"}
    assert len(text) < 4096, "it is part of the template, and of each task's description"
