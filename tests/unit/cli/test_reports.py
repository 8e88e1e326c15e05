"""`andamio report`: the page of a data version, on this machine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import pipeline, reports
from andamio.errors import CommandError
from andamio.storage import layout
from tests.support.datasets import a_current

VERSION, OTHER = "0123456789abcdef", "fedcba9876543210"
DEPLOYED: dict[str, Any] = {"buckets": {"lake": "lake"}}


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryObjects:
    there = MemoryObjects("lake")
    monkeypatch.setenv("ANDAMIO_HOME", str(tmp_path))
    monkeypatch.setattr(reports, "account", lambda deployed: SimpleNamespace(objects=lambda bucket: there))
    return there


def test_the_current_version_is_brought_unless_another_is_named(lake: MemoryObjects, tmp_path: Path) -> None:
    lake.put(layout.CURRENT_DATASET, a_current(VERSION).to_json())
    for version in (VERSION, OTHER):
        lake.put(layout.dataset(version, "report.html"), version.encode())
    assert reports.fetch(DEPLOYED, None, show=False) == str(tmp_path / "reports" / f"{VERSION}.html")
    assert Path(reports.fetch(DEPLOYED, OTHER, show=False)).read_text() == OTHER


@pytest.mark.parametrize(
    ("version", "code", "advice"),
    [
        (None, "no-data", "andamio ingest FILE"),
        (VERSION, "no-data", "Run ETL again"),
        ("../../x", "usage", "Expected 16 hex digits"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_do(
    lake: MemoryObjects, version: str | None, code: str, advice: str
) -> None:
    with pytest.raises(CommandError, match=advice) as caught:
        reports.fetch(DEPLOYED, version, show=False)
    assert caught.value.code == code


def test_suspects_are_said_where_data_are_brought(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = [f"'x{index}' [bold]copies[/bold] the label." for index in range(5)]
    output = {"status": "published", "version": VERSION, "rows": {"read": 9}, "warnings": warnings, "suspects": 7}
    pipeline._report_etl(SimpleNamespace(output={**output, "report": "a"}))  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert said.count("Leakage audit:") == 6
    assert "[bold]copies[/bold]" in said, "what comes from data is no markup"
    assert "and 2 more" in said
    assert "andamio report" in said
