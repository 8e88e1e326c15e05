"""Every document that is written in storage comes back as it was, and is refused when it is of another kind."""

from __future__ import annotations

import json
from typing import Any

import pytest

from andamio.dataset.documents import CurrentDataset, DatasetAudit, DatasetManifest, DatasetProfile
from andamio.errors import DocumentError
from andamio.release.pointer import Pointer, PointerEntry
from andamio.release.samples import OutOfFoldScores, ReferenceRows
from andamio.storage import documents
from scoring.documents import Failure, KnownBatch, Manifest, UploadRequest
from scoring.split.survey import Survey
from tests.support.batches import a_manifest as a_batch_manifest
from tests.support.batches import a_plan
from tests.support.datasets import a_current, a_manifest, a_profile, a_source

DOCUMENTS: dict[type[Any], Any] = {
    UploadRequest: UploadRequest("b", "incoming/b/a.csv", "2026-11-21T10:00:00+00:00", "2026-11-21T10:15:00+00:00"),
    Failure: Failure("chunk", 3, "out of memory", "2026-11-21T10:00:00+00:00"),
    KnownBatch: KnownBatch("b"),
    Manifest: a_batch_manifest(a_plan(), ["scored/b/part-00000.csv"]),
    Survey: Survey(0, 90, 3, (False, True), (-1, 2), (30, 1), ((45, (60, 2), None),)),
    ReferenceRows: ReferenceRows(2, {"age": (61.0, None), "kind": ("a", "b")}, ("2026-06-01", None)),
    OutOfFoldScores: OutOfFoldScores(2, ("0", "1"), (0, 1), (0, 0), ((0.75, 0.25), (0.5, 0.5))),
    DatasetManifest: a_manifest("v1", files=[a_source("raw/a.csv")]),
    CurrentDataset: a_current("v1"),
    DatasetProfile: a_profile(),
    Pointer: Pointer("heart", 1, champion=PointerEntry("r", "2026-11-27T12:00:00+00:00", "run")),
    DatasetAudit: DatasetAudit(suspects=[], checked=["identifier"], findings=[]),
}


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
def test_it_comes_back_as_it_was(kind: type[Any]) -> None:
    written = DOCUMENTS[kind]
    assert documents.parse(written.to_json(), kind, "key") == written


@pytest.mark.parametrize("kind", DOCUMENTS, ids=lambda kind: kind.__name__)
def test_another_format_a_foreign_field_and_a_lack_are_refused(kind: type[Any]) -> None:
    content = json.loads(DOCUMENTS[kind].to_json())
    number = "format" if "format" in content else "format_number"
    lacking = dict(list(content.items())[1:]) if next(iter(content)) != number else dict(list(content.items())[:-1])
    for changed in (content | {number: 99}, content | {"foreign": 1}, lacking):
        with pytest.raises(DocumentError, match="key: "):
            documents.parse(json.dumps(changed).encode(), kind, "key")
