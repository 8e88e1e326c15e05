"""Folders of steps: those of a killed process go, and no step takes another's away."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
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


def test_a_chunk_is_opened_once_and_not_for_each_of_its_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    class Counted(staging.ColumnFile):
        def __init__(self, file: Any) -> None:
            opened.append(file)
            super().__init__(file)

    monkeypatch.setattr(staging, "ColumnFile", Counted)
    chunks = staging.Chunks()
    chunks.add({f"c{place}": np.arange(5.0) for place in range(40)})
    chunks.finish()
    before = len(opened)
    assert all((chunks.read(f"c{place}") == np.arange(5.0)).all() for place in range(40))
    assert len(opened) - before == 1
