"""The pointer: which release is served. One small object, swapped in one conditional write.

Its `revision` grows with every write, so that its bytes, and so its ETag, never repeat: a swap that
was decided on an older state fails, whatever happened in between.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from pydantic import with_config

from andamio.errors import DocumentError, NotReady, ObjectNotFound, PreconditionFailed, ReleaseError
from andamio.storage import documents, layout
from andamio.storage.documents import STRICT
from andamio.storage.ports import Objects

type Strategy = Literal["shadow", "canary"]
"""How a challenger is tried: scored beside the champion, or with records of its own to answer."""


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class PointerEntry:
    """A release in service: `since` in ISO 8601, UTC; `run` is the training run that made it."""

    release: str
    since: str
    run: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Change:
    """What led to a revision of the pointer: from which release to which, when (ISO 8601, UTC), who or what, and why.

    `after` serves since a promotion or a rollback, became the challenger, or is the challenger that was withdrawn.
    `decision` names the gate's decision where it was one, `numbers` what it stands on.
    """

    kind: Literal["promoted", "rolled_back", "challenged", "withdrawn"]
    at: str
    by: str
    reason: str
    before: str | None
    after: str
    run: str
    decision: str | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Withdrawn:
    """A release that was taken out of service: neither it nor its model is promoted again unless somebody forces it.

    `identity` is all that a client can tell of its model, by which the same model of another run is known; "" where the
    release could not be read.
    """

    release: str
    run: str
    identity: str
    at: str
    reason: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True)
class Pointer:
    """What is served: the champion, the champion before, and a challenger that is to become the champion.

    `strategy` is how the challenger is tried, `share` the share of records that it answers. `withdrawn` are the
    releases that were rolled back or failed as a challenger, `change` is what led to this revision.
    """

    problem: str
    revision: int = 0
    champion: PointerEntry | None = None
    challenger: PointerEntry | None = None
    share: float = 0.0
    previous: PointerEntry | None = None
    withdrawn: tuple[Withdrawn, ...] = ()
    change: Change | None = None
    strategy: Strategy | None = None
    format_number: Literal[1] = 1

    def to_json(self) -> bytes:
        """The pointer as it is stored; without a challenger it has the fields that every version reads."""
        fields = asdict(self)
        if self.strategy is None:
            del fields["strategy"]
        return json.dumps(fields, indent=1).encode()

    @property
    def rollout(self) -> str | None:
        """The name of the trial of the challenger, which no other has; None without a challenger.

        Every other change of the pointer ends the trial, so that the revision tells it apart.
        """
        return None if self.challenger is None else f"{self.challenger.release}-{self.revision}"

    def challenged(self, entry: PointerEntry, strategy: Strategy, share: float, change: Change) -> Pointer:
        """The pointer after a release became the challenger, in place of one that there may have been."""
        return replace(
            self,
            revision=self.revision + 1,
            challenger=entry,
            strategy=strategy,
            share=share if strategy == "canary" else 0.0,
            change=change,
        )

    def withdrew(self, change: Change, mark: Withdrawn | None = None) -> Pointer:
        """The pointer after the challenger was withdrawn; marked, neither it nor its model is promoted unforced."""
        others = [one for one in self.withdrawn if mark is None or one.release != mark.release]
        return replace(
            self,
            revision=self.revision + 1,
            challenger=None,
            strategy=None,
            share=0.0,
            withdrawn=(*others, *([mark] if mark is not None else [])),
            change=change,
        )

    def promoted(self, served: PointerEntry, change: Change | None = None, identity: str = "") -> Pointer:
        """The pointer after a promotion: the champion becomes the previous one, the challenger's place is free.

        A release that was withdrawn, or whose model was, is so no longer.
        """
        return replace(
            self,
            revision=self.revision + 1,
            champion=served,
            challenger=None,
            strategy=None,
            share=0.0,
            previous=self.champion,
            withdrawn=self._withdrawn_without(served, identity),
            change=change,
        )

    def rolled_back(self, served: PointerEntry, identity: str, withdrawn: Withdrawn, change: Change) -> Pointer:
        """The pointer after a rollback: the champion is withdrawn, and nothing is left to go back to by default.

        `identity` is that of the model that serves now.
        """
        others = [one for one in self._withdrawn_without(served, identity) if one.release != withdrawn.release]
        marked = (*others, withdrawn)
        return replace(
            self,
            revision=self.revision + 1,
            champion=served,
            challenger=None,
            strategy=None,
            share=0.0,
            previous=None,
            withdrawn=marked,
            change=change,
        )

    def withdrawal_of(self, *, release: str = "", run: str = "", identity: str = "") -> Withdrawn | None:
        """The withdrawal of a release, or of its model by `identity` or run; None where there was none."""
        return next((one for one in self.withdrawn if _is_of(one, release, run, identity)), None)

    def _withdrawn_without(self, served: PointerEntry, identity: str) -> tuple[Withdrawn, ...]:
        return tuple(one for one in self.withdrawn if not _is_of(one, served.release, served.run, identity))


def _is_of(withdrawn: Withdrawn, release: str, run: str, identity: str) -> bool:
    if withdrawn.release == release:
        return True
    if withdrawn.identity and identity:
        return withdrawn.identity == identity
    # A damaged champion was withdrawn without its identity: the run that made it is known.
    return bool(run) and withdrawn.run == run


def read_pointer(objects: Objects, problem: str) -> tuple[Pointer, str | None]:
    """The pointer and its ETag; an empty pointer and None when nothing was ever served.

    Raises `ReleaseError` when what is stored there is not a pointer.
    """
    try:
        stored = objects.get(layout.pointer(problem))
    except ObjectNotFound:
        return Pointer(problem), None
    try:
        return documents.parse(stored.body, Pointer, layout.pointer(problem)), stored.etag
    except DocumentError:
        raise ReleaseError(
            f"{layout.pointer(problem)} is not a pointer that this version reads: restore an older version"
        ) from None


def swap_pointer(objects: Objects, pointer: Pointer, etag: str | None) -> None:
    """Write a pointer over the one whose ETag was read; raises `PreconditionFailed` when it has changed."""
    key = layout.pointer(pointer.problem)
    if etag is not None:
        documents.swap(objects, key, pointer, etag)
    elif not documents.write_once(objects, key, pointer):
        raise PreconditionFailed(f"{key}: a first release was promoted meanwhile")


def champion(pointer: Pointer) -> PointerEntry:
    """The champion; raises `NotReady` when there is none yet."""
    if pointer.champion is None:
        raise NotReady(
            f"No model of '{pointer.problem}' is served yet. Put data under raw/ in the lake (andamio ingest FILE): "
            "training follows, and the first model that beats the majority class is served."
        )
    return pointer.champion
