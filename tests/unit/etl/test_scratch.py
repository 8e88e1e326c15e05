"""Folders of steps: those of a killed process go, and no step takes another's away."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from etl import staging


def test_steps_of_one_process_do_not_take_each_others_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(staging.tempfile, "tempdir", str(tmp_path))
    missing: list[Path] = []
    start = threading.Barrier(16)

    def step() -> None:
        start.wait()
        for _ in range(60):
            staging.remove_abandoned()
            scratch = staging.Scratch()
            if not scratch.folder.is_dir():
                missing.append(scratch.folder)

    threads = [threading.Thread(target=step) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
