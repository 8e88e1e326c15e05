"""References as a release has them, from rows that a test draws."""

import numpy as np

from andamio.contract.task import Classification
from etl.profile import quantile_bins
from monitoring import reference as references
from monitoring.reference import FeatureReference, Reference, Scores
from monitoring.results import Rejects


def feature(kind, column, sample=1000):
    missing = int((column == "").sum()) if column.dtype == object else int(np.isnan(references.numbers(column)).sum())
    if not references.is_ordered(kind):
        texts = references.texts(column)
        values, counts = np.unique([text for text in texts if text], return_counts=True)
        frequencies = dict(zip(values.tolist(), counts.tolist(), strict=True))
        return FeatureReference(kind, texts[:sample], len(column), missing, frequencies=frequencies)
    numbers = references.numbers(column)
    there = numbers[~np.isnan(numbers)]
    if not len(there):
        return FeatureReference(kind, numbers[:sample], len(column), missing)
    bins = quantile_bins(there)
    edges, counts = np.array(bins.edges, dtype=float), np.array(bins.counts, dtype=float)
    return FeatureReference(kind, numbers[:sample], len(column), missing, there.min(), there.max(), edges, counts)


def reference(features, scores, labels, *, metric="roc_auc", holdout=None, groups=None, skipped=None):
    classes = scores.shape[1]
    first = next(iter(features.values()), None)
    return Reference(
        release="0123456789abcdef",
        rows=0 if first is None else first.rows,
        sample=0 if first is None else len(first.values),
        features=features,
        skipped=skipped or {},
        task=Classification(tuple("abcdefghij"[:classes]), 1 if classes == 2 else -1),
        threshold=0.5,
        metric=metric,
        scores=Scores(labels, scores, np.arange(len(labels)) if groups is None else groups),
        holdout=holdout or {},
    )


def two(positive):
    return np.column_stack([1 - positive, positive])


def calibrated(rng, rows, spread=1.5):
    """Probabilities `[rows, 2]` that are right, and the labels drawn by them."""
    positive = 1 / (1 + np.exp(-spread * rng.normal(size=rows)))
    return two(positive), (rng.random(rows) < positive).astype(np.int64)


def reference_rejects(rows, rejected):
    """What an earlier window without the alarm said of so many records."""
    return Rejects(
        status="ok",
        rows=rows,
        rejected=rejected,
        share=rejected / rows,
        reference=None,
        p=None,
        drifted=False,
        reasons=[],
        usual=None,
    )
