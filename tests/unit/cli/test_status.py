"""`andamio status` names the raw files that hold nothing usable, and counts what is no data."""

from __future__ import annotations

from typing import Any

import pytest

from andamio.adapters.memory import MemoryObjects
from andamio.cli.models import show
from andamio.storage import layout
from tests.support.datasets import a_current, a_manifest, a_source


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> dict[str, MemoryObjects]:
    found = {name: MemoryObjects(name) for name in ("lake", "batch")}

    class Account:
        def objects(self, bucket: str) -> MemoryObjects:
            return found[bucket]

    monkeypatch.setattr(show, "account_of", lambda deployed: Account())
    return found


def file_rows() -> list[tuple[str, str]]:
    deployed: dict[str, Any] = {"buckets": {"lake": "lake", "batch": "batch"}}
    return show.file_rows(deployed)


def test_nothing_is_said_before_there_are_data(buckets: dict[str, MemoryObjects]) -> None:
    assert file_rows() == []


def test_a_file_that_cannot_be_read_is_named_with_the_reason(buckets: dict[str, MemoryObjects]) -> None:
    files = [a_source("raw/a.csv"), a_source("raw/b.csv", rows=0, valid=0, refused="is a PDF document")]
    buckets["lake"].put(layout.dataset("v1", "manifest.json"), a_manifest("v1", files=files).to_json())
    buckets["lake"].put(layout.CURRENT_DATASET, a_current("v1").to_json())
    ((label, said),) = file_rows()
    assert label == "file not used"
    assert "raw/b.csv" in said
    assert "is a PDF document" in said


def test_what_is_no_data_is_counted_in_both_places(buckets: dict[str, MemoryObjects]) -> None:
    for name in ("raw/a.csv", "raw/_SUCCESS", "raw/.DS_Store", "raw/day/"):
        buckets["lake"].put(name, b"" if name.endswith("/") else b"x")
    buckets["batch"].put("incoming/empty.csv", b"")
    said = file_rows()
    assert [label for label, _ in said] == ["passed over", "passed over"]
    assert said[0][1].startswith("2 under raw/")
    assert said[1][1].startswith("1 under incoming/")
