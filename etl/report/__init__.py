"""The report of a data version: one page that a person reads before believing a model, self-contained and offline."""

from __future__ import annotations

from andamio.contract import Contract
from andamio.dataset.columns import Columns, from_bytes
from andamio.dataset.documents import DatasetProfile
from andamio.dataset.version import PROFILE, REPORT
from andamio.errors import DataError, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from etl.publish import read_audit, read_current, read_manifest
from etl.report.page import page
from etl.report.version import Version

__all__ = ["report"]


def report(lake: Objects, contract: Contract, version: str) -> str:
    """Draw datasets/VERSION/report.html unless it is there, and return its key.

    It is compared with the data version that is current now. Raises `DataError` when there is no such version.
    """
    key = layout.dataset(version, REPORT)
    try:
        return lake.head(key).key
    except ObjectNotFound:
        pass
    manifest = read_manifest(lake, version)
    if manifest is None:
        raise DataError(f"{layout.dataset(version)} is incomplete: the step 'publish' has to run first")
    current = read_current(lake)
    before = None if current is None or current[0].version == version else current[0].version
    content = Version(
        contract,
        manifest,
        documents.read(lake, layout.dataset(version, PROFILE), DatasetProfile),
        read_audit(lake, version),
        _train(lake, version),
        before,
        None if before is None else _train(lake, before),
    )
    lake.put_new(key, page(content), content_type="text/html; charset=utf-8")
    return key


def _train(lake: Objects, version: str) -> Columns:
    return from_bytes(lake.get(layout.dataset_rows(version, "train")).body)
