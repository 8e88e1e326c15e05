from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.own_code import PREPARE, TOML


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A problem folder with a prepare.py."""
    (tmp_path / "problem.toml").write_text(TOML)
    (tmp_path / "prepare.py").write_text(PREPARE)
    return tmp_path
