"""The profile of a data version: statistics for people and for drift.

Statistics of features are of train alone: they travel with a release as its reference, and nothing of
the holdout may. Counts of rows, classes and conflicts say what they are of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import Feature
from andamio.contract.task import Regression
from andamio.dataset.columns import Columns, missing
from andamio.dataset.documents import (
    Bins,
    DatasetProfile,
    FeatureProfile,
    LabelConflicts,
    ProfileClasses,
    ProfileRows,
    RefusedRows,
)
from etl.bands import in_bands

BINS = 64
FREQUENCIES = 100
_LONGEST_VALUE = 200
_TRUTH = {0.0: "false", 1.0: "true"}


def profile(
    contract: Contract,
    columns: Columns,
    labels: NDArray[Any],
    holdout: NDArray[np.bool_],
    refused: RefusedRows | None = None,
) -> DatasetProfile:
    """The profile of a data version from all of its rows: `labels` `[rows]` the truth, `holdout` `[rows]`.

    The classes of a regression are bands of its target, whose own statistics are those of train.
    """
    train = ~holdout
    by_class, bands = in_bands(contract, labels, train)
    numbers = labels[train] if isinstance(contract.task, Regression) else None
    return DatasetProfile(
        rows=ProfileRows(all=len(labels), train=int(train.sum()), holdout=int(holdout.sum())),
        classes=ProfileClasses(
            train=_class_counts(by_class, bands[train]), holdout=_class_counts(by_class, bands[holdout])
        ),
        conflicts=label_conflicts(contract, columns, labels),
        features={name: _feature(feature, columns[name][train]) for name, feature in contract.features.items()},
        target=None if numbers is None else _feature(Feature(type="number"), numbers),
        refused=refused,
    )


def label_conflicts(contract: Contract, columns: Columns, labels: NDArray[Any]) -> LabelConflicts:
    """Groups of rows that agree in every input and disagree in the label, and the rows in them.

    No model can be right about all of them: their share bounds what is possible.
    """
    if len(labels) == 0:
        return LabelConflicts(groups=0, rows=0)
    member = np.zeros(len(labels), dtype=np.int64)
    for name in contract.inputs:  # a column at a time, so that the codes stay below rows squared
        codes = pd.factorize(columns[name], use_na_sentinel=False)[0]
        member = pd.factorize(member * (codes.max() + 1) + codes)[0]
    groups = int(member.max()) + 1
    any_label = np.zeros(groups, dtype=labels.dtype)
    any_label[member] = labels
    in_conflict = np.zeros(groups, dtype=bool)
    in_conflict[member[labels != any_label[member]]] = True
    return LabelConflicts(groups=int(in_conflict.sum()), rows=int(in_conflict[member].sum()))


def quantile_bins(values: NDArray[np.float64]) -> Bins:
    """At most 64 bins of about equal count: `edges` ascending and inner, `counts` one more than edges.

    Bin i holds the values above edge i-1 and up to edge i, the edge included; the first and the last
    are open, so that every later value has a bin. Edges are values of the data (quantiles by inverted
    cumulative distribution), so a column of few distinct values has a bin for each.
    """
    edges = np.unique(np.quantile(values, np.arange(1, BINS) / BINS, method="inverted_cdf"))
    edges = edges[edges < values.max()]
    counts = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return Bins(edges=edges.tolist(), counts=counts.tolist())


def _feature(feature: Feature, column: NDArray[Any]) -> FeatureProfile:
    number = column.dtype.kind == "f"
    is_missing = missing(column)
    statistics: dict[str, Any] = {
        "type": feature.type,
        "count": len(column),
        "missing": int(is_missing.sum()),
    }
    if not feature.available_at_prediction:
        statistics["available_at_prediction"] = False
    if feature.private:
        # A profile is sealed into releases and shown: nothing of a private feature but how often it is there.
        statistics["private"] = True
        return FeatureProfile(**statistics)
    present = column[~is_missing]
    if len(present) == 0:
        return FeatureProfile(**statistics)
    if feature.type == "date":
        bins = quantile_bins(present.astype(np.int64).astype(np.float64))
        edges = np.array(bins.edges, dtype=np.int64).astype("datetime64[D]")
        statistics |= {"min": str(present.min()), "max": str(present.max())}
        statistics["bins"] = Bins(edges=[str(edge) for edge in edges], counts=bins.counts)
    elif number and feature.type != "boolean":
        statistics |= {
            "min": float(present.min()),
            "max": float(present.max()),
            "mean": float(present.mean()),
            "std": float(present.std()),
        }
        statistics["bins"] = quantile_bins(present)
    else:
        statistics |= _frequencies([_TRUTH[value] for value in present] if number else present.tolist())
    return FeatureProfile(**statistics)


def _frequencies(texts: Sequence[str]) -> dict[str, Any]:
    """The 100 most frequent values with their counts; `other` counts the rows of the rest, `distinct` all values."""
    counts = Counter(texts)
    short_texts = [text for text in counts if len(text) <= _LONGEST_VALUE]
    frequencies = {
        text: counts[text] for text in sorted(short_texts, key=lambda text: (-counts[text], text))[:FREQUENCIES]
    }
    return {"distinct": len(counts), "frequencies": frequencies, "other": len(texts) - sum(frequencies.values())}


def _class_counts(contract: Contract, labels: NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(labels, minlength=len(contract.classes))
    return {key: int(count) for key, count in zip(contract.classes, counts, strict=True)}
