"""What a failed execution tells: the state, what went into it, and the traceback of the handler behind it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

_LONGEST = 2_000
_STATES_SHOWN = 3
_FAILED = ("taskFailedEventDetails", "lambdaFunctionFailedEventDetails", "taskTimedOutEventDetails")


class ExecutionFailure(AssertionError):
    """An execution that had to succeed did not."""


def describe(part: str, status: str, error: str, cause: str, events: Sequence[Mapping[str, Any]]) -> str:
    """A failed execution for people, by the events of its history."""
    lines = [f"The '{part}' execution ended as {status}: {error or 'no error name'}", f"  cause: {_summary(cause)}"]
    path = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    lines.append(f"  states: {' > '.join(path) or 'none was entered'}")
    by_id = {event["id"]: event for event in events}
    failures = [(event[key], _entry(event, by_id)) for event in events for key in _FAILED if key in event]
    # The last failure of each entry into a state: what was retried before is no news.
    last = {entry["id"]: (detail, entry["stateEnteredEventDetails"]) for detail, entry in failures if entry}
    for detail, entered in list(last.values())[:_STATES_SHOWN]:
        lines.append(f"  state that failed: {entered['name']}")
        lines.append(f"    its input: {_short(entered.get('input', ''))}")
        lines.append(_told(detail))
    return "\n".join(lines)


def _entry(event: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The event of the entry into the state that an event belongs to."""
    at: Mapping[str, Any] | None = event
    while at is not None and "stateEnteredEventDetails" not in at:
        at = by_id.get(at.get("previousEventId", 0))
    return at


def _told(detail: Mapping[str, Any]) -> str:
    """The handler's traceback, or what the service said where no handler failed."""
    said = _of_handler(str(detail.get("cause", "")))
    if said is None:
        return f"    {detail.get('error', '')}: {_short(str(detail.get('cause', '')))}"
    return "\n".join(["    the handler's traceback:", *(f"      {line}" for line in said["stackTrace"])])


def _summary(cause: str) -> str:
    """A cause without its traceback."""
    said = _of_handler(cause)
    return _short(cause) if said is None else f"{said['errorType']}: {_short(said['errorMessage'])}"


def _of_handler(cause: str) -> dict[str, Any] | None:
    """What Lambda says of a handler that failed, None where no handler did."""
    try:
        said = json.loads(cause)
    except ValueError:
        return None
    of_lambda = isinstance(said, dict) and {"errorType", "errorMessage", "stackTrace"} <= set(said)
    return said if of_lambda else None


def _short(text: str, longest: int = _LONGEST) -> str:
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text)} characters)"
