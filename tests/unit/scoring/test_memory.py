"""A worker's memory does not grow with its shard, and stays below 400 MB."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.releases import ROOT
from tests.unit.scoring.memory_run import MB, write_parquet

pytestmark = pytest.mark.slow

LIMIT = 400
"""MB of resident memory."""
GROWTH = 50


def peak(form: str, megabytes: int, file: Path | None = None) -> float:
    """The most memory, in MB, that scoring such a file took."""
    command = [
        sys.executable,
        "-m",
        "tests.unit.scoring.memory_run",
        form,
        str(megabytes),
        *([str(file)] if file else []),
    ]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    result = json.loads(said.splitlines()[-1])
    assert result["rows"] > megabytes * 1000
    assert (result["rejected"] == result["rows"]) == (form == "poison")
    return result["peak"] * MB / 1e6


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_ten_times_the_text_takes_no_more_memory(form: str) -> None:
    small, large = peak(form, 30), peak(form, 300)
    assert large < LIMIT
    assert large - small < GROWTH


def test_a_large_parquet_file_is_not_held_at_once(tmp_path: Path) -> None:
    small, large = tmp_path / "small.parquet", tmp_path / "large.parquet"
    write_parquet(small, 60 * MB)
    write_parquet(large, 300 * MB)
    least, most = peak("parquet", 60, small), peak("parquet", 300, large)
    assert most < LIMIT
    assert most - least < GROWTH


def test_rows_that_are_wrong_in_every_cell_take_no_more_either() -> None:
    assert peak("poison", 4) < LIMIT
