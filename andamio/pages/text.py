"""Numbers formatted for readers."""

from __future__ import annotations

from datetime import date, timedelta

NOTHING = "\u2013"
"""What stands where there is no figure."""


def number(value: float) -> str:
    """A number with commas between thousands, and at most four digits behind the point."""
    if isinstance(value, int):
        return f"{value:,}"
    if value != value:
        return NOTHING
    size = abs(value)
    if size >= 1e7 or (0 < size < 1e-3):
        return f"{value:.3g}"
    return f"{value:,.4g}" if size < 1000 else f"{value:,.0f}"


def day(days: float) -> str:
    """Days since 1970 as a date."""
    return str(date(1970, 1, 1) + timedelta(days=round(days)))


def percent(share: float) -> str:
    """A share in per cent, never rounded to nothing."""
    return "< 0.1%" if 0 < share < 0.001 else f"{share:.1%}"


def count(number: int, noun: str) -> str:
    """A count with its noun."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cell(value: str | float | None) -> str:
    """A table's cell; a dash for nothing."""
    if value is None or value == "":
        return NOTHING
    return value if isinstance(value, str) else number(value)


def is_number(value: str | float | None) -> bool:
    """Whether a table's cell holds a number, also one that has its text already."""
    return cell(value).removeprefix("< ")[:1] in f"0123456789-{NOTHING}"
