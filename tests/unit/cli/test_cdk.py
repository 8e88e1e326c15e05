"""The CDK command line: alone with a log, or at a person's terminal when it has to ask."""

from __future__ import annotations

import os
import pty
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from andamio.cli.cloud import cdk
from andamio.cli.console import Step
from andamio.errors import ToolError

NODE = """#!/bin/sh
echo "called with $*"
[ -t 0 ] && echo "there is a terminal" || echo "there is no terminal"
exit ${CODE:-0}
"""


@pytest.fixture(autouse=True)
def _tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that says how it was called, in place of the real one."""
    node = tmp_path / "bin" / "node"
    node.parent.mkdir()
    node.write_text(NODE)
    node.chmod(0o755)
    command = tmp_path / "node_modules" / "aws-cdk" / "bin" / "cdk"
    command.parent.mkdir(parents=True)
    command.touch()
    monkeypatch.setattr(cdk, "REPO", tmp_path)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin" / "python"))
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path / "home"))


def run(folder: Path, *, interactive: bool, code: int = 0) -> None:
    environment = {"PATH": os.environ["PATH"], "CODE": str(code)}
    cdk.run(["deploy", "andamio-heart"], environment, "Deploying", folder=folder, interactive=interactive)


def test_alone_it_has_no_terminal_and_its_lines_go_to_the_log(tmp_path: Path) -> None:
    run(tmp_path, interactive=False)
    logged = cdk.log().read_text()
    assert "there is no terminal" in logged
    assert "--ci" in logged
    assert "cdk deploy" in logged


def test_when_it_asks_the_terminal_is_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = pty.openpty()
    before = os.dup(0)
    try:
        os.dup2(theirs, 0)
        run(tmp_path, interactive=True)
    finally:
        os.dup2(before, 0)
        for each in (ours, theirs, before):
            os.close(each)
    said = capfd.readouterr().out
    assert "there is a terminal" in said
    assert "--ci" not in said, "it would take it that nobody is there to answer"


@pytest.mark.parametrize("interactive", [True, False])
def test_a_failure_is_said(tmp_path: Path, interactive: bool) -> None:
    with pytest.raises(ToolError, match="see the lines above" if interactive else "Deploying failed"):
        run(tmp_path, interactive=interactive, code=1)


def test_without_it_the_way_to_install_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cdk, "REPO", tmp_path / "elsewhere")
    with pytest.raises(ToolError, match="make install"):
        run(tmp_path, interactive=False)


def test_of_two_deploys_at_once_the_second_waits_for_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each begins by emptying cdk.out, from which the other may be reading."""
    inside: list[int] = []
    deepest: list[int] = []
    first_is_in, both_asked = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        inside.append(1)
        deepest.append(len(inside))
        first_is_in.set()
        both_asked.wait(10)
        inside.pop()

    def say(text: str) -> None:
        assert "waiting for it" in text
        both_asked.set()

    monkeypatch.setattr(cdk, "_unattended", slow)
    monkeypatch.setattr(cdk, "note", say)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run, tmp_path, interactive=False)
        assert first_is_in.wait(10)
        second = pool.submit(run, tmp_path, interactive=False)
        first.result(30), second.result(30)
    assert both_asked.is_set()
    assert deepest == [1, 1]


def test_a_deploy_that_is_stopped_leaves_no_cdk_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin" / "node").write_text('#!/bin/sh\necho "$$ runs"\nexec sleep 600\n')
    seen: list[int] = []

    def stopped(self: Step, text: str) -> None:
        seen.append(int(text.split()[-2]))
        raise KeyboardInterrupt

    monkeypatch.setattr(Step, "update", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, interactive=False)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], 0)
