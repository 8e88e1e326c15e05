"""Every folder under problems/ is sound, in a quick form: each is data that nobody here made, but `listings`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from andamio.cli.check.check import check
from andamio.cli.home import REPO
from andamio.contract import Contract

FOLDERS = sorted(path.parent for path in (REPO / "problems").glob("*/problem.toml"))
QUICK = re.compile(r"^families\s*=.*\n", re.MULTILINE)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_problem_is_sound(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / folder.name)
    file, family = copy / "problem.toml", Contract.load(folder).training.families[0]
    text = QUICK.sub("", file.read_text())
    file.write_text(text.replace("[training]\n", f'[training]\nfamilies = ["{family}"]\n'))
    assert Contract.load(copy).training.families == (family,)
    assert check(copy).warnings == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_problem_says_its_source_and_licence_and_is_small(folder: Path) -> None:
    card = next(path for path in (folder / "DATA.md", folder / "README.md") if path.exists()).read_text().lower()
    assert "source" in card
    assert "licence" in card
    assert "todo" not in card
    assert Contract.load(folder).problem.name == folder.name
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 300_000
