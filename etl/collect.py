"""The sources of a data version: raw objects and captured records at one moment, and their digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from andamio.contract import Contract
from andamio.dataset.documents import CurrentDataset, DatasetManifest
from andamio.dataset.version import MANIFEST
from andamio.errors import DataError, ObjectNotFound
from andamio.storage import documents, layout
from andamio.storage.documents import to_json
from andamio.storage.noise import is_noise
from andamio.storage.ports import ObjectInfo, Objects
from etl.samples import recipe

RECIPE = 3
"""Grows when the same raw objects would be read, checked or staged differently: their results get new names."""

CAPTURED_RECIPE = 2
"""The same of captured records: where there are none, names stay as they are."""

FILE = "sources.json"


@dataclass(frozen=True, slots=True)
class Source:
    """One version of one object, `modified` in ISO 8601."""

    key: str
    version: str
    etag: str
    size: int
    modified: str

    @classmethod
    def of(cls, info: ObjectInfo) -> Source:
        """The version that a listing shows."""
        return cls(info.key, info.version, info.etag, info.size, info.modified.isoformat())

    @property
    def version_key(self) -> tuple[str, str, str]:
        """The unique key of a version; without the time, which S3 may round."""
        return self.key, self.version, self.etag

    @property
    def captured(self) -> bool:
        """Whether it holds records that were predicted and then labelled, and is no raw object."""
        return self.key.startswith(layout.CAPTURED)


@dataclass(frozen=True, slots=True)
class Sources:
    """Captured records, then raw objects, oldest first, and the settings that decide how they are read and split.

    A later row of an id takes the place of an earlier one: what was captured changes no raw row.
    """

    objects: tuple[Source, ...]
    contract: str
    settings: Mapping[str, Any]

    @classmethod
    def now(cls, lake: Objects, contract: Contract) -> Sources:
        """The latest version of every raw object that is a data file; where there is one, captured records, too."""
        training = contract.training
        settings = {"holdout": training.holdout, "split": training.split, "seed": training.seed, **recipe(contract)}
        return cls(tuple(_all_sources(lake)), contract.data_digest, settings)

    @property
    def digest(self) -> str:
        """INPUT: 16 hex digits that name the objects, the contract's data half and the settings."""
        captured = any(source.captured for source in self.objects)
        recipe: object = [RECIPE, CAPTURED_RECIPE] if captured else RECIPE
        identity = [recipe, sorted(source.version_key for source in self.objects), self.contract, dict(self.settings)]
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    def are_current(self, lake: Objects) -> bool:
        """Whether the lake still holds these objects in these versions, and no others."""
        return {source.version_key for source in self.objects} == {source.version_key for source in _all_sources(lake)}

    def taken_over(self, lake: Objects) -> bool:
        """Whether a raw object came since: the execution that its event starts reads all of them.

        Nothing starts one for a raw object that was deleted, or for captured records.
        """
        known = {source.version_key for source in self.objects}
        return any(not source.captured and source.version_key not in known for source in _all_sources(lake))

    def newer_than(self, event: Mapping[str, Any]) -> Source | None:
        """The newest object, when it is newer than the one that an event is about; its own event takes over.

        An event about a deleted object, or about none, returns None.
        """
        event_object = _event_object(event)
        if event_object is None or not self.objects:
            return None
        newest = self.objects[-1]
        key, version = event_object
        if newest.key == key:
            return newest if version and newest.version and version != newest.version else None
        return newest if any(source.key == key for source in self.objects) else None

    def save(self, lake: Objects) -> None:
        """Write staging/INPUT/sources.json once."""
        content = {"recipe": RECIPE, **asdict(self)}
        lake.put_new(layout.staging(self.digest, FILE), to_json(content), content_type="application/json")

    @classmethod
    def load(cls, lake: Objects, digest: str) -> Sources:
        """Read them back; raises `DataError` when they were never collected."""
        key = layout.staging(digest, FILE)
        try:
            content = json.loads(lake.get(key).body)
        except ObjectNotFound:
            raise DataError(f"{key} is missing: the step 'collect' has to run first") from None
        objects = tuple(Source(**source) for source in content["objects"])
        return cls(objects, content["contract"], content["settings"])


def passed_over(lake: Objects) -> list[str]:
    """The keys of raw objects that are no data files, folders apart."""
    return [info.key for info in _divided(lake)[1] if not info.key.endswith("/")]


def _all_sources(lake: Objects) -> list[Source]:
    raw = sorted(_divided(lake)[0], key=_order)
    captured = sorted(lake.list(layout.CAPTURED), key=_order) if raw else []
    return [Source.of(info) for info in (*captured, *raw)]


def _divided(lake: Objects) -> tuple[list[ObjectInfo], list[ObjectInfo]]:
    """Raw objects that are data files, and those that are none.

    An object of zero bytes is none, unless the current data version has a file of its name: that was overwritten, and
    is refused when it is read, so that somebody is told.
    """
    data: list[ObjectInfo] = []
    noise: list[ObjectInfo] = []
    for info in lake.list(layout.RAW):
        (noise if is_noise(info) else data).append(info)
    if any(not info.size for info in noise):
        known = _current_keys(lake)
        data += [info for info in noise if info.key in known]
        noise = [info for info in noise if info.key not in known]
    return data, noise


def _current_keys(lake: Objects) -> frozenset[str]:
    """The keys of the raw objects that the current data version was made of."""
    current = documents.find(lake, layout.CURRENT_DATASET, CurrentDataset)
    manifest = current and documents.find(lake, layout.dataset(current.version, MANIFEST), DatasetManifest)
    return frozenset(file.key for file in manifest.files) if manifest else frozenset()


def _order(info: ObjectInfo) -> tuple[datetime, str]:
    return info.modified, info.key


def _event_object(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Key and version (or "") of the object that an EventBridge event of S3 is about."""
    detail = event.get("detail")
    event_object: Iterable[str] = detail.get("object", {}) if isinstance(detail, dict) else {}
    if not isinstance(event_object, dict) or not isinstance(event_object.get("key"), str):
        return None
    return event_object["key"], str(event_object.get("version-id") or "")
