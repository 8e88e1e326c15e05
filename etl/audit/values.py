"""Findings about values: problems that are not leaks, but make a model worse or its scores misleading.

Pure functions over kept columns. A finding never stops a run, but for numbers of which float32 merges most: ETL
refuses these before anything is sealed.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.canonical import folded
from andamio.contract.tables import Feature
from andamio.dataset.columns import Columns, missing

NO_INFORMATION = "no_information"
FLOAT32 = "merged_by_float32"
INVISIBLE = "invisible_characters"
ALIKE = "look_alikes"
FINDINGS = (FLOAT32, NO_INFORMATION, INVISIBLE, ALIKE)
"""Every kind of finding, the worst first."""

MERGED = 0.02
"""The share of a column's distinct numbers from which on it is said that float32 merges them."""
MOST = 0.5
"""The share from which on the column is refused."""
_PAIRS, _LONGEST = 3, 40


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a column's values; spellings are named in `message` unless the feature is private."""

    kind: str
    feature: str
    evidence: dict[str, float | int]
    message: str

    @property
    def refused(self) -> bool:
        """Whether nothing may be trained on such a column."""
        return self.kind == FLOAT32 and self.evidence["kept"] < MOST * self.evidence["distinct"]


def findings(contract: Contract, train: Columns) -> list[Finding]:
    """What is found about the values of the features that a model would see, the worst kinds first."""
    found = [finding for name, feature in contract.inputs.items() for finding in _feature(name, feature, train[name])]
    return sorted(found, key=lambda finding: FINDINGS.index(finding.kind))


def _feature(name: str, feature: Feature, column: NDArray[Any]) -> Iterator[Finding]:
    known = column[~missing(column)]
    distinct = len(np.unique(known)) if feature.type != "category" else len(set(column.tolist()))
    if distinct < 2:
        what = (
            f"has one value in {len(known)} of {len(column)} rows of train" if len(known) else "has no value in train"
        )
        yield Finding(
            NO_INFORMATION,
            name,
            {"rows": len(column), "known": len(known)},
            f"'{name}' {what}: no model can learn from it, so it is ignored until data tell rows apart by it.",
        )
    elif feature.type == "number":
        yield from _merged(name, distinct, known)
    elif feature.type == "category":
        yield from _spellings(name, feature, Counter(known.tolist()))


def _merged(name: str, distinct: int, known: NDArray[np.float64]) -> Iterator[Finding]:
    kept = len(np.unique(known.astype(np.float32)))
    if distinct - kept <= MERGED * distinct:
        return
    yield Finding(
        FLOAT32,
        name,
        {"distinct": distinct, "kept": kept},
        f"'{name}': of {distinct} distinct values float32, which models compute in, tells {kept} apart. Subtract an "
        "offset such as the smallest value, use a larger unit, or make it a date or a category.",
    )


def _spellings(name: str, feature: Feature, counts: Counter[str]) -> Iterator[Finding]:
    listed = feature.values or {}
    odd = sorted(text for text in counts if text not in listed and text != _visible(text))
    if odd:
        named = "" if feature.private else f": {_named(odd)}"
        yield Finding(
            INVISIBLE,
            name,
            {"values": len(odd), "rows": sum(counts[text] for text in odd)},
            f"'{name}' has {_number(len(odd), 'value')} with invisible characters{named}. Such a value is another "
            "category than the one that it looks like: take the characters out.",
        )
    groups: dict[str, list[str]] = {}
    for text in sorted({*counts, *listed}, key=lambda text: (-counts[text], text)):
        groups.setdefault(folded(text), []).append(text)
    alike = [group for group in groups.values() if len(group) > 1 and not all(text in listed for text in group)]
    if alike:
        said = "; ".join(" and ".join(map(_shown, group[:_PAIRS])) for group in alike[:_PAIRS])
        more = f", and {len(alike) - _PAIRS} more" if len(alike) > _PAIRS else ""
        yield Finding(
            ALIKE,
            name,
            {"groups": len(alike), "rows": sum(counts[text] for group in alike for text in group[1:])},
            f"'{name}' has categories that differ in case, spaces or invisible characters alone"
            f"{'' if feature.private else f': {said}{more}'}. Each is a category of its own: give them one spelling.",
        )


def _visible(text: str) -> str:
    return "".join(character for character in text if unicodedata.category(character) != "Cf")


def _named(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _PAIRS} more" if len(texts) > _PAIRS else ""
    return ", ".join(map(_shown, texts[:_PAIRS])) + more


def _shown(text: str) -> str:
    """A text in quotes, its invisible characters as escapes."""
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return "'" + "".join(one if one.isprintable() else ascii(one)[1:-1] for one in cut) + "'"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
