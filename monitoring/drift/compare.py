"""The whole comparison of a window with the reference: every test first, then which of them count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.drift import feature, joint, predictions, rejects, two_samples
from monitoring.drift.limits import Limits
from monitoring.drift.rejects import Refused
from monitoring.reference import Reference
from monitoring.results import DataDrift, FeatureDrift, JointDrift, PredictionDrift, Rejects

_NAMED = 5


def compare(
    reference: Reference,
    columns: Mapping[str, NDArray[Any]],
    probabilities: NDArray[np.floating],
    labels: NDArray[np.int64],
    limits: Limits,
    *,
    rows_seen: int | None = None,
    refused: Refused | None = None,
    refused_before: Refused | None = None,
    with_joint: bool = True,
    seed: int = 0,
) -> DataDrift:
    """Compare a window's accepted rows, predictions and refused records with the reference.

    `columns` by feature `[rows]` as `andamio.records` types them, `probabilities` `[rows, classes]`, predicted `labels`
    `[rows]`. `rows_seen` is how many rows the window had where these are a sample of them; `refused` are its refused
    records, `refused_before` what is usual. Joint drift takes about a second, and is left out without `with_joint`.
    """
    rows = len(labels)
    enough = rows >= limits.min_rows
    skipped = {**reference.skipped, **_absent(reference, columns)}
    features = {name: one for name, one in reference.features.items() if name not in skipped} if enough else {}
    measured = [feature.measure(name, one, columns[name]) for name, one in features.items()]
    together = joint.measure(features if with_joint else {}, columns, rows, seed)
    predicted = (
        predictions.measure(reference, probabilities, labels)
        if enough and predictions.enough(reference, rows)
        else None
    )
    rejected = rejects.measure(refused or Refused(rows, 0, {}), refused_before)
    p_values = [p for one in measured for p in one.p_values()] + [together.p, *rejected.p_values()]
    if predicted is not None:
        p_values += [predicted.p, predicted.labels_p]
    tests, p_limit = two_samples.false_discovery_limit(p_values, limits.q)

    found = sorted(
        (one.result(p_limit, limits) for one in measured),
        key=lambda one: (not one.drifted, -one.effect, -(one.psi or 0.0), one.feature),
    )
    drifted = [one.feature for one in found if one.drifted]
    whole = together.result(p_limit, limits, features_drifted=bool(drifted))
    scores = predictions.nothing() if predicted is None else predicted.result(p_limit, limits)
    reasons = rejected.result(p_limit, limits)
    has_drifted = bool(drifted) or "drift" in (whole.status, scores.status, reasons.status)
    return DataDrift(
        status="drift" if has_drifted else "ok" if compared(found, scores) else "not-enough-data",
        message=_message(rows, limits, found, whole, scores, reasons),
        reference_rows=reference.rows,
        reference_sample=reference.sample,
        window_rows=rows,
        rows_seen=rows if rows_seen is None else rows_seen,
        features=found,
        drifted=drifted,
        joint=whole,
        predictions=scores,
        rejects=reasons,
        tests=tests,
        q=limits.q,
        p_limit=p_limit,
        psi_limit=limits.psi,
        share_limit=limits.share,
        skipped=skipped,
    )


def compared(features: Sequence[FeatureDrift], scores: PredictionDrift) -> bool:
    """Whether there was enough of the records, or of what was predicted for them, to say that nothing has moved."""
    return bool(features) or scores.status != "not-enough-data"


def _absent(reference: Reference, columns: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    return {name: "the captures have no column of it" for name in reference.features if name not in columns}


def _message(
    rows: int,
    limits: Limits,
    features: list[FeatureDrift],
    whole: JointDrift,
    scores: PredictionDrift,
    refused: Rejects,
) -> str:
    said = []
    moved = [one for one in features if one.drifted]
    if moved:
        names = ", ".join(f"{one.feature} ({' and '.join(one.reasons)})" for one in moved[:_NAMED])
        more = f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else ""
        said.append(f"{len(moved)} of {len(features)} features have moved: {names}{more}.")
    if whole.only_joint:
        said.append("No feature alone has moved, but they no longer go together as in the reference.")
    if scores.scores_drifted or scores.labels_drifted:
        said.append("The model's predictions are distributed otherwise than out of fold.")
    worst = [one for one in refused.reasons if one.drifted][:_NAMED]
    if worst:
        names = ", ".join(f"{one.field or 'the record'} ({one.code}, {one.share:.0%})" for one in worst)
        said.append(f"Far more records than usual are refused: {names}.")
    elif refused.drifted:
        said.append(f"Far more records than usual are refused: {refused.share:.0%} of all, for several reasons.")
    if rows < limits.min_rows:
        said.append(f"The window has {rows} rows; {limits.min_rows} are needed to compare distributions.")
    elif not compared(features, scores):
        said.append("Nothing of the records can be compared: the report says of each feature why.")
    return " ".join(said) if said else f"No feature has moved, of {len(features)}."
