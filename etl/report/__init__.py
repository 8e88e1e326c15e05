"""The report of a data version: one page that a person reads before believing a model, self-contained and offline."""

from __future__ import annotations

from contextlib import ExitStack

from andamio.contract import Contract
from andamio.dataset.columns import ColumnFile
from andamio.dataset.documents import DatasetProfile
from andamio.dataset.version import PROFILE, REPORT
from andamio.errors import DataError, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.ports import Objects
from etl.publish import read_audit, read_current, read_manifest
from etl.report.page import page
from etl.report.version import Version
from etl.staging import Scratch

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
    scratch = Scratch()
    with ExitStack() as opened:
        train, *older = (
            opened.enter_context(ColumnFile(scratch.fetch(lake, layout.dataset_rows(one, "train"), one)))
            for one in (version, before)
            if one is not None
        )
        content = Version(
            contract,
            manifest,
            documents.read(lake, layout.dataset(version, PROFILE), DatasetProfile),
            read_audit(lake, version),
            train,
            before,
            older[0] if older else None,
        )
        lake.put_new(key, page(content), content_type="text/html; charset=utf-8")
    return key
