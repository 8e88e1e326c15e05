"""The context of every step of scoring: the buckets, the table, and the releases that were opened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from andamio.contract import Contract
from andamio.prepare.code import OwnCode
from andamio.release.answers import Answers, sealed_answers
from andamio.release.model import Model
from andamio.release.proof import Proof, prove
from andamio.release.release import MODEL, PROOF, Release, code_for
from andamio.storage.ports import Objects, PredictionStore
from scoring.batch import BatchPlan

_CACHE_SIZE = 2


@dataclass(frozen=True, slots=True)
class OpenRelease:
    """A release in memory; its model is loaded when a shard is scored, `code` prepares its rows."""

    release: Release
    contract: Contract
    code: OwnCode | None = None

    @property
    def answers(self) -> Answers:
        """How its scores are told; raises `ReleaseError`."""
        return sealed_answers(self.release, self.contract)


STORED_BYTES = 4 * 2**20
"""Most bytes of a shard whose rows are all stored: some 100,000 rows, and a function has 15 minutes."""


@dataclass(frozen=True)
class ScoringContext:
    """Buckets and table of one problem; `bucket` is the name of the batch bucket, `shard_bytes` how large a shard is.

    `capture_share` of the scored rows, from 0 to 1, are kept in the lake for the watch, without the features in
    `private`. `code` gives the problem's own code, as it was deployed; it may raise `PrepareError`.

    Releases never change, so one that was opened stays so, and a function that is used again need not
    read it again.
    """

    problem: str
    bucket: str
    batch: Objects
    models: Objects
    table: PredictionStore
    shard_bytes: int
    lake: Objects | None = None
    capture_share: float = 0.0
    private: tuple[str, ...] = ()
    code: Callable[[], OwnCode | None] = lambda: None
    _releases: dict[str, OpenRelease] = field(default_factory=dict, repr=False)
    _models: dict[str, Model] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def bytes_of_a_shard(self, plan: BatchPlan) -> int:
        """How many bytes of a file make a shard: fewer where every row goes into the table, which takes its time."""
        return min(self.shard_bytes, STORED_BYTES) if plan.store == "always" else self.shard_bytes

    def open(self, version: str) -> OpenRelease:
        """A release with its contract; raises `ReleaseError`."""
        with self._lock:
            if version not in self._releases:
                release = Release.open(self.models, version)
                contract = release.contract()
                code = code_for(version, contract, self.code()) if contract.prepares else None
                _make_room(self._releases)
                self._releases[version] = OpenRelease(release, contract, code)
            return self._releases[version]

    def model(self, version: str) -> Model:
        """The model of a release, ready to score; raises `ReleaseError`."""
        open_release = self.open(version)
        with self._lock:
            if version not in self._models:
                release = open_release.release
                model = Model(open_release.contract, release.read(MODEL))
                if PROOF in release.files:
                    proof = release.document(PROOF, Proof)
                    prove(version, open_release.contract, open_release.code, proof, model.predict)
                _make_room(self._models)
                self._models[version] = model
            return self._models[version]


def _make_room[Cached](cache: dict[str, Cached]) -> None:
    while len(cache) >= _CACHE_SIZE:
        del cache[next(iter(cache))]
