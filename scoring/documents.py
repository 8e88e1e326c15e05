"""What the steps of a batch write about it, beside its plan, cut and state: request, manifest, failures.

Strict dataclasses (`andamio.storage.documents.STRICT`): the API writes and reads some of them, where pydantic's models
would cost a cold start.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import with_config

from andamio.storage.documents import STRICT
from andamio.tabular.signature import Format


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class UploadRequest:
    """`request.json`: an upload requested over HTTP, before the file exists; times in ISO 8601."""

    batch: str
    key: str
    created: str
    expires: str
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The request as it is stored."""
        return json.dumps(asdict(self)).encode()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Failure:
    """`failures/*.json`: why a shard or a chunk was given up, and when, in ISO 8601."""

    kind: Literal["shard", "chunk"]
    number: int
    reason: str
    at: str
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The failure as it is stored."""
        return json.dumps(asdict(self)).encode()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class KnownBatch:
    """`known/DIGEST.json`: the batch of some bytes, format and release; see `scoring.known`."""

    batch: str
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The entry as it is stored."""
        return json.dumps(asdict(self)).encode()


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class InputFile:
    """The file of a batch: one version of an object, its size in bytes, its format and compression."""

    key: str
    version: str
    etag: str
    size: int
    format: Format
    compression: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ScoredFile(InputFile):
    """The file of a finished batch: its bucket, and how many rows it has."""

    bucket: str
    rows: int


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ScoringModel:
    """What scores a batch: the problem's name and the release."""

    name: str
    version: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The keys of what was scored, a part a shard and all in one where it was merged, and of what was rejected."""

    scored: tuple[str, ...]
    merged: str | None
    rejected: tuple[str, ...]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ShardSummary:
    """A shard in the manifest: its first line, its rows, the size and ETag of its scored part; `seconds` by stage."""

    line: int
    number: int
    rows: int
    scored: int
    rejected: int
    bytes: int
    etag: str
    seconds: Mapping[str, float]


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Manifest:
    """`scored/ID.manifest.json`: the input of a batch, and its results.

    `stored` says whether its predictions are in the table, `columns` what the added columns are called,
    `absent` which features the file has no column of.
    """

    batch: str
    problem: str
    input: ScoredFile
    release: ScoringModel
    rows: int
    scored: int
    rejected: int
    stored: bool
    columns: Mapping[str, str]
    files: OutputFiles
    shards: tuple[ShardSummary, ...]
    created: str
    finished: str
    seconds: float
    absent: tuple[str, ...] = ()
    format_number: Literal[1] = 1

    def to_json(self) -> builtins.bytes:
        """The manifest as it is stored."""
        return json.dumps(asdict(self), indent=1).encode()
