"""The newest report of the watch, as the lake keeps it."""

from __future__ import annotations

import json
from typing import Any

from andamio.errors import ObjectNotFound
from andamio.storage import layout
from andamio.storage.ports import Objects
from lambdas.api.replies.problems import RequestError


def newest_report(lake: Objects) -> dict[str, Any]:
    """The newest report; raises `RequestError` (404) when there is none yet."""
    try:
        latest = json.loads(lake.get(layout.LATEST_REPORT).body)
        report: dict[str, Any] = json.loads(lake.get(latest["report"]).body)
    except ObjectNotFound:
        raise RequestError(
            "not-found",
            "The watch has not made a report yet. It makes one every hour once a model serves; andamio monitor makes "
            "one now.",
        ) from None
    return report
