"""How a command ends: its exit code, and the last thing that it says."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from andamio.cli import main
from andamio.cli.cloud import local


def _ends(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Any:
    monkeypatch.setattr(sys, "argv", ["andamio", *arguments])
    with pytest.raises(SystemExit) as leave:
        main.main()
    return leave.value.code


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    return tmp_path


def _raising(error: BaseException) -> Any:
    def run(*arguments: str) -> None:
        raise error

    return run


def test_ctrl_c_is_said_and_is_no_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(local, "run", _raising(KeyboardInterrupt()))
    assert _ends(monkeypatch, "up") == 130
    assert "Executions that were started continue" in capsys.readouterr().err


def test_what_was_not_foreseen_ends_in_a_sentence_and_a_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(local, "run", _raising(RuntimeError("[/odd]")))
    assert _ends(monkeypatch, "up") == 1
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "[/odd]" in said
    assert "RuntimeError" in (home / "logs" / "crash.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["version"], 0, ""),
        (["bogus"], 2, "No such command 'bogus'"),
        (["up", "--bogus"], 2, "No such option: --bogus"),
        (["predict", "--set", "age=1"], 1, "Nothing is deployed yet. Run: andamio deploy --problem problems/heart"),
        (["train", "--families", "mlp,random_forrest"], 1, "no family 'random_forrest'. Did you mean random_forest?"),
        (["models", "--problem", "pears"], 1, "andamio deploy --problem problems/pears"),
        (["models", "--problem", "/no/pears"], 1, "andamio deploy --problem /no/pears"),
        (["logs", "nope"], 1, "There is no log 'nope'"),
        (["destroy", "--problem", "/no/pears"], 1, "/no/pears"),
        (["deploy", "--problem", "/no/pears"], 1, "problem.toml"),
    ],
)
def test_a_wrong_command_line_says_what_would_be_right(
    arguments: list[str],
    code: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (_ends(monkeypatch, *arguments) or 0) == code
    assert said in " ".join(capsys.readouterr().err.split())


def test_without_a_command_there_is_help_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ends(monkeypatch) == 2
    said = capsys.readouterr()
    assert "Usage" in said.out
    assert said.err == ""
