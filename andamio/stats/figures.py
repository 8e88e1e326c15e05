"""Figures in words: a share or a probability to some decimals, what is in the target's unit as a number of its size."""

from __future__ import annotations

from andamio.pages.text import number
from andamio.stats.metrics import in_units


def figure(metric: str, value: float | None, *, signed: bool = False, decimals: int = 3) -> str:
    """A value of a metric, or the difference of two; in the target's unit without fixed decimals, "" for none."""
    if value is None:
        return ""
    if not in_units(metric):
        return f"{value:{'+' if signed else ''}.{decimals}f}"
    return f"{'+' if signed and value >= 0 else ''}{number(value)}"


def score(value: float, *, in_unit: bool) -> str:
    """A score of predictions: a probability, or a value in the target's unit."""
    return number(value) if in_unit else f"{value:.2f}"
