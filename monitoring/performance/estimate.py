"""Performance before labels come: what the probabilities themselves let expect, were they right."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from andamio.stats import metrics
from monitoring.performance.window import Floats, Labels
from monitoring.reference import Reference
from monitoring.results import Estimate, EstimatedFigure

ASSUMPTION = (
    "The probabilities are as right in this window as out of fold: features may have moved, but what they say of the "
    "label has not. Concept drift cannot be seen here; only labels show it."
)
MOST_ROWS = 20_000
_SIMULATIONS = 200
_METRICS = ("accuracy", "log_loss", "roc_auc")


def estimate(reference: Reference, probabilities: Floats, labels: Labels, min_rows: int, *, seed: int = 0) -> Estimate:
    """Expected accuracy, log loss and ROC AUC of `[rows, classes]`; `labels` `[rows]` are -1 where none came.

    Above 20,000 rows the bounds are those of so many, made narrower by the root of how many more there are. Where
    labels came, the same estimate on these rows stands beside what they had.
    """
    rows = len(probabilities)
    known = labels >= 0
    if rows < min_rows:
        return Estimate(
            status="not-enough-data", rows=rows, labelled=int(known.sum()), assumption=ASSUMPTION, figures=[]
        )
    rng = np.random.default_rng(seed)
    drawn = probabilities
    if rows > MOST_ROWS:
        drawn = probabilities[rng.choice(rows, size=MOST_ROWS, replace=False)]
    whole = _expected(reference, probabilities)
    spread = _simulated(reference, drawn, rng) * np.sqrt(len(drawn) / rows)
    part = _expected(reference, probabilities[known]) if known.any() else dict.fromkeys(_METRICS, np.nan)
    figures = []
    for place, metric in enumerate(_METRICS):
        seen = np.nan
        if known.any():
            seen = metrics.score(
                metric,
                labels[known],
                probabilities[known],
                positive=reference.positive,
                threshold=reference.threshold,
            )
        reach = 1.959963984540054 * spread[place]
        figures.append(
            EstimatedFigure(
                metric="accuracy" if metric == "accuracy" else "log_loss" if metric == "log_loss" else "roc_auc",
                expected=_finite(whole[metric]),
                low=_finite(whole[metric] - reach),
                high=_finite(whole[metric] + reach),
                on_labelled=_finite(part[metric]),
                observed=_finite(seen),
                error=_finite(part[metric] - seen),
            )
        )
    return Estimate(status="ok", rows=rows, labelled=int(known.sum()), assumption=ASSUMPTION, figures=figures)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _expected(reference: Reference, probabilities: Floats) -> dict[str, float]:
    named = metrics.predicted(probabilities, reference.positive, reference.threshold)
    clipped = np.clip(probabilities, 1e-15, 1.0)
    return {
        "accuracy": float(probabilities[np.arange(len(named)), named].mean()),
        "log_loss": float(-(probabilities * np.log(clipped)).sum(axis=1).mean()),
        "roc_auc": float(np.mean([_expected_auc(scores) for scores in _one_vs_rest(reference, probabilities)])),
    }


def _one_vs_rest(reference: Reference, probabilities: Floats) -> Iterator[Floats]:
    if reference.positive >= 0:
        yield probabilities[:, reference.positive]
    else:
        yield from probabilities.T


def _expected_auc(scores: Floats) -> float:
    """Expected pairs in the right order among expected pairs: a row is positive with the chance that is its score.

    A row makes no pair with itself; equal scores count half.
    """
    _, group = np.unique(scores, return_inverse=True)
    up, down = np.bincount(group, weights=scores), np.bincount(group, weights=1 - scores)
    own = np.bincount(group, weights=scores * (1 - scores))
    below = np.cumsum(down) - down
    pairs = float(scores.sum() * (1 - scores).sum() - own.sum())
    if pairs <= 0:
        return np.nan
    return float((up * below + (up * down - own) / 2).sum()) / pairs


def _simulated(reference: Reference, probabilities: Floats, rng: np.random.Generator) -> Floats:
    """Standard errors of the three metrics, from labels drawn by the probabilities."""
    rows, classes = probabilities.shape
    named = metrics.predicted(probabilities, reference.positive, reference.threshold)
    ends = probabilities.cumsum(axis=1)
    logs = -np.log(np.clip(probabilities, 1e-15, 1.0))
    ranks = [_ranks(scores) for scores in _one_vs_rest(reference, probabilities)]
    which = [reference.positive] if reference.positive >= 0 else list(range(classes))
    found = []
    for _ in range(_SIMULATIONS):
        drawn = (rng.random((rows, 1)) > ends).sum(axis=1).clip(max=classes - 1)
        areas = [_area(rank, drawn == label) for rank, label in zip(ranks, which, strict=True)]
        found.append((float((drawn == named).mean()), float(logs[np.arange(rows), drawn].mean()), np.mean(areas)))
    return np.array([_spread(np.array(values)) for values in zip(*found, strict=True)])


def _spread(values: Floats) -> float:
    there = values[np.isfinite(values)]
    return float(there.std(ddof=1)) if len(there) > 1 else np.nan


def _ranks(scores: Floats) -> Floats:
    _, group, sizes = np.unique(scores, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    return ranks


def _area(ranks: Floats, positive: NDArray[np.bool_]) -> float:
    count = int(positive.sum())
    if count in (0, len(ranks)):
        return np.nan
    return float((ranks[positive].sum() - count * (count + 1) / 2) / (count * (len(ranks) - count)))
