"""What a release keeps of train: rows to compare and explain with, and out-of-fold scores with their labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import with_config

from andamio.storage.documents import STRICT


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """`reference.json`: some rows of train, the values of each feature but the private ones, null for no value.

    Numbers (booleans too), canonical texts and ISO dates. `time` has the day up to which each row's ages count, where
    dates are among the features and the contract has a time column.
    """

    rows: int
    columns: Mapping[str, tuple[str | float | None, ...]]
    time: tuple[str | None, ...] | None = None
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The rows as they are sealed."""
        return _compact(asdict(self))


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class OutOfFoldScores:
    """`out_of_fold.json`: class indices, probabilities in the order of `classes`, and a number for each split key.

    Of a regression `classes` is ("value",), `labels` are the true numbers, and each row of `scores` has one.
    Rows of one split key have the same number in `groups`, which says nothing else of them.
    """

    rows: int
    classes: tuple[str, ...]
    labels: tuple[int, ...] | tuple[float, ...]
    groups: tuple[int, ...]
    scores: tuple[tuple[float, ...], ...]
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The scores as they are sealed."""
        return _compact(asdict(self))


def _compact(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
