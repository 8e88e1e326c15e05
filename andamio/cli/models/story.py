"""The end of the demo: the watch on records like those of training, and then on those of another place."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched, islice
from pathlib import Path
from typing import Any

from andamio.cli.console import done, err, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api, monitor
from andamio.cli.models.sample import records
from andamio.contract import Contract
from andamio.storage import layout
from andamio.storage.ports import Objects

FAMILIAR = 500
"""Predictions of records like those of training."""
_AT_ONCE = 250
_SEED = 7
_CAPTURE_SECONDS = 30.0
_POLL_SECONDS = 0.5


def watch(deployed: dict[str, Any], folder: Path, sample: Path, contract: Contract) -> None:
    """Predict records drawn from the sample, then those of a file of the folder that is no training data; compare.

    A problem without such a file ends with the familiar records.
    """
    known = list(records(sample, contract))
    drawn = random.Random(_SEED).choices(known, k=FAMILIAR)  # noqa: S311
    err.print()
    _predict(deployed, drawn)
    done(f"{FAMILIAR} predictions of records like those of training. What the watch says:")
    monitor.run(deployed)
    for file in _elsewhere(folder, contract):
        others = list(islice(records(file, contract), FAMILIAR))
        err.print()
        _predict(deployed, others)
        done(f"{len(others)} predictions of records of another place, {file.name}. What the watch says:")
        monitor.run(deployed)
        note(f"They have labels: send them with andamio feedback, or learn from them: andamio ingest {file}")


def _elsewhere(folder: Path, contract: Contract) -> list[Path]:
    """A file of the folder beside those of [data] files: records of another place or time."""
    return [file for file in sorted(folder.glob("*.csv")) if file.name not in contract.data.files][:1]


def _predict(deployed: dict[str, Any], some: Sequence[dict[str, Any]]) -> None:
    """Predict records, and wait until they are captured."""
    lake = account_of(deployed).objects(deployed["buckets"]["lake"])
    before = _captured(lake)
    for chunk in batched(some, _AT_ONCE, strict=False):
        api.call(deployed, "POST", "/predict/batch", {"records": [{"features": features} for features in chunk]})
    end = time.monotonic() + _CAPTURE_SECONDS
    while _captured(lake) < before + len(some):
        if time.monotonic() > end:
            note("Not all of these predictions are captured yet: the watch compares those that are.")
            return
        time.sleep(_POLL_SECONDS)


def _captured(lake: Objects) -> int:
    """The predictions that were captured in this hour and the one before."""
    now = datetime.now(UTC)
    keys = {info.key for hour in (now - timedelta(hours=1), now) for info in lake.list(layout.captures(hour, "part-"))}
    return sum(len(gzip.decompress(lake.get(key).body).splitlines()) for key in keys)
