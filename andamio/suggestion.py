"""Did you mean: the known name that is most similar to an unknown one."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

LONGEST = 64
"""Characters of a name that are compared: what comes in a request may be of any length."""


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that is spelled most like `name`, case, spaces and underscores apart; None if none is near.

    >>> nearest("Chest Pain", ["age", "chest_pain"])
    'chest_pain'
    """
    folded = {_folded(other): other for other in reversed(known)}
    close = difflib.get_close_matches(_folded(name[:LONGEST]), list(folded), n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Sequence[str], otherwise: str = "") -> str:
    """The end of a message on an unknown name: the nearest known one, or else `otherwise`."""
    near = nearest(name, known)
    return otherwise if near is None else f"; did you mean '{near}'?"


def _folded(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")
