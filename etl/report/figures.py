"""The figures of a report: what each column looks like, what it says of the label, how it moved.

All are of training rows: whoever reads a report goes on to choose features, and the holdout stays a
judge only as long as nobody has looked at it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.dataset.columns import Columns
from etl.audit.evidence import as_numbers, has_value
from etl.twins import codes_of, hashes

SAMPLE = 50_000
"""Rows that relations between columns are worked out on: the first ones, which are a sample, as digests order them."""
VALUES = 12
"""Values of a category that are shown by name."""
BINS = 24
LONGEST = 48
OTHER, NONE = "(all others)", "(no value)"
TRUTH = {0.0: "false", 1.0: "true"}
SIGNIFICANT = 2.3263
"""The normal quantile of a one-sided test at 1%."""


@dataclass(slots=True)
class FeatureSummary:
    """One feature in train: `values` are (text, rows by class), `bins` are (from, to, rows by class)."""

    name: str
    feature: Feature
    rows: int
    missing: int
    missing_by_class: list[int]
    numbers: dict[str, float] = field(default_factory=dict)
    values: list[tuple[str, list[int]]] = field(default_factory=list)
    bins: list[tuple[float, float, list[int]]] = field(default_factory=list)
    beyond: int = 0
    far: int = 0
    distinct: int = 0

    @property
    def shown(self) -> bool:
        """Whether its values may be shown."""
        return not self.feature.private

    @property
    def ordered(self) -> bool:
        """Whether it is a number or a date."""
        return self.feature.type in ("integer", "number", "date")


@dataclass(frozen=True, slots=True)
class LabelInformation:
    """What a column tells of the label: mutual information in bits, as a share of the label's own; beyond chance?"""

    name: str
    bits: float
    share: float
    beyond_chance: bool


@dataclass(frozen=True, slots=True)
class Association:
    """How two columns go together: Spearman's rho, Cramer's V, or the correlation ratio of ranks."""

    first: str
    second: str
    value: float
    measure: str


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column moved since the last data version: its PSI, and what chance alone reaches in 95 of 100 cases."""

    name: str
    psi: float
    chance: float

    @property
    def drifted(self) -> bool:
        """Whether it moved more than is usual and more than chance does."""
        return self.psi > 0.1 and self.psi > self.chance


def summarize(
    name: str, feature: Feature, column: NDArray[np.generic], labels: NDArray[np.int64], classes: int
) -> FeatureSummary:
    """One column of train with its labels `[rows]`; nothing but counts of a private one."""
    known = has_value(column)
    lacking = np.bincount(labels[~known], minlength=classes)
    found = FeatureSummary(name, feature, len(column), int((~known).sum()), lacking.tolist())
    if feature.private or not known.any():
        return found
    values, labels = column[known], labels[known]
    found.distinct = len(pd.unique(values))
    if found.ordered:
        _summarize_numbers(found, as_numbers(feature, values), labels, classes)
    else:
        _summarize_values(found, values, labels, classes)
    return found


def _summarize_numbers(
    found: FeatureSummary, numbers: NDArray[np.float64], labels: NDArray[np.int64], classes: int
) -> None:
    low, first, middle, third, high = np.quantile(numbers, [0, 0.25, 0.5, 0.75, 1]).tolist()
    span = third - first
    outside = (numbers < first - 1.5 * span) | (numbers > third + 1.5 * span)
    far = (numbers < first - 3 * span) | (numbers > third + 3 * span)
    inside = numbers[~outside]
    found.beyond, found.far = int(outside.sum()), int(far.sum())
    found.numbers = {
        "mean": float(numbers.mean()),
        "std": float(numbers.std()),
        "min": low,
        "first": first,
        "median": middle,
        "third": third,
        "max": high,
        "whisker_low": float(inside.min()) if len(inside) else first,
        "whisker_high": float(inside.max()) if len(inside) else third,
    }
    edges = _edges(numbers, span)
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    counts = np.zeros((len(edges) - 1, classes), dtype=np.int64)
    np.add.at(counts, (place, labels), 1)
    found.bins = [(float(edges[i]), float(edges[i + 1]), counts[i].tolist()) for i in range(len(counts))]


def _edges(numbers: NDArray[np.float64], span: float) -> NDArray[np.float64]:
    """Edges of bins of equal width; values far outside fall into the first or the last bin."""
    low, high = float(numbers.min()), float(numbers.max())
    if span > 0 and high - low > 12 * span:
        low, high = (float(edge) for edge in np.quantile(numbers, [0.005, 0.995]))
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    whole = bool((np.floor(numbers) == numbers).all())
    if whole and high - low < BINS:
        return np.arange(math.floor(low), math.ceil(high) + 2, dtype=np.float64) - 0.5
    bins = min(BINS, max(8, math.ceil(2 * len(numbers) ** (1 / 3))))
    if whole:
        step = math.ceil((high - low + 1) / bins)
        return np.arange(math.floor(low), high + step + 1, step).astype(np.float64) - 0.5
    return np.asarray(np.linspace(low, high, bins + 1), dtype=np.float64)


def _summarize_values(
    found: FeatureSummary, values: NDArray[np.generic], labels: NDArray[np.int64], classes: int
) -> None:
    texts = [TRUTH[value] for value in values.tolist()] if values.dtype.kind == "f" else values.tolist()
    counts = Counter(texts)
    ranked = sorted(counts, key=lambda text: (-counts[text], text))[:VALUES]
    listed = found.feature.values or {}
    if len(counts) <= VALUES:  # in the contract's order, where it has one
        order = {text: place for place, text in enumerate(listed)}
        ranked.sort(key=lambda text: order.get(text, len(order)))
    place = {text: index for index, text in enumerate(ranked)}
    index = np.array([place.get(text, len(ranked)) for text in texts])
    table = np.zeros((len(ranked) + 1, classes), dtype=np.int64)
    np.add.at(table, (index, labels), 1)
    shown = [_shown(text, listed.get(text, text)) for text in ranked]
    found.values = [(text, row.tolist()) for text, row in zip(shown, table, strict=False)]
    if len(counts) > len(ranked):
        found.values.append((OTHER, table[-1].tolist()))


def _shown(value: str, text: str) -> str:
    said = value if text == value else f"{text} ({value})"
    return said if len(said) <= LONGEST else said[: LONGEST - 1] + "…"


def label_information(contract: Contract, train: Columns, labels: NDArray[np.int64]) -> list[LabelInformation]:
    """What each column that may be shown tells of the label, the most telling first.

    Mutual information of up to ten bins of equal count (no value is one more) less its bias by chance
    (Miller and Madow); beyond chance by the G test at 1%.
    """
    labels = labels[:SAMPLE]
    shares = np.bincount(labels) / len(labels)
    entropy = float(-(shares[shares > 0] * np.log2(shares[shares > 0])).sum())
    found = []
    for name, feature in contract.inputs.items():
        if feature.private:
            continue
        codes = _coarse(feature, train[name][:SAMPLE])
        table = np.zeros((codes.max() + 1, len(contract.classes)))
        np.add.at(table, (codes, labels), 1)
        bits, freedom = _information(table)
        chance = freedom / (2 * len(labels) * math.log(2))
        beyond = freedom > 0 and bits * 2 * len(labels) * math.log(2) > _chi_square(freedom, SIGNIFICANT)
        corrected = max(bits - chance, 0.0)
        found.append(LabelInformation(name, corrected, corrected / entropy if entropy else 0.0, bool(beyond)))
    return sorted(found, key=lambda one: (-one.bits, one.name))


def related(contract: Contract, train: Columns, names: list[str]) -> list[Association]:
    """How each pair of the named columns goes together, over the rows that have both."""
    ranks: dict[str, NDArray[np.float64]] = {}
    codes: dict[str, NDArray[np.int64]] = {}
    for name in names:
        feature, column = contract.features[name], train[name][:SAMPLE]
        if feature.type in ("integer", "number", "date"):
            ranks[name] = _ranks(as_numbers(feature, column))
        else:
            codes[name] = np.where(has_value(column), codes_of(column), -1)
    found = []
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            if first in ranks and second in ranks:
                value, measure = _spearman(ranks[first], ranks[second]), "Spearman's rho"
            elif first in codes and second in codes:
                value, measure = _cramer(codes[first], codes[second]), "Cramér's V"
            else:
                numbers, groups = (first, second) if first in ranks else (second, first)
                value, measure = _ratio(ranks[numbers], codes[groups]), "correlation ratio"
            found.append(Association(first, second, value, measure))
    return found


def moved(contract: Contract, train: Columns, before: Columns) -> list[Drift]:
    """The population stability index of each column against the last version's train, the largest first.

    Ten bins of the older rows (values of a category; no value is one more), half a row added to each.
    By chance alone it is about chi-square with bins - 1 degrees of freedom, times 1/rows + 1/older rows.
    """
    found = []
    for name, feature in contract.inputs.items():
        if name not in before or feature.private or before[name].dtype.kind != train[name].dtype.kind:
            continue
        old, new = _binned(feature, before[name], train[name])
        bins = max(int(old.max()), int(new.max())) + 1
        shares = [(np.bincount(side, minlength=bins) + 0.5) / (len(side) + 0.5 * bins) for side in (old, new)]
        psi = float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
        chance = _chi_square(bins - 1, 1.6449) * (1 / len(old) + 1 / len(new)) if bins > 1 else 0.0
        found.append(Drift(name, psi, chance))
    return sorted(found, key=lambda one: (-one.psi, one.name))


def duplicates(contract: Contract, train: Columns) -> tuple[int, int]:
    """Records that are there several times in train, and the rows that they take."""
    counts = np.unique(hashes(codes_of(train[name]) for name in contract.inputs), return_counts=True)[1]
    return int((counts > 1).sum()), int(counts[counts > 1].sum())


def _coarse(feature: Feature, column: NDArray[np.generic]) -> NDArray[np.int64]:
    if feature.type not in ("integer", "number", "date"):
        return codes_of(column)
    return _binned(feature, column, column)[1]


def _binned(
    feature: Feature, old: NDArray[np.generic], new: NDArray[np.generic]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes of both sides over the same bins: tenths of the older one's known values, or its values."""
    if feature.type in ("integer", "number", "date"):
        sides = [as_numbers(feature, side) for side in (old, new)]
        reference = sides[0][~np.isnan(sides[0])]
        tenths = np.arange(1, 10) / 10
        cuts = np.unique(np.quantile(reference, tenths, method="inverted_cdf")) if len(reference) else reference
        coded = [
            np.where(np.isnan(side), len(cuts) + 1, np.searchsorted(cuts, side, side="left")).astype(np.int64)
            for side in sides
        ]
    else:
        both = np.asarray(codes_of(np.concatenate([old, new])))
        coded = [both[: len(old)], both[len(old) :]]
    _, dense = np.unique(np.concatenate(coded), return_inverse=True)
    return dense[: len(old)].astype(np.int64), dense[len(old) :].astype(np.int64)


def _information(table: NDArray[np.float64]) -> tuple[float, int]:
    """Mutual information of a table of counts in bits, and its degrees of freedom."""
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    joint = table / table.sum()
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    some = joint > 0
    bits = float((joint[some] * np.log2(joint[some] / expected[some])).sum())
    return bits, (table.shape[0] - 1) * (table.shape[1] - 1)


def _chi_square(freedom: int, normal: float) -> float:
    """The quantile of chi-square where the normal one is `normal` (Wilson and Hilferty)."""
    part = 2 / (9 * freedom)
    return float(freedom * (1 - part + normal * math.sqrt(part)) ** 3)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(pd.Series(values).rank(), dtype=np.float64)


def _spearman(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    both = ~np.isnan(first) & ~np.isnan(second)
    first, second = (
        _ranks(first[both]),
        _ranks(second[both]),
    )
    if len(first) < 3 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _cramer(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Cramer's V with Bergsma's correction for its bias on few rows."""
    both = (first >= 0) & (second >= 0)
    number = int(both.sum())
    if number < 3:
        return 0.0
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first[both], second[both]), 1)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return 0.0
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / number
    phi = ((table - expected) ** 2 / expected).sum() / number
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (number - 1))
    smaller = min(rows - (rows - 1) ** 2 / (number - 1), columns - (columns - 1) ** 2 / (number - 1)) - 1
    return float(min(1.0, math.sqrt(phi / smaller))) if smaller > 0 else 0.0


def _ratio(ranks: NDArray[np.float64], groups: NDArray[np.int64]) -> float:
    """The correlation ratio of ranks over groups, with the correction of epsilon squared."""
    both = ~np.isnan(ranks) & (groups >= 0)
    values, groups = ranks[both], codes_of(groups[both]) if both.any() else groups[both]
    kinds = int(groups.max()) + 1 if len(groups) else 0
    if kinds < 2 or len(values) <= kinds or values.std() == 0:
        return 0.0
    counts = np.bincount(groups)
    means = np.bincount(groups, weights=values) / counts
    between = float((counts * (means - values.mean()) ** 2).sum())
    whole = float(((values - values.mean()) ** 2).sum())
    within = (whole - between) / (len(values) - kinds)
    return math.sqrt(max(0.0, (between - (kinds - 1) * within) / whole))
