"""Events on EventBridge: what a system tells of itself, for whoever hangs something on it (docs/events.md).

An event may arrive more than once: EventBridge delivers at least once, and a step that is cut off is done again. The
`id` of its detail is made of what happened, so that both copies have the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from pydantic import Field

from andamio.storage.documents import Document

EventType = Literal[
    "Model promoted",
    "Model rejected",
    "Drift seen",
    "Performance worse",
    "Model rolled back",
    "Approval needed",
    "Model challenged",
    "Model withdrawn",
    "Retraining started",
]
"""The detail-types of events."""
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)


class EventDetail(Document):
    """The detail of an event; `release`, `window` and `report` are null where there is none."""

    id: str = Field(pattern="^[0-9a-f]{32}$", description="The same for each delivery of one event.")
    problem: str = Field(description="The name of the problem.")
    system: str = Field(description="The problem as it is deployed: `heart`, or `heart--prod` of the stage prod.")
    release: str | None = Field(description="The release that the event is about.")
    window: str | None = Field(description="The end of the window of the watch, ISO 8601, UTC.")
    message: str = Field(description="One or two sentences for people; its words may change.")
    report: str | None = Field(description="The key of the report, in the bucket of the lake.")


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its detail-type and its detail."""

    kind: EventType
    detail: EventDetail


def make_event(
    kind: EventType,
    *,
    problem: str,
    system: str,
    occasion: str,
    message: str,
    release: str | None = None,
    window: str | None = None,
    report: str | None = None,
) -> Event:
    """An event; `occasion` says which one of its type it is: a run and its decision, or a window."""
    digest = hashlib.sha256("\n".join((kind, system, occasion)).encode()).hexdigest()
    return Event(
        kind,
        EventDetail(
            id=digest[:32],
            problem=problem,
            system=system,
            release=release,
            window=window,
            message=message,
            report=report,
        ),
    )
