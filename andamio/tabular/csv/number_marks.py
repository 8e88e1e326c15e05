"""The marks that numbers are written with: which they are, and a cell as it would be written without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_SPACES = " \u00a0\u202f"
_POINTED = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
_PLAIN = re.compile(r"\s*[+-]?\d*([.,])\d+(?:[eE][+-]?\d+)?\s*")
_GROUP = re.compile(r"\s*[+-]?[1-9]\d{0,2}([.,])\d{3}\s*")
_GROUPS = re.compile(r"\s*[+-]?[1-9]\d{0,2}(?:([.,])\d{3})(?:\1\d{3})+\s*")
_ENOUGH = 200
"""How many cells with the same mark decide: cells after them are not examined."""


@dataclass(frozen=True, slots=True)
class Marks:
    """Which decimal mark cells show, "" where they show none; `unclear` is the place of a column that could be read
    either way, where no other cell decides."""

    decimal: str
    unclear: int | None = None


def marks_of(rows: Iterable[Sequence[str]], positions: Sequence[int]) -> Marks:
    """Which decimal mark the cells at some positions show.

    "12,5" shows a comma and "0.125" a point. "1,250" shows neither: it is a thousand to some and one and a bit to
    others. Where a point is shown, commas are none; where cells of the second kind are the only ones with a
    mark, the place of one is `unclear`.
    """
    found = {".": 0, ",": 0}
    unclear: int | None = None
    for cells in rows:
        for position in positions:
            cell = cells[position] if position < len(cells) else ""
            if ("." not in cell and "," not in cell) or not (
                match := _PLAIN.fullmatch(cell) or _GROUPS.fullmatch(cell)
            ):
                continue
            if match.re is _GROUPS or _GROUP.fullmatch(cell):
                unclear = position if unclear is None else unclear
            else:
                found[match[1]] += 1
        if found["."] >= _ENOUGH:
            break
    if found["."]:
        return Marks(".")
    return Marks(",") if found[","] else Marks("", unclear)


def grouped_number(decimal: str, thousands: str) -> str:
    """A regular expression (RE2's and Python's) for a whole cell that is a number with marks between thousands."""
    mark = f"[{_SPACES}]" if thousands in _SPACES else re.escape(thousands)
    return rf"^\s*[+-]?[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+(?:{re.escape(decimal)}[0-9]*)?(?:[eE][+-]?[0-9]+)?\s*$"


def marks_between(thousands: str) -> tuple[str, ...]:
    """The characters that stand between thousands where one of them is stated."""
    return tuple(_SPACES) if thousands in _SPACES else (thousands,)


def without_thousands(cell: str, decimal: str, thousands: str) -> str:
    """The cell without marks between thousands, where each stands before three digits; any other cell as it is."""
    if not any(mark in cell for mark in marks_between(thousands)):
        return cell
    if re.match(grouped_number(decimal, thousands), cell) is None:
        return cell
    for mark in marks_between(thousands):
        cell = cell.strip().replace(mark, "")
    return cell


def with_point(cell: str) -> str:
    """A cell that is a number with a decimal comma, with a point, as categories and ids are compared; else as it is."""
    return cell.replace(",", ".") if "," in cell and _POINTED.fullmatch(cell) else cell
