"""Data versions: the current version, the manifest, and the columns of one side."""

from __future__ import annotations

import io
from collections.abc import Collection
from typing import Any, Literal

from numpy.typing import NDArray

from andamio.dataset.columns import ColumnFile
from andamio.dataset.documents import CurrentDataset, DatasetManifest
from andamio.errors import ObjectNotFound, TrainingError
from andamio.storage import documents, layout
from andamio.storage.ports import Objects

Side = Literal["train", "holdout"]

MANIFEST, AUDIT, PROFILE, REPORT = "manifest.json", "audit.json", "profile.json", "report.html"
SAMPLES = "samples.json"
"""Files of a data version, beside its rows."""

KEY, ROW = "_key", "_row"
"""Columns of every data version: the split key's digest, and the row's own identity."""

BESIDE = "_beside"
"""A column of captured records: the id that a row's side of the split follows from, one for all equal records."""

RECORD = "_record"
"""A column of captured records: which record a row is of."""
VALUES = "_values"
"""A column of captured records: the digest of a record's features, by which equal ones are found."""

PREPARED_BY = "andamio.prepare"
"""Metadata of captured records: the digest of the prepare.py that made their features; absent where none did."""


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


def open_columns(lake: Objects, version: str, side: Side) -> ColumnFile:
    """The columns of one side, each read when it is asked for; raises `TrainingError` when the side is missing."""
    key = layout.dataset_rows(version, side)
    try:
        body = lake.get(key).body
    except ObjectNotFound:
        raise TrainingError(f"{key} is missing: the data version is incomplete; run ETL again") from None
    return ColumnFile(io.BytesIO(body))


def read_columns(lake: Objects, version: str, side: Side, *, without: Collection[str] = ()) -> dict[str, NDArray[Any]]:
    """The columns of one side but for some, as `andamio.dataset.columns` types them.

    Identities are a text a row, which takes as much memory as ten numbers: leave out what is not needed. Raises
    `TrainingError` when the side is missing.
    """
    with open_columns(lake, version, side) as file:
        return {name: file[name] for name in file if name not in without}
