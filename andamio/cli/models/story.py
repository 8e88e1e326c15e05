"""What the demo shows of the watch: records like those of training, and then those of another place."""

from __future__ import annotations

import gzip
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

from andamio.cli.console import done, err, note
from andamio.cli.home import account as account_of
from andamio.cli.models import api, monitor
from andamio.cli.models.sample import labelled_records, records
from andamio.contract import Contract
from andamio.errors import DataError
from andamio.storage import layout
from andamio.storage.ports import Objects

FAMILIAR = 500
"""Predictions of records like those of training."""
_AT_ONCE = 250
_SEED = 7
_CAPTURE_SECONDS = 30.0
_POLL_SECONDS = 0.5

Labelled = tuple[dict[str, Any], str | float | None]
"""A record, and its label where it has one."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Records of another place that were predicted, and the labels of all predictions so far, by prediction id.

    `labelled`: some are of these records.
    """

    file: Path
    records: Sequence[dict[str, Any]]
    labels: Mapping[str, str | float]
    labelled: bool


def watch(deployed: dict[str, Any], folder: Path, sample: Path, contract: Contract) -> Elsewhere | None:
    """Predict records drawn from the sample, then those of a file of the folder that is no training data; compare.

    Returns the latter. A problem without such a file ends with the familiar records.
    """
    known = _labelled(sample, contract)
    drawn = random.Random(_SEED).choices(known, k=FAMILIAR)  # noqa: S311
    err.print()
    labels = _told(predict(deployed, [record for record, _ in drawn]), drawn)
    done(f"{FAMILIAR} predictions of records like those of training. What the watch says:")
    monitor.run(deployed)
    found = elsewhere(folder, contract)
    if found is None:
        return None
    file, others = found
    err.print()
    told = _told(predict(deployed, [record for record, _ in others]), others)
    done(f"{len(others)} predictions of records of another place, {file.name}. What the watch says:")
    monitor.run(deployed)
    return Elsewhere(file, [record for record, _ in others], labels | told, labelled=bool(told))


def left_out(contract: Contract, shown: Path | None) -> str:
    """What a demo without labelled records of another place does not show, and what would show it.

    `shown` is the file of such records that has no labels, where there is one.
    """
    missing = "What follows from drift (labels, retraining, a trial, the way back) is left out: it needs"
    if contract.problem.target_from is not None:
        return f"{missing} a label that is a column of the files, and prepare.py makes this one. problems/heart has it."
    if shown is not None:
        return (
            f"{missing} the labels of the records of {shown.name}. Add them to it as the column "
            f"'{contract.problem.target}', with values that the contract accepts. problems/heart has such a file."
        )
    return (
        f"{missing} records of another place or time. Put a CSV of them, with the column '{contract.problem.target}', "
        "beside problem.toml, and do not name it in [data] files. problems/heart has one."
    )


def elsewhere(folder: Path, contract: Contract) -> tuple[Path, list[Labelled]] | None:
    """A file of the folder beside those of [data] files, and up to 500 of its records: those of another place or time.

    A file with labels goes first, else the first by name. One that has no record of the contract is none of them.
    """
    unlabelled: tuple[Path, list[Labelled]] | None = None
    for file in sorted(folder.glob("*.csv")):
        if file.name in contract.data.files:
            continue
        try:
            found = _labelled(file, contract)[:FAMILIAR]
        except (OSError, DataError) as error:
            why = f"cannot be read: {error}" if isinstance(error, OSError) else error
            note(f"{file.name} is not shown: it {why}")
            continue
        if any(label is not None for _, label in found):
            return file, found
        unlabelled = unlabelled or ((file, found) if found else None)
    return unlabelled


def _labelled(file: Path, contract: Contract) -> list[Labelled]:
    """The records of a file with their labels; where it has none, with None."""
    with_label: list[Labelled] = [*labelled_records(file, contract)]
    return with_label or [(record, None) for record in records(file, contract)]


def _told(made: Sequence[dict[str, Any]], asked: Sequence[Labelled]) -> dict[str, str | float]:
    pairs = zip(made, asked, strict=True)
    return {one["prediction_id"]: label for one, (_, label) in pairs if label is not None}


def predict(
    deployed: dict[str, Any], some: Sequence[dict[str, Any]], ids: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Predict records, with ids of their own or without, and wait until they are captured; returns the predictions."""
    lake = account_of(deployed).objects(deployed["buckets"]["lake"])
    before = _captured(lake)
    sent: list[dict[str, Any]] = [{"features": features} for features in some]
    for record, own in zip(sent, ids or (), strict=ids is not None):
        record["id"] = own
    made: list[dict[str, Any]] = []
    for chunk in batched(sent, _AT_ONCE, strict=False):
        made += api.call(deployed, "POST", "/predict/batch", {"records": list(chunk)})["predictions"]
    end = time.monotonic() + _CAPTURE_SECONDS
    while _captured(lake) < before + len(some):
        if time.monotonic() > end:
            note("Not all of these predictions are captured yet: the watch compares those that are.")
            break
        time.sleep(_POLL_SECONDS)
    return made


def _captured(lake: Objects) -> int:
    """The predictions that were captured in this hour and the one before."""
    now = datetime.now(UTC)
    keys = {info.key for hour in (now - timedelta(hours=1), now) for info in lake.list(layout.captures(hour, "part-"))}
    return sum(len(gzip.decompress(lake.get(key).body).splitlines()) for key in keys)
