"""A batch: one version of one file, the release that scores it, and how far that has come.

Everything about a batch is in the batch bucket, and is only ever added to (`state.json` apart):

    batches/ID/request.json     an upload that was asked for over HTTP, before there is a file
    batches/ID/plan.json        what the file is, how it is read, which release scores it: said once
    batches/ID/unpacked.EXT     what was in a gzip file
    batches/ID/survey/N.json    what chunk N of a text file holds, so that it can be cut safely
    batches/ID/shards.json      how it was cut
    batches/ID/todo/N-*.json    what the maps of attempt N work through: chunks, shards
    batches/ID/shards/N.json    what became of shard N: the last thing that its worker writes
    batches/ID/failures/*.json  why a shard or a chunk was given up (gone over when it is there after all)
    batches/ID/lookup/N.bin     what the predictions of shard N are looked up in
    batches/ID/state.json       running, failed or done, since when, and why: the claim of one execution on the batch
    batches/known/DIGEST.json   which batch is of the same bytes, format and release: see `known`
    scored/ID.manifest.json     what it was made of and came to: a batch that has one is done
"""

from __future__ import annotations

import builtins
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import with_config

from andamio.contract.canonical import composed
from andamio.release.answers import Told, told_of
from andamio.storage import documents, layout
from andamio.storage.documents import STRICT
from andamio.tabular.signature import format_of
from andamio.tabular.text.head import Head
from scoring.documents import InputFile

ID = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{12}")
_PREDICTION = re.compile(rf"({ID.pattern})-([0-9]{{1,15}})")
_KEY_WITH_ID = re.compile(rf"{re.escape(layout.INCOMING)}({ID.pattern})/[^/]+")

MAX_NAME_LENGTH = 128
"""Most characters of the file name in a request for an upload."""
_RESULT_FORMAT = 3
"""What results are like; raised when the same file comes out otherwise: it is then scored again, and not looked up."""
_PLAIN_NAME = re.compile(rf"\w(?:[\w. -]{{0,{MAX_NAME_LENGTH - 2}}}\w)")


def plain_name(text: str) -> str | None:
    """The last part of a path where it can be the end of a key: letters, digits and `._ -`, a known ending.

    Letters may have accents, which are composed (NFC): some systems send them as characters of their own.
    """
    name = composed(text.replace("\\", "/").rsplit("/", 1)[-1])
    return name if _PLAIN_NAME.fullmatch(name) and format_of(name) else None


def new_id(now: datetime) -> str:
    """The id of a batch whose file is not uploaded yet."""
    return f"{_moment(now)}-{secrets.token_hex(6)}"


def id_in_key(key: str) -> str | None:
    """The id in a key of a requested upload (`incoming/ID/NAME`), or None for any other key."""
    match = _KEY_WITH_ID.fullmatch(key)
    return match[1] if match else None


def file_name(key: str) -> str:
    """The name of a file for people: its key without `incoming/` and without the id of a requested upload."""
    return key.rsplit("/", 1)[-1] if id_in_key(key) else key.removeprefix(layout.INCOMING)


def version_id(key: str, version: str, modified: datetime) -> str:
    """The id of one version of an object: its time, and a digest of key and version."""
    digest = hashlib.sha256(f"{key}\n{version}".encode()).hexdigest()
    return f"{_moment(modified)}-{digest[:12]}"


def prediction_id(batch_id: str, line: int) -> str:
    """The id of the prediction for the row that begins on a line of a batch's file (a Parquet row, from 1)."""
    return f"{batch_id}-{line}"


def split_prediction_id(text: str) -> tuple[str, int] | None:
    """Batch id and line of a batch's prediction id, None for any other text."""
    match = _PREDICTION.fullmatch(text)
    return (match[1], int(match[2])) if match else None


def result_key(file: InputFile, release: str) -> str:
    """The key that maps the bytes of a file and a release to a batch, so that a file is scored once."""
    content = json.dumps([_RESULT_FORMAT, file.etag, file.size, file.format, file.compression, release])
    return f"{layout.BATCHES}known/{hashlib.sha256(content.encode()).hexdigest()}.json"


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y%m%dT%H%M%S")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a batch's file is, how it is read, and which release scores it; written once, before anything is scored.

    `source` is the object whose ranges the shards are: the file itself, or what a gzip file was unpacked to. `head`
    says how the text of `source` is written; of a Parquet file it has the columns alone. `names_out` is what the
    added columns are called: their own names unless the file has one of that name. `expires` in seconds since 1970.
    `absent` are the features that the file has no column of; of JSON Lines, where any line may bring one, none are
    named. `classes`, `texts` and `threshold` are those of a classifier; a regression has the `interval` of its
    release and a `unit` instead.
    """

    batch: str
    problem: str
    created: str
    input: InputFile
    source: str
    source_version: str
    source_size: int
    head: Head
    record_column: str | None
    release: str
    classes: tuple[str, ...]
    texts: Mapping[str, str]
    threshold: float | None
    names_out: Mapping[str, str]
    store: Literal["auto", "always", "never"]
    expires: int
    interval: Mapping[str, float | str | tuple[tuple[float, float], ...]] | None = None
    unit: str = ""
    chunks: tuple[tuple[int, int], ...] = ()
    absent: tuple[str, ...] = ()
    format_number: Literal[2] = 2

    @property
    def told(self) -> Told:
        """How its answers are told."""
        return told_of(self.classes, self.texts, self.interval, self.unit)

    @property
    def sealed(self) -> Mapping[str, Any]:
        """What its release was sealed with."""
        return {"threshold": self.threshold, "interval": self.interval}

    @property
    def ending(self) -> str:
        """The suffix of its scored files."""
        return self.input.format

    def to_json(self) -> bytes:
        """The plan as it is stored."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """The plan that was stored."""
        return documents.parse(body, cls, "plan.json")


@dataclass(frozen=True, slots=True)
class Shard:
    """A part of a file that one worker scores.

    Of a text file: bytes `start` to `end`, whole rows, the first of which begins on `line`. Of a Parquet
    file: row groups `start` to `end`, `line` is the number of the first row, from 1.
    """

    number: int
    start: int
    end: int
    line: int


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Cut:
    """The shards of a file: `shards.json`. `stored` means that its predictions are written to the table."""

    shards: tuple[Shard, ...]
    stored: bool
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The cut as it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """The cut that was stored."""
        return documents.parse(body, cls, "shards.json")


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a shard: `rows` = `scored` + `rejected`. `bytes` and `etag` are those of its scored part.

    `lines` is how many lines (Parquet: rows) the worker went over, so that verify can see that nothing lies
    between two shards. `seconds` by what was done.
    """

    number: int
    rows: int
    scored: int
    rejected: int
    lines: int
    bytes: int
    etag: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    format_number: Literal[1] = 1

    def to_json(self) -> builtins.bytes:
        """The result as it is stored."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, body: builtins.bytes) -> Self:
        """The result that was stored."""
        return documents.parse(body, cls, "the result of a shard")
