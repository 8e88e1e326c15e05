"""An approval: a promotion that the gate allows, and that waits for a person.

One document a release, `approvals/RELEASE.json`. Executions that wait are told by their task tokens; the document is
what holds: an answer counts for every execution that asks about the same decision, whenever it does.
"""

from __future__ import annotations

from datetime import datetime

from andamio.errors import ObjectNotFound, PreconditionFailed, UsageError
from andamio.storage import documents, layout
from andamio.storage.documents import Document, Part
from andamio.storage.ports import Objects

_ATTEMPTS, _TOKENS = 20, 20


class Answer(Part):
    """Who approved or declined, when (ISO 8601, UTC), and why."""

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

    def is_over(self, now: datetime) -> bool:
        """Whether nobody answered in time."""
        return self.answer is None and not self.is_open(now)


def ask(objects: Objects, approval: Approval) -> Approval:
    """Write what waits and return it; an answer to the same decision stays, and tokens that wait for it too.

    Raises `PreconditionFailed` where others keep writing at the same moment.
    """
    key = layout.approval(approval.release)
    for _ in range(_ATTEMPTS):
        if documents.write_once(objects, key, approval):
            return approval
        stored = objects.get(key)
        found = documents.parse(stored.body, Approval, key)
        asked = approval
        if found.decision == approval.decision:
            if found.answer is not None:
                return found
            tokens = [*found.tokens, *(token for token in approval.tokens if token not in found.tokens)]
            asked = approval.model_copy(update={"tokens": tokens[-_TOKENS:]})
        try:
            documents.swap(objects, key, asked, stored.etag)
        except PreconditionFailed:
            continue
        return asked
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
    if found.answer is not None and found.answer.approved == answered.approved:
        return found
    if found.answer is not None:
        said = "approved" if found.answer.approved else "declined"
        raise UsageError(
            f"Release {release} was {said} by {found.answer.by} at {found.answer.at}: {found.answer.reason}"
        )
    if not found.is_open(now):
        raise UsageError(
            f"The time to approve release {release} was over at {found.expires}: it is rejected. Train again, or let "
            f"it serve without the gate: andamio promote {release}"
        )
    after = found.model_copy(update={"answer": answered})
    try:
        documents.swap(objects, key, after, stored.etag)
    except PreconditionFailed:
        raise UsageError(
            f"Somebody else answered for release {release} at the same moment: give the command again to see how."
        ) from None
    return after
