"""What a stop leaves in the home."""

from __future__ import annotations

from pathlib import Path

from localstack.cloud import Cloud
from localstack.home import Home
from localstack.process import wait_until


def test_a_stop_takes_unpacked_functions_away_and_does_not_wait_until_they_are_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for folder in (home.scratch / "function", tmp_path / "discarded-by-a-stop-that-was-killed"):
        folder.mkdir(parents=True)
        (folder / "module.py").touch()
    Cloud(home, print).down(purge=False)
    assert not home.scratch.exists()
    assert wait_until(lambda: not home.discarded, 60)


def test_a_purge_returns_when_everything_is_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for folder in (home.scratch, home.state, tmp_path / "discarded-a"):
        folder.mkdir(parents=True)
    Cloud(home, print).down(purge=True)
    assert [it.name for it in tmp_path.iterdir()] == ["cloud.lock"]
