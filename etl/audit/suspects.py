"""What the audit finds: one record, and the kinds there are."""

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

KINDS = (COPY, ALONE, MISSING, LATER, IDENTIFIER, GROUPS, TIMES, DUPLICATES)
"""Every kind of suspect, the worst first."""

Number = float | int


@dataclass(frozen=True, slots=True)
class Suspect:
    """One thing that looks like a leak.

    `feature` is the column, or "" for what concerns whole rows. `evidence` holds the numbers; no value
    of the data is ever among them, so that private columns can be named too. `message` is for people.
    """

    kind: str
    feature: str
    evidence: dict[str, Number]
    message: str
