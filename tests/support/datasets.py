"""Data versions for tests: a table of texts, published in memory the way that ETL publishes it.

lake = MemoryObjects("lake")
version = publish(lake, HEART, heart_cells())
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.dataset.columns import content_digest, table_columns, to_bytes
from andamio.dataset.documents import (
    CurrentDataset,
    DatasetManifest,
    DatasetProfile,
    LabelConflicts,
    ProfileClasses,
    ProfileRows,
    SourceFile,
    SplitRule,
    VersionRows,
)
from andamio.dataset.version import KEY, ROW
from andamio.records.parse import parse
from andamio.storage import layout
from andamio.storage.ports import Objects

ROOT = Path(__file__).parents[2]
HEART_FOLDER = ROOT / "problems" / "heart"
DIABETES_FOLDER = ROOT / "problems" / "diabetes"
FRUIT_FOLDER = ROOT / "tests" / "problems" / "fruit"
SPLIT = "5711700000000000"

Cells = Mapping[str, Sequence[str]]


def csv_body(file: Path) -> bytes:
    """The bytes of a CSV file, unpacked."""
    return gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()


def csv_cells(file: Path) -> dict[str, list[str]]:
    """A CSV file as columns of texts."""
    rows = list(csv.DictReader(csv_body(file).decode().splitlines(keepends=True)))
    return {name: [row[name] for row in rows] for name in rows[0]}


def heart_cells() -> dict[str, list[str]]:
    """The heart data."""
    return csv_cells(HEART_FOLDER / "heart.csv")


def diabetes_cells() -> dict[str, list[str]]:
    """The diabetes data, whose target is a number."""
    return csv_cells(DIABETES_FOLDER / "diabetes.csv")


def fruit_cells() -> dict[str, list[str]]:
    """The invented three-class data."""
    return csv_cells(FRUIT_FOLDER / "fruit.csv")


def publish(
    lake: Objects,
    contract: Contract,
    cells: Cells,
    *,
    keys: Sequence[str] | None = None,
    holdout: Sequence[bool] | None = None,
    split: str = SPLIT,
    current: bool = True,
) -> str:
    """Write a data version and return it; every fifth row of each class (or of numbers) is held out unless told."""
    rows = len(next(iter(cells.values())))
    table = parse(contract, cells, rows, text=True, training=True)
    assert not table.violations, table.violations[:3]
    assert table.labels is not None
    columns = table_columns(contract, table)
    columns[KEY] = np.array(list(keys) if keys else [_digest(f"row {row}") for row in range(rows)], dtype=object)
    columns[ROW] = np.array([_digest(f"identity {row}") for row in range(rows)], dtype=object)
    held = np.array(holdout) if holdout is not None else _every_fifth(table.labels)
    sides = {
        "train": {name: column[~held] for name, column in columns.items()},
        "holdout": {name: column[held] for name, column in columns.items()},
    }
    version = _digest(contract.data_digest + split + "".join(content_digest(side) for side in sides.values()))
    for side, content in sides.items():
        lake.put_new(layout.dataset_rows(version, side), to_bytes(content))
    manifest = a_manifest(
        version,
        contract=contract.data_digest,
        split=split,
        rows=version_rows(train=int((~held).sum()), holdout=int(held.sum())),
    )
    lake.put_new(layout.dataset(version, "manifest.json"), manifest.to_json())
    lake.put_new(layout.dataset(version, "profile.json"), a_profile().to_json())
    if current:
        lake.put(layout.CURRENT_DATASET, a_current(version, split=split).to_json())
    return version


def version_rows(**counts: int) -> VersionRows:
    """Rows of a data version of which every row was valid."""
    rows = counts.get("train", 0) + counts.get("holdout", 0)
    return VersionRows(**{"read": rows, "valid": rows, "rejected": 0, "replaced": 0, "train": 0, "holdout": 0} | counts)


def a_profile() -> DatasetProfile:
    """The profile of a data version that nobody reads statistics of."""
    return DatasetProfile(
        rows=ProfileRows(all=0, train=0, holdout=0),
        classes=ProfileClasses(train={}, holdout={}),
        conflicts=LabelConflicts(groups=0, rows=0),
        features={},
    )


def a_manifest(version: str, **more: Any) -> DatasetManifest:
    """The manifest of a data version that was made of nothing in particular."""
    fields = {
        "created": "2026-03-30T08:00:00+00:00", "problem": "heart", "contract": "c" * 64, "split": SPLIT,
        "split_by": SplitRule(rule="hash", key="features", columns=[], share=0.2), "cutoff": None, "input": "1" * 16,
        "rows": version_rows(), "suspects": 0, "findings": 0, "classes": {}, "coerced": {}, "reasons": [], "first": [],
        "files": [],
    }  # fmt: skip
    return DatasetManifest(version=version, **fields | more)


def a_current(version: str, **more: Any) -> CurrentDataset:
    """The pointer to a data version."""
    fields = {
        "revision": 1, "input": "1" * 16, "since": "2026-03-30T08:00:00+00:00", "rows": version_rows(), "split": SPLIT,
        "cutoff": None,
    }  # fmt: skip
    return CurrentDataset(version=version, **fields | more)


def a_source(key: str, **more: Any) -> SourceFile:
    """A raw file that was read."""
    fields = {
        "version": "v1", "etag": '"e"', "modified": "2026-03-30T08:00:00+00:00", "size": 9, "sha256": "ab" * 32,
        "read_as": {"format": "delimited"}, "rows": 9, "valid": 9, "rejected": 0, "replaced": 0, "extra_columns": [],
        "absent_columns": [], "refused": None,
    }  # fmt: skip
    return SourceFile(key=key, **fields | more)


def take(cells: Cells, rows: Sequence[int]) -> dict[str, list[str]]:
    """The chosen rows."""
    return {name: [column[row] for row in rows] for name, column in cells.items()}


def _every_fifth(labels: np.ndarray) -> np.ndarray:
    held = np.zeros(len(labels), dtype=bool)
    if labels.dtype.kind == "f":
        labels = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        held[np.flatnonzero(labels == label)[::5]] = True
    return held


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
