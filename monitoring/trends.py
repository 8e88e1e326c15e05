"""How features that moved went through the window: when it began shows in the hours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.reference import FeatureReference, Reference
from monitoring.report import Point, Trend
from monitoring.window import Window, iso

MOST = 20
"""Features that get a trend."""
_POINTS = 24


def trends(
    reference: Reference,
    window: Window,
    names: Sequence[str],
    times: NDArray[np.datetime64],
    columns: Mapping[str, NDArray[Any]],
) -> list[Trend]:
    """The trend of the first `MOST` of the named features, in 24 equal stretches; `times` `[rows]` in UTC."""
    start = np.datetime64(window.start.replace(tzinfo=None), "ms")
    length = (window.end - window.start) / _POINTS
    step = np.timedelta64(int(length.total_seconds() * 1000), "ms")
    stretch = np.clip((times.astype("datetime64[ms]") - start) // step, 0, _POINTS - 1).astype(np.int64)
    rows = np.bincount(stretch, minlength=_POINTS)
    return [
        Trend(
            feature=name,
            reference_missing=_digits(reference.features[name].missing / max(1, reference.features[name].rows)),
            reference_mean=_reference_mean(reference.features[name]),
            points=[
                Point(
                    time=iso(window.start + index * length),
                    rows=int(rows[index]),
                    missing=_digits(lacking / rows[index]),
                    mean=mean,
                )
                for index, (lacking, mean) in enumerate(_by_stretch(columns[name], stretch, reference.features[name]))
                if rows[index]
            ],
        )
        for name in names[:MOST]
    ]


def _by_stretch(
    column: NDArray[Any], stretch: NDArray[np.int64], reference: FeatureReference
) -> list[tuple[int, float | None]]:
    if column.dtype == object:
        lacking = np.asarray(column == "", dtype=bool)
    elif column.dtype.kind == "M":
        lacking = np.isnat(column)
    else:
        lacking = np.isnan(column)
    missing = np.bincount(stretch[lacking], minlength=_POINTS)
    if reference.type not in ("number", "integer"):
        return [(int(count), None) for count in missing]
    known = ~lacking
    counts = np.bincount(stretch[known], minlength=_POINTS)
    sums = np.bincount(stretch[known], weights=column[known], minlength=_POINTS)
    return [
        (int(count), _digits(total / have) if have else None)
        for count, total, have in zip(missing, sums, counts, strict=True)
    ]


def _reference_mean(reference: FeatureReference) -> float | None:
    if reference.type not in ("number", "integer"):
        return None
    known = reference.values[~np.isnan(reference.values)]
    return _digits(float(known.mean())) if len(known) else None


def _digits(value: float) -> float:
    return float(f"{value:.6g}")
