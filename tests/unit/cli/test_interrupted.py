"""Ctrl-C while the local cloud starts or stops: one sentence, that of the program that was interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from andamio.cli.cloud import local
from andamio.errors import CommandError

REAL = subprocess.Popen


@pytest.mark.parametrize(("code", "ended"), [(130, SystemExit), (1, CommandError)])
def test_what_was_interrupted_has_said_so_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, ended: type[BaseException]
) -> None:
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: REAL([sys.executable, "-c", f"raise SystemExit({code})"]))
    with pytest.raises(ended) as raised:
        local.run("up")
    if code == 130:
        assert raised.value.code == 130  # type: ignore[attr-defined]
