"""A sealed release: what training hands to serving, a folder that never changes after it is written.

`manifest.json` holds the SHA-256 of every file; the release's version is the digest of the manifest.
So the version vouches for every byte, and a reader that checks both cannot be handed anything else.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from andamio.contract import Contract
from andamio.errors import DocumentError, ObjectNotFound, OtherCode, ReleaseError
from andamio.prepare.code import OwnCode
from andamio.stats.conformal import Margins
from andamio.storage import documents, layout
from andamio.storage.ports import Objects

if TYPE_CHECKING:
    from andamio.release.model import Model

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.onnx"
CONTRACT = "contract.json"
FILES = (
    "MLmodel",
    MODEL,
    CONTRACT,
    "profile.json",
    "reference.json",
    "out_of_fold.json",
    "evaluation.json",
    "decision.json",
)
"""What every release holds."""
PROOF = "proof.json"
"""What the release of a problem with a prepare.py holds besides: `andamio.release.proof`."""
IMPORTANCE, CARD, CARD_PAGE = "importance.json", "card.md", "card.html"
"""What a release of this version holds besides: an older one goes on being served without."""

_VERSION = re.compile(r"[0-9a-f]{16}")


def seal(objects: Objects, files: Mapping[str, bytes], info: Mapping[str, Any]) -> str:
    """Write a release and return its version; idempotent.

    `info` says in a few values where the release comes from (problem, run, data version, split,
    threshold). The manifest goes last: a release without one does not exist. Raises `ReleaseError`
    when a file is missing.
    """
    missing = [name for name in FILES if name not in files]
    if missing:
        message = f"a release needs {', '.join(missing)}: training did not hand it over"
        raise ReleaseError(message, file=missing[0], fault="absent")
    digests = {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}
    manifest = json.dumps({"format": FORMAT, "info": dict(info), "files": digests}, indent=1, sort_keys=True).encode()
    version = version_of(manifest)
    for name in sorted(files):
        objects.put_new(layout.release(version, name), files[name])
    objects.put_new(layout.release(version, MANIFEST), manifest, content_type="application/json")
    return version


def version_of(manifest: bytes) -> str:
    """The version of a release: the first 16 hex digits of its manifest's SHA-256."""
    return hashlib.sha256(manifest).hexdigest()[:16]


def identity(model: str, contract: Contract, decides: float | Margins | None) -> str:
    """A digest of everything that a client can observe of a model, without its training; `model` is its digest.

    `decides` is what a release seals beside the graph: the threshold of a classification, the margins of a regression.
    """
    return hashlib.sha256(f"{model}\n{contract.served_digest}\n{decides}".encode()).hexdigest()


def _changed(version: str, file: str) -> ReleaseError:
    message = f"release {version}: {file} was changed after it was sealed; it must not be served"
    return ReleaseError(message, file=file, fault="changed")


def code_for(version: str, contract: Contract, code: OwnCode | None) -> OwnCode | None:
    """The deployed code, for a release whose records are prepared by it; None for one that needs none.

    Raises `OtherCode` where the release was trained with another prepare.py than the deployed one.
    """
    if not contract.prepares:
        return None
    if code is None or code.digest != contract.prepare:
        message = (
            f"release {version} was trained with another prepare.py than the deployed one. Ingest data again "
            "(andamio ingest), or deploy the prepare.py that it was trained with."
        )
        raise OtherCode(message)
    return code


@dataclass(frozen=True)
class Release:
    """An open release: its manifest is verified against its version, and each file when it is read."""

    version: str
    info: dict[str, Any]
    files: dict[str, str]
    objects: Objects = field(repr=False)

    @classmethod
    def open(cls, objects: Objects, version: str) -> Release:
        """Open a release by version; raises `ReleaseError` when it is missing or its digest does not match."""
        if not _VERSION.fullmatch(version):
            message = f"'{version[:40]}' is not a release version: expected 16 hex digits"
            raise ReleaseError(message, fault="no-version")
        try:
            manifest = objects.get(layout.release(version, MANIFEST)).body
        except ObjectNotFound:
            message = f"release {version} is not there, or was never sealed: it has no {MANIFEST}"
            raise ReleaseError(message, file=MANIFEST, fault="absent") from None
        if version_of(manifest) != version:
            raise _changed(version, MANIFEST)
        content = json.loads(manifest)
        if content.get("format") != FORMAT:
            message = f"release {version}: format {content.get('format')} is not one that this version reads"
            raise ReleaseError(message, file=MANIFEST, fault="unknown-format")
        return cls(version, content["info"], content["files"], objects)

    def read(self, name: str) -> bytes:
        """One file; raises `ReleaseError` when it is missing or its digest does not match."""
        if name not in self.files:
            raise ReleaseError(f"release {self.version} has no {name}", file=name, fault="absent")
        try:
            body = self.objects.get(layout.release(self.version, name)).body
        except ObjectNotFound:
            raise ReleaseError(f"release {self.version}: {name} is gone", file=name, fault="absent") from None
        if hashlib.sha256(body).hexdigest() != self.files[name]:
            raise _changed(self.version, name)
        return body

    def find(self, name: str) -> bytes | None:
        """One file, checked like `read`; None when the release was sealed without it."""
        return self.read(name) if name in self.files else None

    def verify(self) -> None:
        """Read every file; raises `ReleaseError` at the first that is missing or whose digest does not match."""
        for name in self.files:
            self.read(name)

    def json(self, name: str) -> dict[str, Any]:
        """One JSON file, checked like `read`."""
        content: dict[str, Any] = json.loads(self.read(name))
        return content

    def document[D](self, name: str, kind: documents.Kind[D]) -> D:
        """One document, checked like `read`; raises `ReleaseError` when it is not of its kind."""
        try:
            return documents.parse(self.read(name), kind, layout.release(self.version, name))
        except DocumentError as error:
            raise ReleaseError(str(error), file=name, fault="unreadable") from None

    def contract(self) -> Contract:
        """The contract that the model was trained under."""
        return Contract.from_json(self.read(CONTRACT))

    def identity(self) -> str:
        """What it is to a client: its graph, the contract it was sealed with, its threshold."""
        margins = self.margins()
        return identity(self.files[MODEL], self.contract(), self.info["threshold"] if margins is None else margins)

    def margins(self) -> Margins | None:
        """How far the truth may lie from a prediction; None of a classification."""
        said = self.info.get("interval")
        return None if said is None else Margins(**said)

    def model(self) -> Model:
        """The model, ready to score."""
        from andamio.release.model import Model  # onnxruntime: only for those who score

        return Model(self.contract(), self.read(MODEL))
