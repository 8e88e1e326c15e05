"""One feature: its distribution, missing values, unseen categories, values out of range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring import reference as references
from monitoring.drift import psi, two_samples
from monitoring.drift.limits import Limits
from monitoring.drift.psi import Index
from monitoring.drift.two_samples import MIN_VALUES
from monitoring.reference import FeatureReference
from monitoring.results import CellShares, FeatureDrift, Rate, Reason, Unseen

Floats = NDArray[np.float64]

OTHER = "(other)"
_MOST_CATEGORIES, _EXPECTED = 20, 5.0
_VALUES_NAMED = 10


@dataclass(frozen=True, slots=True)
class Distribution:
    """Values on both sides: index, test with statistic and p-value, and the shares of cells."""

    index: Index
    test: str
    statistic: float
    p: float | None
    cells: list[CellShares]


@dataclass(frozen=True, slots=True)
class Share:
    """Rows of a kind among rows, in reference and window, the test's p-value, and the index of the two shares."""

    reference: float
    window: float
    p: float | None
    index: Index

    def drifted(self, p_limit: float, least: float, *, greater: bool) -> bool:
        """Whether the change is significant and at least so large; with `greater`, only more of it counts."""
        change = self.window - self.reference
        return self.p is not None and self.p <= p_limit and (change if greater else abs(change)) >= least


@dataclass(frozen=True, slots=True)
class Measured:
    """All that is measured of one feature, before it is known which p-values count."""

    name: str
    type: str
    reference_rows: int
    window_rows: int
    distribution: Distribution | None
    missing: Share
    unseen: Share | None
    unseen_values: Mapping[str, int]
    out_of_range: Share | None

    def p_values(self) -> Iterator[float | None]:
        """Of every test of the feature."""
        for found in (self.distribution, self.missing, self.unseen, self.out_of_range):
            if found is not None:
                yield found.p

    def result(self, p_limit: float, limits: Limits) -> FeatureDrift:
        """What is reported, once the p-values that count are known."""
        moved, unseen, beyond = self.distribution, self.unseen, self.out_of_range
        reasons: dict[Reason, Index] = {}
        if moved is not None and moved.p is not None and moved.p <= p_limit and moved.index.value > limits.psi:
            reasons["distribution"] = moved.index
        if self.missing.drifted(p_limit, limits.share, greater=False):
            reasons["missing"] = self.missing.index
        if unseen is not None and unseen.drifted(p_limit, limits.share, greater=True):
            reasons["unseen"] = unseen.index
        if beyond is not None and beyond.drifted(p_limit, limits.share, greater=True):
            reasons["out-of-range"] = beyond.index
        indices = [found.index for found in (moved, self.missing, unseen, beyond) if found is not None]
        return FeatureDrift(
            feature=self.name,
            type=self.type,
            psi=None if moved is None else moved.index.value,
            psi_low=None if moved is None else moved.index.low,
            test="none" if moved is None else "ks" if moved.test == "ks" else "chi2",
            statistic=None if moved is None else moved.statistic,
            p=None if moved is None else moved.p,
            missing=_rate(self.missing, "missing" in reasons),
            unseen=None
            if unseen is None
            else Unseen(
                share=unseen.window,
                expected=unseen.reference,
                p=unseen.p,
                drifted="unseen" in reasons,
                values=dict(self.unseen_values),
            ),
            out_of_range=None if beyond is None else _rate(beyond, "out-of-range" in reasons),
            effect=max(found.low for found in indices),
            reasons=list(reasons),
            drifted=bool(reasons),
            reference_rows=self.reference_rows,
            window_rows=self.window_rows,
            cells=[] if moved is None else moved.cells,
        )


def measure(name: str, reference: FeatureReference, column: NDArray[Any]) -> Measured:
    """Compare a feature's window `[rows]` with its reference; `column` is as `andamio.records` types it."""
    present = reference.rows - reference.missing
    unseen: Share | None = None
    named: dict[str, int] = {}
    beyond: Share | None = None
    if reference.ordered:
        values = references.numbers(column)
        values = values[~np.isnan(values)]
        missing = len(column) - len(values)
        moved = _ordered(reference, values)
        if reference.edges is not None:
            beyond = _beyond(reference, values)
    else:
        texts = references.texts(column)
        counts = Counter(texts.tolist())
        missing = counts.pop("", 0)
        moved = _categories(reference, counts)
        unseen, named = _unseen(reference, counts, present)
    return Measured(
        name,
        reference.type,
        reference.rows,
        len(column),
        moved,
        share(reference.missing, reference.rows, missing, len(column)),
        unseen,
        named,
        beyond,
    )


def share(reference: int, reference_rows: int, window: int, window_rows: int, *, greater: bool = False) -> Share:
    """Rows of a kind on both sides, tested; with `greater` for more of them in the window alone."""
    return Share(
        reference / max(1, reference_rows),
        window / max(1, window_rows),
        two_samples.two_shares(reference, reference_rows, window, window_rows, greater=greater),
        psi.of_shares(reference, reference_rows, window, window_rows),
    )


def _rate(found: Share, drifted: bool) -> Rate:
    return Rate(reference=found.reference, window=found.window, p=found.p, drifted=drifted)


def _ordered(reference: FeatureReference, values: Floats) -> Distribution | None:
    known = reference.values[~np.isnan(reference.values)]
    if reference.edges is None or reference.counts is None or min(len(known), len(values)) < MIN_VALUES:
        return None
    statistic, p = two_samples.kolmogorov_smirnov(known, values)
    cells = psi.number_of_cells(int(reference.counts.sum()), len(values))
    merged = psi.merge(reference.counts, cells)
    binned = np.bincount(np.searchsorted(reference.edges, values, side="left"), minlength=len(reference.counts))
    before, after = (np.bincount(merged, weights=counts) for counts in (reference.counts, binned))
    ends = reference.edges[np.flatnonzero(np.diff(merged))]
    labels = _intervals(reference, ends)
    return Distribution(psi.index(before, after), "ks", statistic, p, cell_shares(labels, before, after))


def _intervals(reference: FeatureReference, ends: Floats) -> list[str]:
    bounds = [_number(reference, end) for end in ends.tolist()]
    return [f"{low}..{high}" for low, high in zip(["", *bounds], [*bounds, ""], strict=True)]


def _number(reference: FeatureReference, value: float) -> str:
    return str(np.datetime64(int(value), "D")) if reference.type == "date" else f"{value:.6g}"


def cell_shares(labels: list[str], before: Floats, after: Floats) -> list[CellShares]:
    """Counts `[cells]` of both sides as shares."""
    shares = zip(labels, before / max(1.0, before.sum()), after / max(1.0, after.sum()), strict=True)
    return [CellShares(label=label, reference=float(first), window=float(second)) for label, first, second in shares]


def _categories(reference: FeatureReference, window: Mapping[str, int]) -> Distribution | None:
    known = reference.frequencies or {}
    rows, others = sum(known.values()) + reference.other, sum(window.values())
    if min(rows, others) < MIN_VALUES:
        return None
    before, after, labels = pooled(known, reference.other, window)
    statistic, p = two_samples.chi_square(before, after)
    return Distribution(psi.index(before, after), "chi2", statistic, p, cell_shares(labels, before, after))


def pooled(known: Mapping[str, int], other: int, window: Mapping[str, int]) -> tuple[Floats, Floats, list[str]]:
    """Counts of both sides by category; those of which too few are expected, and all past 20, are one cell together.

    Where the reference does not name all of its values (`other` rows), none but those it names has a cell.
    """
    rows, others = sum(known.values()) + other, sum(window.values())
    fewest = min(rows, others) / (rows + others)
    names = known if other else dict.fromkeys([*known, *window])
    both = {name: known.get(name, 0) + window.get(name, 0) for name in names}
    listed = sorted((name for name in both if both[name] * fewest >= _EXPECTED), key=lambda name: (-both[name], name))
    if len(listed) > _MOST_CATEGORIES:
        listed = listed[: _MOST_CATEGORIES - 1]
    before = [known.get(name, 0) for name in listed]
    after = [window.get(name, 0) for name in listed]
    rest = rows - sum(before), others - sum(after)
    if sum(rest):
        if sum(rest) * fewest < _EXPECTED and listed:  # too few for a cell: with the rarest of the others
            rest = rest[0] + before.pop(), rest[1] + after.pop()
            listed.pop()
        listed, before, after = [*listed, OTHER], [*before, rest[0]], [*after, rest[1]]
    return np.array(before, dtype=np.float64), np.array(after, dtype=np.float64), listed


def _unseen(
    reference: FeatureReference, window: Mapping[str, int], present: int
) -> tuple[Share | None, dict[str, int]]:
    """Values that the reference never had, against those that it had once: None where it does not name all it had."""
    known = reference.frequencies
    if reference.type == "boolean" or known is None or reference.other:
        return None, {}
    new = {name: count for name, count in window.items() if name not in known}
    once = sum(count == 1 for count in known.values())
    named = sorted(new.items(), key=lambda item: (-item[1], item[0]))[:_VALUES_NAMED]
    return share(once, present, sum(new.values()), sum(window.values()), greater=True), dict(named)


def _beyond(reference: FeatureReference, values: Floats) -> Share:
    """Values beyond the reference's lowest and highest, against its own two values that lie beyond all others."""
    beyond = int(((values < reference.low) | (values > reference.high)).sum())
    present = reference.rows - reference.missing
    return share(min(2, present), present, beyond, len(values), greater=True)
