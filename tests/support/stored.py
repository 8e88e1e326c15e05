"""What runs store, object by object, so that two runs can be compared: times, durations, ids and attempts left out.

differences(stored(objects, names, normal), expected)   [] where both store the same
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from andamio.release.release import MANIFEST
from andamio.storage import layout
from andamio.storage.ports import Objects

# What differs from run to run: times, how long things took, who did it and in which attempt, and what is made of these.
FREE = frozenset(
    {
        "created",
        "since",
        "started",
        "modified",
        "seconds",
        "latency_ms",
        "etag",
        "execution",
        "attempt",
        "revision",
        "expires",
        "expires_at",
    }
)
_HOLD_TIMES = frozenset({"MLmodel", "card.html", "card.md", "decision.json", "evaluation.json"})
"""Files of a release that hold a time, an id or a duration, so that their digest differs; their content is compared."""
_IDS = re.compile(
    r"(?<=/todo/)\d+|(?<=/known/)[0-9a-f]{64}|\d{8}T\d{6}-[\w-]+?(?=[-/.\"\s,]|$)"
    r"|\d{4}-\d\d-\d\d(?:T[\d:.+]+Z?| \d\d:\d\d(?: UTC|:[\d.]+))?|(?<=/hour=)\d\d"
    r"|(?<=-\d{6}-)[0-9a-f]{8}(?=\.json|\")"
)
_LATENCY = re.compile(r"takes [\d.e-]+ ms")
"""How long a record takes, as the card says it."""
_NOTES = re.compile(r"^runs/[^/]+/lost/|^batches/[^/]+/failures/")
"""What a death leaves besides: why something was lost. Nobody takes it for a result."""
_WATCHED = re.compile(
    rf"^{layout.CAPTURES}.*/(?:part-|hour\.json|predictions-)|^{layout.FEEDBACK}|^{layout.MONITORING}"
)
"""What the watch keeps of calls of the API, each hour anew: it comes by itself, some time after the calls."""
_OF_A_BATCH = ["prediction_id", "time", "source"]
"""Columns of a batch's captures that differ from run to run."""


@dataclass(frozen=True)
class Normal:
    """How texts of an account are compared: without ids and times; `said` is what else is the account's own."""

    said: Mapping[str, str] = field(default_factory=dict)
    ids: re.Pattern[str] | None = None

    def text(self, text: str) -> str:
        """A text without what differs from run to run."""
        for own, name in self.said.items():
            text = text.replace(own, name)
        text = _LATENCY.sub("takes * ms", _IDS.sub("*", text))
        return self.ids.sub("*", text) if self.ids else text

    def value(self, value: Any) -> str:
        """A JSON value without what differs from run to run."""
        return self.text(json.dumps(_bound(value), sort_keys=True))

    def content(self, key: str, body: bytes) -> str:
        """What an object says; of bytes that are no text their digest."""
        if key.endswith(".json") and not key.startswith(layout.RAW):
            value = json.loads(body)
            if key.startswith(layout.RELEASES) and key.endswith(MANIFEST):
                value["files"] |= dict.fromkeys(_HOLD_TIMES & value["files"].keys(), "there")
            return self.value(value)
        if key.startswith(layout.CAPTURES):
            rows = pq.read_table(pa.BufferReader(body)).drop_columns(_OF_A_BATCH).to_pylist()
            return self.value(json.loads(json.dumps(rows, default=str)))
        try:
            return self.text(body.decode())
        except UnicodeDecodeError:
            return hashlib.sha256(body).hexdigest()


def made_releases(models: Objects) -> dict[str, str]:
    """The versions of the releases and names for them: a release holds how long things took, its version digests it."""
    versions = sorted({info.key.split("/")[1] for info in models.list(layout.RELEASES)})
    return {version: f"RELEASE-{number}" for number, version in enumerate(versions)}


def stored(buckets: Mapping[str, Objects], normal: Normal) -> dict[str, str]:
    """What lies in buckets, by bucket and key; several objects whose keys differ in ids alone are one entry."""
    found: dict[str, set[str]] = {}
    for name, objects in buckets.items():
        for info in objects.list(""):
            if not _NOTES.match(info.key) and not _WATCHED.match(info.key):
                content = normal.content(info.key, objects.get(info.key).body)
                found.setdefault(f"{name}/{normal.text(info.key)}", set()).add(content)
    return {name: "\n".join(sorted(contents)) for name, contents in found.items()}


def differences(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """What is stored otherwise than expected: where, and both from a little before where they part."""

    def shown(name: str) -> str:
        is_, should = str(stored.get(name, "absent")), str(expected.get(name, "absent"))
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(is_, should, strict=False)))
        start = max(0, same - 60)
        return f"{name}: ...{is_[start : start + 160]}... instead of ...{should[start : start + 160]}..."

    return [shown(name) for name in sorted({*stored, *expected}) if stored.get(name) != expected.get(name)]


def items(found: Iterator[Mapping[str, Any]], normal: Normal) -> list[str]:
    """Items of a table, in an order of their own."""
    return sorted(normal.value(dict(item)) for item in found)


def _bound(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get("name") == "latency_ms":  # the guard of it: a figure, and the same in words
            return {"name": "latency_ms", "holds": value.get("holds")}
        return {key: _bound(held) for key, held in value.items() if key not in FREE}
    return [_bound(held) for held in value] if isinstance(value, list) else value
