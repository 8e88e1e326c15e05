"""What a window is compared with: the release's own rows, profile, out-of-fold scores and evaluation, as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.captures.truth import Truth, no_truth
from andamio.contract import Contract
from andamio.contract.task import Task
from andamio.dataset.documents import DatasetProfile, FeatureProfile
from andamio.errors import ReleaseError
from andamio.release.release import Release
from andamio.release.samples import OutOfFoldScores, ReferenceRows
from andamio.stats.conformal import Margins
from monitoring.drift.rejects import Refused

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """One feature of train.

    Numbers and dates (as days since 1970) have `values` `[sample]` with NaN for missing, `edges` of bins ascending with
    `counts` one more than edges, and `low` and `high`; categories and booleans (texts "true", "false") have `values` of
    texts with "" for missing, `frequencies` of the most frequent and the rows of `other` ones. `rows` were profiled,
    `missing` of them have no value.
    """

    type: str
    values: NDArray[Any]
    rows: int
    missing: int
    low: float = math.nan
    high: float = math.nan
    edges: Floats | None = None
    counts: Floats | None = None
    frequencies: Mapping[str, int] | None = None
    other: int = 0

    @property
    def ordered(self) -> bool:
        """Whether its values are numbers or dates."""
        return is_ordered(self.type)


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of rows with labels: class indices `[n]`, probabilities `[n, classes]`, the number of each row's group.

    Of a regression: true numbers `[n]` and values `[n, 1]`.
    """

    labels: Truth
    probabilities: Floats
    groups: Labels


@dataclass(frozen=True, slots=True)
class HoldoutFigure:
    """A metric on the holdout: its value, its standard error, the rows."""

    value: float
    error: float
    rows: int


@dataclass(frozen=True, slots=True)
class Reference:
    """A release as the watch sees it.

    `features` by name, private ones and those that the model ignores left out, with the reason in `skipped`; `rows` of
    train were profiled, `sample` of them are held as they are. A classifier has a `threshold`, a regression the
    `margins` of its intervals. `refused` is what the contract refused of the data.
    """

    release: str
    rows: int
    sample: int
    features: Mapping[str, FeatureReference]
    skipped: Mapping[str, str]
    task: Task
    metric: str
    scores: Scores
    holdout: Mapping[str, HoldoutFigure]
    threshold: float = 0.5
    margins: Margins | None = None
    refused: Refused | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The outputs of the model: its classes."""
        return self.task.outputs

    @property
    def positive(self) -> int:
        """The positive class of two, or -1."""
        return self.task.positive


def is_ordered(feature_type: str) -> bool:
    """Whether a type's values are numbers or dates, rather than categories or booleans."""
    return feature_type not in ("category", "boolean")


def of_release(release: Release, contract: Contract | None = None) -> Reference:
    """The reference of an open release, under its own contract or one that hides more of it.

    Raises `ReleaseError` where a file is missing, changed or unreadable.
    """
    return build(
        contract or release.contract(),
        release.document("reference.json", ReferenceRows),
        release.document("profile.json", DatasetProfile),
        release.document("out_of_fold.json", OutOfFoldScores),
        release.json("evaluation.json"),
        release=release.version,
        threshold=float(release.info.get("threshold") or 0.5),
        margins=release.margins(),
        ignored=release.info.get("ignored") or (),
    )


def build(
    contract: Contract,
    rows: ReferenceRows,
    profile: DatasetProfile,
    out_of_fold: OutOfFoldScores,
    evaluation: Mapping[str, Any],
    *,
    release: str,
    threshold: float = 0.5,
    margins: Margins | None = None,
    ignored: Sequence[str] = (),
) -> Reference:
    """The reference out of a release's documents; `evaluation` is that of the holdout, as JSON."""
    features: dict[str, FeatureReference] = {}
    skipped: dict[str, str] = {}
    for name, feature in contract.inputs.items():
        if feature.private:
            skipped[name] = "private: it is never captured"
        elif name in ignored:
            skipped[name] = "the model does not use it"
        elif name not in rows.columns or name not in profile.features:
            skipped[name] = "the release keeps no reference of it"
        else:
            features[name] = _feature(profile.features[name], rows.columns[name])
    labels = np.asarray(out_of_fold.labels, dtype=no_truth(contract.task, 0).dtype)
    if tuple(out_of_fold.classes) != contract.task.outputs:
        raise ReleaseError("out_of_fold.json has other classes than contract.json", file="out_of_fold.json")
    return Reference(
        release=release,
        rows=profile.rows.train,
        sample=rows.rows,
        features=features,
        skipped=skipped,
        task=contract.task,
        threshold=threshold,
        margins=margins,
        metric=str(evaluation["metric"]),
        scores=Scores(
            labels,
            np.asarray(out_of_fold.scores, dtype=np.float64).reshape(len(labels), -1),
            np.asarray(out_of_fold.groups, dtype=np.int64),
        ),
        holdout=_holdout(evaluation),
        refused=_refused(profile),
    )


def _refused(profile: DatasetProfile) -> Refused | None:
    """What the contract refused of the data."""
    found = profile.refused
    if found is None:
        return None
    return Refused(found.rows, found.refused, {(one.column, one.code): one.rows for one in found.reasons})


def _feature(profile: FeatureProfile, cells: Sequence[str | float | None]) -> FeatureReference:
    missing = profile.missing
    if not is_ordered(profile.type):
        texts = np.array([_text(cell) for cell in cells], dtype=object)
        frequencies = profile.frequencies or {}
        return FeatureReference(
            profile.type, texts, profile.count, missing, frequencies=frequencies, other=profile.other or 0
        )
    values = numbers(np.array([np.nan if cell is None else cell for cell in cells], dtype=object))
    if profile.bins is None or profile.min is None or profile.max is None:
        return FeatureReference(profile.type, values, profile.count, missing)
    low, high = numbers(np.array([profile.min, profile.max], dtype=object)).tolist()
    edges = numbers(np.array(profile.bins.edges, dtype=object))
    counts = np.asarray(profile.bins.counts, dtype=np.float64)
    return FeatureReference(profile.type, values, profile.count, missing, low, high, edges, counts)


def _text(cell: str | float | None) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else TRUTH[cell]


TRUTH = {0.0: "false", 1.0: "true"}


def numbers(column: NDArray[Any]) -> Floats:
    """Numbers or dates (ISO 8601 or datetime64) as float64, dates in days since 1970; NaN where there is none."""
    if column.dtype.kind == "M":
        days = column.astype("datetime64[D]")
        return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))
    if column.dtype == object and any(isinstance(cell, str) for cell in column):
        texts = ["NaT" if cell != cell else cell for cell in column]
        return numbers(np.array(texts, dtype="datetime64[D]"))
    return column.astype(np.float64)


def texts(column: NDArray[Any]) -> NDArray[Any]:
    """Categories or booleans as texts, "" where there is none; of booleans 0, 1 and NaN."""
    if column.dtype.kind in "fiub":
        named = np.array(["false", "true", ""], dtype=object)
        return named[np.where(np.isnan(column.astype(np.float64)), 2, column != 0)]
    return column


_TWO_SIDED = 2 * 1.959963984540054


def _holdout(evaluation: Mapping[str, Any]) -> dict[str, HoldoutFigure]:
    figures = {}
    for metric, figure in evaluation["metrics"].items():
        if figure["value"] is not None and figure["low"] is not None and figure["high"] is not None:
            error = (figure["high"] - figure["low"]) / _TWO_SIDED
            figures[metric] = HoldoutFigure(figure["value"], error, evaluation["rows"])
    return figures
