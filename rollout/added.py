"""The parts that captures wrote of a trial, added up; many of them once, not at each look.

What was added up is kept beside the parts, with the names of those that are in it: the next look reads it, and the
parts that came since, late ones too. The parts are the truth. What is kept is written over by whoever looked last, each
time whole, so that two looks at once agree with the parts; where it cannot be read, all parts are.
"""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import batched

from pydantic import ConfigDict, ValidationError, with_config

from andamio.captures.trials import TrialPart, TrialRow
from andamio.errors import AndamioError, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.ports import Objects

MOST_ROWS = 200_000
"""Predictions that labels are looked for among: those of the parts that are read first. Counts are of all."""
KEPT_FROM = 500
"""With so many new parts what was added up is kept: fewer are read again in no time."""
KEPT_EVERY = 20_000
"""And so often within one look, which may end with its function: the next one goes on from there."""
_READERS, _AT_ONCE = 16, 256
_PART = "part-"


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(slots=True)
class Added:
    """A trial's parts, added up: as `TrialPart` has them, `times` by variant and bucket, `rows` by prediction's id.

    `parts` are the names of the parts that are in it.
    """

    scored: Counter[str] = field(default_factory=Counter)
    times: dict[str, Counter[int]] = field(default_factory=dict)
    faults: int = 0
    failed: int = 0
    pairs: int = 0
    disagreed: int = 0
    rows: dict[str, TrialRow] = field(default_factory=dict)
    parts: set[str] = field(default_factory=set)

    def add(self, name: str, part: TrialPart) -> None:
        """Add a part that is not in it yet."""
        self.parts.add(name)
        self.scored.update(part.scored)
        for variant, found in part.times.items():
            self.times.setdefault(variant, Counter()).update({int(bucket): count for bucket, count in found.items()})
        self.faults += sum(part.faults.values())
        self.failed += part.failed
        self.pairs += part.pairs
        self.disagreed += part.disagreed
        for row in part.rows:
            # A pair may have come in two deliveries: as a prediction, and as what the shadow said.
            if row.prediction_id in self.rows or len(self.rows) < MOST_ROWS:
                known = self.rows.get(row.prediction_id)
                self.rows[row.prediction_id] = row if known is None or known.shadow is None else known


def add_up(lake: Objects, rollout: str) -> Added:
    """All parts that there are of a trial, added up; raises `DocumentError` for one that cannot be read."""
    added = _kept(lake, rollout)
    folder = layout.trial_of_challenger(rollout)
    names = (info.key.removeprefix(folder) for info in lake.list(layout.trial_of_challenger(rollout, _PART)))
    unkept = 0
    for name, part in _read(lake, rollout, (name for name in names if name not in added.parts)):
        added.add(name, part)
        unkept += 1
        if unkept == KEPT_EVERY:
            _keep(lake, rollout, added)
            unkept = 0
    if unkept >= KEPT_FROM:
        _keep(lake, rollout, added)
    return added


def _read(lake: Objects, rollout: str, names: Iterable[str]) -> Iterator[tuple[str, TrialPart]]:
    def read(name: str) -> tuple[str, TrialPart]:
        return name, documents.read(lake, layout.trial_of_challenger(rollout, name), TrialPart)

    with ThreadPoolExecutor(_READERS) as readers:
        for some in batched(names, _AT_ONCE, strict=False):
            yield from readers.map(read, some)


def _kept(lake: Objects, rollout: str) -> Added:
    """What was added up before; nothing where nothing was, or where another version of Andamio wrote it."""
    try:
        body = gzip.decompress(lake.get(layout.added_of_challenger(rollout)).body)
        return documents.adapter(Added).validate_json(body)
    except (ObjectNotFound, OSError, EOFError, zlib.error, ValidationError):
        return Added()


def _keep(lake: Objects, rollout: str, added: Added) -> None:
    body = gzip.compress(documents.adapter(Added).dump_json(added), 1, mtime=0)
    with suppress(AndamioError):  # the parts are the truth: a look without it takes longer, and finds the same
        lake.put(layout.added_of_challenger(rollout), body, content_type="application/gzip")
