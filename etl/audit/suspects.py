"""Suspects of the leakage audit, and their kinds."""

from __future__ import annotations

from dataclasses import dataclass

COPY = "copies_target"
ALONE = "predicts_alone"
MISSING = "missing_tells"
LATER = "after_event"
IDENTIFIER = "identifier"
GROUPS = "group_overlap"
TIMES = "time_overlap"
DUPLICATES = "duplicates"
NEAR_DUPLICATES = "near_duplicates"

KINDS = (COPY, ALONE, MISSING, LATER, IDENTIFIER, GROUPS, TIMES, DUPLICATES, NEAR_DUPLICATES)
"""Every kind of suspect, the worst first."""

ADVICE = (
    "If it is known only after the event, set available_at_prediction = false. If it encodes the label, remove it "
    "from [features]."
)
"""What to do about a column that reveals the label."""

Number = float | int


@dataclass(frozen=True, slots=True)
class Suspect:
    """A possible leak.

    `feature` is the column, or "" for what concerns whole rows. `evidence` holds the numbers; no value
    of the data is among them, so that private columns can be named. `message` is for people.
    """

    kind: str
    feature: str
    evidence: dict[str, Number]
    message: str
