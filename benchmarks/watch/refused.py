"""How often the alarm of refused records rings: where as many are refused as before, and where more are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.watch import tables_of
from benchmarks.watch.alarms import SIZES, Rates
from monitoring.drift import two_samples
from monitoring.drift.limits import Limits
from monitoring.drift.rejects import Refused, lowest, measure
from monitoring.results import Rejects

USUAL = (0.0, 0.01, 0.05, 0.1)
"""Shares of records that are refused as a rule, for the `_REASONS`."""
MORE = (0.02, 0.05, 0.1)
"""Shares of records that are refused besides, for a reason of their own."""
TRAINED_ON = 1000
"""Records of the data that the release was trained on."""
EARLIER = 30
"""Windows of the release before the one that counts: with those, what refused least is what is usual."""

_REASONS = {("chol", "below"): 0.6, ("thal", "not-in-values"): 0.3, ("age", "above"): 0.1}
_NEW = "trestbps", "below"
_OTHER_TESTS = 42
"""Tests of the window's distributions, with which those of refused records share the false discovery rate: as many as
heart has. Nothing moved there, so their p-values are uniform."""


def draw(rng: np.random.Generator, rows: int, usual: float, more: float = 0.0) -> Refused:
    """The refused records of so many, each refused for one reason."""
    chances = {reason: usual * part for reason, part in _REASONS.items()} | {_NEW: more}
    counts = rng.multinomial(rows, [*chances.values(), 1 - sum(chances.values())]).tolist()
    found = {reason: count for reason, count in zip(chances, counts, strict=False) if count}
    return Refused(rows, sum(found.values()), found)


def compared(rng: np.random.Generator, window: Refused, before: Refused | None) -> Rejects:
    """What the watch says of a window in which nothing else has moved."""
    limits = Limits()
    found = measure(window, before)
    _, p_limit = two_samples.false_discovery_limit([*rng.random(_OTHER_TESTS), *found.p_values()], limits.q)
    return found.result(p_limit, limits)


def alarms(rng: np.random.Generator, rows: int, usual: float, earlier: int) -> dict[str, bool]:
    """Which windows of a release ring, after so many `earlier` ones: as usual, or with more refused records."""
    sealed = draw(rng, TRAINED_ON, usual)
    last: list[Rejects] = []
    for _ in range(earlier):
        last = [compared(rng, draw(rng, rows, usual), lowest(last, sealed))]
    before = lowest(last, sealed)
    return {f"{more:g}": compared(rng, draw(rng, rows, usual, more), before).status == "drift" for more in (0.0, *MORE)}


def rates(rows: int, usual: float, earlier: int, windows: int) -> Rates:
    """Draw the data trained on and the windows of a release anew each time, and count what rings."""
    found = Rates()
    for number in range(windows):
        found.add(alarms(np.random.default_rng([number, rows, earlier]), rows, usual, earlier))
    return found


def table(windows: int, sizes: Sequence[int] = SIZES) -> str:
    """The share of windows that ring, by what is usual, the windows before and the rows of each."""
    lines = []
    for usual in USUAL:
        for earlier in (0, EARLIER):
            for rows in sizes:
                found = rates(rows, usual, earlier, windows)
                kinds = [found.text(f"{more:g}") for more in (0.0, *MORE)]
                lines.append([f"{usual:.0%}", f"{earlier}", f"{rows:,}", *kinds, f"{windows:,}"])
                print(lines[-1], flush=True)
    head = ["usually refused", "windows before", "window rows", "as usual"]
    return tables_of([*head, *(f"+{more:.0%}".replace("%", " points") for more in MORE), "windows"], lines)
