"""Data versions: the current version, the manifest, and the columns of one side."""

from __future__ import annotations

from typing import Literal

from andamio.dataset.columns import Columns, from_bytes
from andamio.dataset.documents import CurrentDataset, DatasetManifest
from andamio.errors import ObjectNotFound, TrainingError
from andamio.storage import documents, layout
from andamio.storage.ports import Objects

Side = Literal["train", "holdout"]

MANIFEST, AUDIT, PROFILE, REPORT = "manifest.json", "audit.json", "profile.json", "report.html"
"""Files of a data version, beside its rows."""

KEY, ROW = "_key", "_row"
"""Columns of every data version: the split key's digest, and the row's own identity."""


def current_version(lake: Objects) -> str:
    """The data version that ETL published last; raises `TrainingError` when there is none."""
    current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
    if current is None:
        raise TrainingError(
            f"There is no data version yet ({layout.CURRENT_DATASET}). Put data under {layout.RAW} in the lake "
            "(andamio ingest FILE); ETL makes one and starts training by itself."
        )
    return current.version


def manifest(lake: Objects, version: str) -> DatasetManifest:
    """The manifest of a data version; raises `TrainingError` when there is no such version."""
    found = documents.find(lake, layout.dataset(version, MANIFEST), DatasetManifest)
    if found is None:
        raise TrainingError(
            f"There is no data version '{version}' under {layout.DATASETS}: leave it out to train on the current one"
        )
    return found


def read_columns(lake: Objects, version: str, side: Side) -> Columns:
    """The columns of one side, as `andamio.dataset.columns` types them; raises `TrainingError` when it is missing."""
    key = layout.dataset_rows(version, side)
    try:
        body = lake.get(key).body
    except ObjectNotFound:
        raise TrainingError(f"{key} is missing: the data version is incomplete; run ETL again") from None
    return from_bytes(body)
