"""An approval: a promotion that the gate allows, and that waits for a person.

One document a release, `approvals/RELEASE.json`. Executions that wait are told by their task tokens; the document is
what holds: an answer counts for every execution that asks about the same decision, whenever it does. That nobody
answered in time is an answer, too, which the execution that waited writes by the same conditional write: of a late
answer and the end of the time one holds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from andamio.errors import ObjectNotFound, PreconditionFailed, UsageError
from andamio.storage import documents, layout
from andamio.storage.documents import Document, Part
from andamio.storage.ports import Objects

_ATTEMPTS, _TOKENS = 20, 20

APPROVAL = "the approval"
"""Who answers, and rejects in the history, where nobody did in time."""


class Answer(Part):
    """Who approved or declined, when (ISO 8601, UTC), and why; by `APPROVAL`, that nobody did in time."""

    approved: bool
    by: str
    at: str
    reason: str


class Approval(Document):
    """`approvals/RELEASE.json`: what waits for an answer until `expires` (ISO 8601, UTC).

    `tokens` are those of the tasks that wait; two executions may ask about one decision. `reason` and `numbers` are the
    gate's, `champion` is the release that it was compared with.
    """

    problem: str
    release: str
    run: str
    decision: str
    champion: str | None
    reason: str
    numbers: dict[str, float]
    tokens: list[str]
    asked: str
    expires: str
    answer: Answer | None = None

    def is_open(self, now: datetime) -> bool:
        """Whether an answer is still waited for."""
        return self.answer is None and now < datetime.fromisoformat(self.expires)

    @property
    def lapsed(self) -> bool:
        """Whether it is written down that nobody answered in time."""
        return self.answer is not None and self.answer.by == APPROVAL


def nobody_approved(release: str, until: str) -> str:
    """The reason of a rejection by time."""
    return f"Nobody approved it until {until}. Train again to ask again, or: andamio promote {release}"


def lapse(objects: Objects, release: str, decision: str, now: datetime, *, waited: bool) -> Approval | None:
    """The approval of a decision, which lapses where its time is over and nobody answered; None where none was asked.

    `waited`: the caller is an execution whose time to wait is over. Where no other one has asked, so is the approval's.
    Raises `PreconditionFailed` where others keep writing at the same moment.
    """

    def lapsed(found: Approval | None) -> Approval | None:
        if found is None or found.decision != decision:
            return None
        if found.answer is not None or (found.is_open(now) and not (waited and len(found.tokens) == 1)):
            return found
        at = now.isoformat(timespec="seconds")
        said = Answer(approved=False, by=APPROVAL, at=at, reason=nobody_approved(release, found.expires))
        return found.model_copy(update={"answer": said})

    return _change(objects, release, lapsed)


def ask(objects: Objects, approval: Approval) -> Approval:
    """Write what waits and return it; a person's answer to the same decision stays, and tokens that wait for it too.

    Raises `PreconditionFailed` where others keep writing at the same moment.
    """

    def asked(found: Approval | None) -> Approval:
        if found is None or found.decision != approval.decision:
            return approval
        if found.answer is not None and not found.lapsed:
            return found
        tokens = [*found.tokens, *(token for token in approval.tokens if token not in found.tokens)]
        return approval.model_copy(update={"tokens": tokens[-_TOKENS:]})

    return _change(objects, approval.release, asked)


def _change[A: (Approval, Approval | None)](
    objects: Objects, release: str, change: Callable[[Approval | None], A]
) -> A:
    """Write what `change` makes of a release's approval, where that is another one, and return it.

    Raises `PreconditionFailed` where others keep writing at the same moment.
    """
    key = layout.approval(release)
    for _ in range(_ATTEMPTS):
        try:
            stored = objects.get(key)
        except ObjectNotFound:
            found, etag = None, None
        else:
            found, etag = documents.parse(stored.body, Approval, key), stored.etag
        after = change(found)
        if after is None or after is found or documents.replace(objects, key, after, etag):
            return after
    raise PreconditionFailed(f"{key} kept changing")


def find_approval(objects: Objects, release: str) -> Approval | None:
    """The approval of a release, answered or not; None where none was asked for."""
    return documents.find(objects, layout.approval(release), Approval)


def open_approvals(objects: Objects, problem: str, now: datetime) -> list[Approval]:
    """What waits for an answer, the oldest first."""
    found = [documents.read(objects, item.key, Approval) for item in objects.list(layout.APPROVALS)]
    return sorted(
        (one for one in found if one.problem == problem and one.is_open(now)), key=lambda approval: approval.asked
    )


def answer(objects: Objects, release: str, answered: Answer, now: datetime) -> Approval:
    """Write the answer and return what was asked; the same answer given again changes nothing.

    Raises `UsageError` when nothing was asked, when the time is over, or when somebody answered otherwise.
    """
    key = layout.approval(release)
    try:
        stored = objects.get(key)
    except ObjectNotFound:
        raise UsageError(f"Release {release} waits for no approval. andamio approve lists what does.") from None
    found = documents.parse(stored.body, Approval, key)
    if found.lapsed or (found.answer is None and not found.is_open(now)):
        raise UsageError(
            f"The time to approve release {release} was over at {found.expires}, and it is {now:%H:%M:%S} UTC by this "
            f"clock: it is rejected. Train again, or let it serve without the gate: andamio promote {release}"
        )
    if found.answer is not None and found.answer.approved == answered.approved:
        return found
    if found.answer is not None:
        said = "approved" if found.answer.approved else "declined"
        raise UsageError(
            f"Release {release} was {said} by {found.answer.by} at {found.answer.at}: {found.answer.reason}"
        )
    after = found.model_copy(update={"answer": answered})
    try:
        documents.swap(objects, key, after, stored.etag)
    except PreconditionFailed:
        raise UsageError(
            f"The approval of release {release} changed at the same moment: give the command again to see how."
        ) from None
    return after
