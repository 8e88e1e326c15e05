"""The report of a data version, brought to this machine."""

from __future__ import annotations

import re
import webbrowser
from typing import Any

from andamio.cli.console import note
from andamio.cli.home import account, home
from andamio.dataset.documents import CurrentDataset
from andamio.errors import CommandError, ObjectNotFound
from andamio.storage import documents, layout

_VERSION = re.compile(r"[0-9a-f]{16}")


def fetch(deployed: dict[str, Any], version: str | None, *, show: bool) -> str:
    """Write the report of a data version (the current one unless told) to the state folder and return its path.

    Raises `CommandError` when there is none.
    """
    lake = account(deployed).objects(deployed["buckets"]["lake"])
    if version is None:
        current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
        if current is None:
            raise CommandError("There is no data version yet. Bring data: andamio ingest FILE")
        version = current.version
    if not _VERSION.fullmatch(version):
        raise CommandError(f"'{version[:40]}' is no data version: expected 16 hex digits (see andamio models).")
    try:
        body = lake.get(layout.dataset(version, "report.html")).body
    except ObjectNotFound:
        raise CommandError(
            f"Data version {version} has no report. ETL draws one: run it again with andamio ingest (without a file)."
        ) from None
    file = home() / "reports" / f"{version}.html"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    if show and not webbrowser.open(file.resolve().as_uri()):
        note("No browser was found here; open the file yourself.")
    return str(file)
