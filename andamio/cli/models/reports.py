"""Download of the report of a data version."""

from __future__ import annotations

import re
import webbrowser
from typing import Any

from andamio.cli.console import note
from andamio.cli.home import account, home
from andamio.dataset.documents import CurrentDataset
from andamio.errors import NoData, ObjectNotFound, UsageError
from andamio.storage import documents, layout

_VERSION = re.compile(r"[0-9a-f]{16}")


def fetch(deployed: dict[str, Any], version: str | None, *, show: bool) -> str:
    """Write the report of a data version (default: the current one) to the state folder and return its path.

    Raises `CommandError` when there is none.
    """
    lake = account(deployed).objects(deployed["buckets"]["lake"])
    if version is None:
        current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
        if current is None:
            raise NoData("There is no data version yet. Upload data: andamio ingest FILE")
        version = current.version
    if not _VERSION.fullmatch(version):
        raise UsageError(f"'{version[:40]}' is not a data version. Expected 16 hex digits: andamio models lists them.")
    try:
        body = lake.get(layout.dataset(version, "report.html")).body
    except ObjectNotFound:
        raise NoData(f"Data version {version} has no report. Run ETL again: andamio ingest (without a file)") from None
    file = home() / "reports" / f"{version}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    if show and not webbrowser.open(file.resolve().as_uri()):
        note("No browser was found. Open the file yourself.")
    return str(file)
