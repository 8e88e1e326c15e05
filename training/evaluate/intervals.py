"""95% intervals of the figures of a model, by formula rather than by resampling.

A percentile bootstrap is too narrow on few rows, says "1.000 to 1.000" where no row was wrong, and lies beside the
figure where that is biased (average precision of a rare class). So each kind of figure has an interval of its own:

- accuracy, and F1 as a function of the share TP / (TP + FP + FN): the score interval of a rate (Wilson 1927);
- ROC AUC: a score interval (Newcombe, "Confidence intervals for an effect size measure based on the Mann-Whitney
  statistic, Part 2", 2006, method 5), scaled to the variance of DeLong, DeLong & Clarke-Pearson (1988);
- average precision: the same with the binomial variance of the positives, around the figure without its bias
  (jackknife);
- log loss and Brier score: Student's t, corrected for skewness (Hall, "On the removal of skewness by transformation",
  1992);
- macro averages: the intervals of the classes, put together (Zou & Donner, "Construction of confidence limits about
  effect measures: a general approach", 2008);
- errors of numbers (mae, pinball, and rmse as the root of a mean; r2 by what each row adds to it): as log loss;
- gains: as of a mean, from what each row does to the difference; a feature's importance is the gain over the same rows
  with the feature shuffled, and counts a row both for its own score and for those that its value was given to.

Rows of one split key are one observation. `benchmarks/sureness/coverage.py` measures how often these intervals hold the
truth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.stats import metrics
from andamio.stats.bootstrap import Interval
from andamio.stats.shares import Z95, wilson
from training.evaluate import bounds

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Truth = NDArray[np.bool_]

MIN_OBSERVATIONS = 10
"""Independent observations of each class below which no figure has an interval: see docs/intervals.md."""
MIN_POSITIVES = 15
"""Of the class that average precision is about, below which it has no interval."""
MIN_OF_SQUARES = 40
"""Independent observations below which rmse and r2 have no interval: one far miss decides so few squares."""
MIN_OF_GAIN = 40
"""Independent observations below which a gain has no interval."""
_LOST, _LOST_PRECISION = 1.0, 0.3
"""So many lost positives (share lost times positives) count as much as the formula's own variance (by simulation)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval, and what each observation adds to it `[observations]`: they sum to about 0.

    `grain` is what one row of more does to a figure that counts rows, 0 for others; `fixed`: the figure is the same
    whatever the rows (a ranking without ranks).
    """

    value: float
    low: float
    high: float
    influence: Floats
    grain: float = 0.0
    fixed: bool = False

    @property
    def interval(self) -> Interval:
        """The figure and its bounds."""
        return Interval(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to measure on: the truth `[n]`, the number of each row's observation `[n]`, and of observations."""

    labels: NDArray[Any]
    observation: Labels
    observations: int

    @classmethod
    def of(cls, labels: NDArray[Any], keys: NDArray[np.str_]) -> Rows:
        """Rows of the same split key are one observation."""
        unique, number = np.unique(keys, return_inverse=True)
        return cls(labels, number.astype(np.int64), len(unique))

    def take(self, members: Truth) -> Rows:
        """Some of the rows `[n]`."""
        unique, number = np.unique(self.observation[members], return_inverse=True)
        return Rows(self.labels[members], number.astype(np.int64), len(unique))

    def total(self, values: Floats) -> Floats:
        """The sum of values `[n]` in each observation."""
        return np.bincount(self.observation, weights=values, minlength=self.observations)

    def count(self, members: Truth) -> int:
        """How many observations have a row among `members` `[n]`."""
        return len(np.unique(self.observation[members]))

    def enough(self, classes: int) -> bool:
        """Whether there are observations enough of each class for an interval; of numbers, twice as many in all."""
        if self.labels.dtype.kind == "f":
            return self.observations >= 2 * MIN_OBSERVATIONS
        return all(self.count(self.labels == label) >= MIN_OBSERVATIONS for label in range(classes))


def estimate(
    metric: str, rows: Rows, probabilities: NDArray[np.floating], *, positive: int, threshold: float
) -> Estimate:
    """A metric of predictions `[n, classes]` with its 95% interval; NaN bounds where observations are too few.

    `positive` is the positive class of two, -1 for more classes.
    """
    scores = np.asarray(probabilities, dtype=np.float64)
    value = metrics.score(metric, rows.labels, scores, positive=positive, threshold=threshold)
    if not math.isfinite(value) or not rows.enough(scores.shape[1]):
        return Estimate(value, math.nan, math.nan, np.zeros(rows.observations))
    if metric in metrics.REGRESSION_METRICS:
        return _of_numbers(metric, rows, scores, value)
    classes = [positive] if positive >= 0 else list(range(scores.shape[1]))
    if metric in ("roc_auc", "average_precision"):
        of = _roc_auc if metric == "roc_auc" else _average_precision
        found = [of(rows, rows.labels == label, scores[:, label]) for label in classes]
    elif metric == "f1":
        predicted = metrics.predicted(scores, positive, threshold)
        same = bool((scores == scores[0]).all())
        found = [_f1(rows, rows.labels == label, predicted == label, never=same) for label in classes]
    elif metric == "accuracy":
        found = [_rate(rows, metrics.predicted(scores, positive, threshold) == rows.labels, np.ones(len(scores), bool))]
    else:
        found = [_mean(rows, metrics.losses(metric, rows.labels, scores, positive))]
    return _average(found, value)


def gain(first: Estimate, second: Estimate, sign: int) -> Interval:
    """By how much the first figure is better than the second, on the same rows; `sign` -1 where less is better.

    NaN bounds where a figure has none, or rows are fewer than 40.
    """
    value = sign * (first.value - second.value)
    few = len(first.influence) < MIN_OF_GAIN
    if few or not all(math.isfinite(end) for end in (first.low, first.high, second.low, second.high)):
        return Interval(value, math.nan, math.nan)
    if second.fixed:
        ends = sorted((sign * (first.low - second.value), sign * (first.high - second.value)))
        return Interval(value, *ends)
    if not first.influence.any() and not second.influence.any():
        # Neither is wrong on any row: how far each may be from that bounds the difference.
        ends = sorted((sign * (first.low - second.high), sign * (first.high - second.low)))
        return Interval(value, *ends)
    # Half a row more for each side: where no row tells two models apart, another one may (Agresti & Min 2005).
    return difference(value, sign * (first.influence - second.influence), max(first.grain, second.grain))


def difference(value: float, influence: Floats, grain: float) -> Interval:
    """A difference of two figures of the same rows, from what each observation does to it.

    Tails are heavy on both sides, which hides skewness on few rows: the wider of both bounds.
    """
    if not grain and bounds.is_rounding(math.sqrt(bounds.variance(influence)), value):
        return Interval(value, value, value)
    ends = [*bounds.skewed(value, influence, grain), *(() if grain else bounds.symmetric(value, influence))]
    return Interval(value, min(ends), max(ends))


def _average(found: Sequence[Estimate], value: float) -> Estimate:
    """The mean of several figures of the same rows: their distances to the bounds, put together by correlation."""
    if len(found) == 1:
        return found[0]
    influence = np.stack([one.influence for one in found])
    correlation = _correlation(influence)
    below, above = (
        np.array([abs(one.value - end) for one, end in zip(found, ends, strict=True)])
        for ends in ([one.low for one in found], [one.high for one in found])
    )
    centre = float(np.mean([one.value for one in found]))
    if not (np.isfinite(below).all() and np.isfinite(above).all()):
        return Estimate(value, math.nan, math.nan, influence.mean(axis=0))
    low = centre - math.sqrt(max(0.0, below @ correlation @ below)) / len(found)
    high = centre + math.sqrt(max(0.0, above @ correlation @ above)) / len(found)
    return Estimate(
        value,
        min(low, value),
        max(high, value),
        influence.mean(axis=0),
        math.hypot(*(one.grain for one in found)) / len(found),
        all(one.fixed for one in found),
    )


def _correlation(influence: Floats) -> Floats:
    """Between figures `[figures, observations]`: 0 with one that does not vary, 1 with itself."""
    centred = influence - influence.mean(axis=1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=1))
    scaled = centred / np.where(length > 0, length, 1.0)[:, None]
    correlation: Floats = scaled @ scaled.T
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _rate(rows: Rows, hits: Truth, among: Truth) -> Estimate:
    """The share of hits among some rows. What keys have in common makes fewer trials of them (Korn & Graubard 1998)."""
    trials = int(among.sum())
    share = float(hits[among].mean())
    influence = rows.total(np.where(among, hits - share, 0.0) / trials)
    clusters = rows.count(among)
    independent = float(trials)
    if clusters < trials:
        variance = bounds.variance(influence)
        inflated = share * (1 - share) / variance if variance > 0 else clusters
        independent = min(float(trials), max(1.0, inflated)) * (Z95 / bounds.t_quantile(max(1, clusters - 1))) ** 2
    return Estimate(share, *wilson(share, independent), influence, 1 / independent)


def _f1(rows: Rows, truth: Truth, guessed: Truth, *, never: bool) -> Estimate:
    """F1 = 2J / (1 + J), where J is the share of hits among rows that are of the class or predicted so.

    `never`: the model says the same of every record, so that a class without a prediction never has one.
    """
    share = _rate(rows, truth & guessed, truth | guessed)
    value, low, high = (2 * end / (1 + end) for end in (share.value, share.low, share.high))
    slope = 2 / (1 + share.value) ** 2
    if never and not guessed.any():
        return Estimate(0.0, 0.0, 0.0, np.zeros(rows.observations), fixed=True)
    return Estimate(value, low, high, slope * share.influence, slope * share.grain)


def _roc_auc(rows: Rows, truth: Truth, scores: Floats) -> Estimate:
    if np.ptp(scores) == 0:
        return Estimate(0.5, 0.5, 0.5, np.zeros(rows.observations), fixed=True)
    ranks = _ranks(scores)
    wins = np.empty(len(scores))
    for side, other in ((truth, ~truth), (~truth, truth)):
        wins[side] = (ranks[side] - _ranks(scores[side])) / other.sum()
    value = float(wins[truth].mean())
    placed = np.where(truth, wins, 1 - wins) - value
    sizes = {True: int(truth.sum()), False: int((~truth).sum())}
    per_row = placed / np.where(truth, sizes[True], sizes[False])
    sides = [rows.total(np.where(side, per_row, 0.0)) for side in (truth, ~truth)]
    counts = [rows.count(truth), rows.count(~truth)]
    variances = [float((part**2).sum()) * count / (count - 1) for part, count in zip(sides, counts, strict=True)]
    influence = sides[0] + sides[1]
    variance = sum(variances)
    if rows.observations < len(scores):
        variance = bounds.variance(influence)
    freedom = sum(counts) - 2.0
    if variance > 0 and sum(variances) > 0:
        freedom = sum(variances) ** 2 / sum(part**2 / (n - 1) for part, n in zip(variances, counts, strict=True))

    def formula(area: float) -> float:
        spread = (sum(counts) / 2) - 1
        factor = 1 + spread * (1 - area) / (2 - area) + spread * area / (1 + area)
        return area * (1 - area) * factor / (counts[0] * counts[1])

    lost = (1 - max(value, 1 - value)) * min(counts)
    return Estimate(value, *bounds.score_interval(value, formula, variance, lost / (lost + _LOST), freedom), influence)


def _ranks(scores: Floats) -> Floats:
    """From 1, the mean of their places for equal scores."""
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def _average_precision(rows: Rows, truth: Truth, scores: Floats) -> Estimate:
    value, without = leave_one_out(truth, scores)
    count = len(scores)
    influence = rows.total((value - without) * (count - 1) / count)
    centre = min(1.0, max(0.0, value + float(influence.sum())))
    positives = rows.count(truth)
    if positives < MIN_POSITIVES:
        return Estimate(value, math.nan, math.nan, influence)
    variance = bounds.variance(influence)
    lost = (1 - max(centre, 1 - centre)) * positives
    trust = lost / (lost + _LOST_PRECISION)
    low, high = bounds.score_interval(
        centre, lambda share: share * (1 - share) / positives, variance, trust, len(influence) - 1
    )
    return Estimate(value, min(low, value), max(high, value), influence)


def leave_one_out(truth: Truth, scores: Floats) -> tuple[float, Floats]:
    """Average precision, and what it is without each row `[n]`."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    up, seen = np.cumsum(truth[order])[ends].astype(np.float64), (ends + 1).astype(np.float64)
    gained, total = np.diff(up, prepend=0.0), float(up[-1])
    kept = gained * up / seen
    before = np.concatenate([[0.0], np.cumsum(kept)])[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        without_up = np.where(seen > 1, gained * (up - 1) / (seen - 1), 0.0)
        own_up = np.where(seen > 1, (gained - 1) * (up - 1) / (seen - 1), 0.0)
        without_down = np.where(seen > 1, gained * up / (seen - 1), 0.0)

    def after(values: Floats) -> Floats:
        reverse: Floats = np.cumsum(values[::-1])[::-1]
        return reverse

    of_positive = (before + own_up + after(without_up) - without_up) / (total - 1)
    of_negative = (before + after(without_down)) / total
    group = np.searchsorted(ends, np.arange(len(scores)))
    without = np.empty(len(scores))
    without[order] = np.where(truth[order], of_positive[group], of_negative[group])
    return float(kept.sum() / total), without


def _of_numbers(metric: str, rows: Rows, predicted: Floats, value: float) -> Estimate:
    """Rmse as the root of a mean, r2 as a ratio of two means (by what each row adds to it), the others as means."""
    found = _mean(rows, metrics.losses(metric, rows.labels, predicted, positive=-1))
    if metric in ("rmse", "r2") and rows.observations < MIN_OF_SQUARES:
        return Estimate(value, math.nan, math.nan, found.influence)
    if metric == "rmse":
        low, high = (math.sqrt(end) if end >= 0 else end for end in (found.low, found.high))
        return Estimate(value, low, high, found.influence / (2 * value) if value > 0 else found.influence)
    if metric == "r2":
        squared = (rows.labels - rows.labels.mean()) ** 2
        spread = float(squared.mean())
        added = ((1 - value) * squared - metrics.losses(metric, rows.labels, predicted, positive=-1)) / spread
        influence = rows.total((added - added.mean()) / len(added))
        low, high = bounds.skewed(value, influence)
        return Estimate(value, low, min(1.0, high), influence)
    return found


def mean_of(rows: Rows, values: Floats) -> Interval:
    """A mean of values `[n]` that may have any sign, with its interval; without bounds on too few rows."""
    value = float(values.mean())
    if not rows.enough(1):
        return Interval(value, math.nan, math.nan)
    return Interval(value, *bounds.skewed(value, rows.total((values - value) / len(values))))


def share_of(rows: Rows, hits: Truth) -> Estimate:
    """The share of rows that hit, with its interval."""
    return _rate(rows, hits, np.ones(len(hits), dtype=bool))


def _mean(rows: Rows, values: Floats) -> Estimate:
    value = float(values.mean())
    influence = rows.total((values - value) / len(values))
    low, high = bounds.skewed(value, influence)
    return Estimate(value, low if math.isnan(low) else max(0.0, low), high, influence)
