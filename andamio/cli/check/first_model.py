"""Whether the gate is likely to promote a first model: out-of-fold scores of a sample of train against the floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.cli.check.families import SAMPLE, Trained, defaults_of, sample_of, why_of
from andamio.contract import Contract
from andamio.gate.rules import class_rows, low_evidence
from andamio.records.encode import Encoded
from andamio.stats.bootstrap import Scorer, compare
from andamio.stats.metrics import higher_is_better
from training.families.trainable import fit_family, floor
from training.own.fit import OwnPipeline
from training.rows import TrainingRows
from training.trials.folds import parts, repeated

_FAMILIES = 3
_RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Outlook:
    """The best family that was tried: its score out of fold and that of the floor, on `rows` of train.

    `probability` is the chance of a gain on the `judged` rows that the gate compares on, which are those of train where
    the holdout has too few (`cross_validated`). `explained` is the share of a number's variance that is explained, 0
    where classes are predicted.
    """

    family: str
    score: float
    floor: float
    rows: int
    judged: int
    cross_validated: bool
    probability: float
    explained: float


@dataclass(frozen=True, slots=True)
class Scored:
    """The best outlook, None where no family could be fitted on every fold; `failed` says why, by family."""

    best: Outlook | None
    failed: Mapping[str, str]


def outlook(
    contract: Contract,
    train: TrainingRows,
    classes: dict[str, int],
    holdout: int,
    families: Sequence[Trained],
    own: OwnPipeline | None,
) -> Scored:
    """What a few fast families reach by their defaults, the first one that is sure to do counts.

    `classes` are the rows of each class on both sides. A family that cannot be fitted on a fold is left out, as its
    trials are. Raises `TrainingError` when the rows of train cannot be divided into folds, as every trial would.
    """
    seed = contract.training.seed
    keys = np.asarray(train.keys, dtype=np.str_)
    assigned = repeated(train.labels, train.keys, contract.classes, seed, 1)[0]
    chosen = sample_of(train.labels, SAMPLE, seed)
    truth, encoded = train.labels[chosen], train.encoded.take(chosen)
    of_train = class_rows(train.labels, len(contract.classes))
    held = [classes[name] - rows for name, rows in zip(contract.classes, of_train, strict=True)]
    low = low_evidence(held, holdout)
    judged = len(train.labels) if low else holdout
    flat = np.tile(floor(contract, train.labels), (len(truth), 1))
    scorer = Scorer(contract.training.metric, contract.positive_index)
    sign = 1 if higher_is_better(contract.training.metric) else -1
    found: list[Outlook] = []
    failed: dict[str, str] = {}
    for family in sorted(families, key=lambda one: one.seconds[1]):
        try:
            scores = _out_of_fold(contract, family.family, encoded, truth, assigned[chosen], own)
        except Exception as error:  # as in `families.trained`: a fold may lack what the sample has
            failed[family.family] = why_of(error)
            continue
        comparison = compare(
            truth, keys[chosen], (scorer, scores), (scorer, flat), sign=sign, seed=seed, count=_RESAMPLES
        )
        found.append(
            Outlook(
                family.family,
                comparison.score.value,
                comparison.baseline.value,
                len(truth),
                judged,
                low,
                _chance(comparison.gain.value, comparison.gains, len(truth) / judged),
                _explained(truth, scores),
            )
        )
        if found[-1].probability >= contract.gate.confidence or len(found) == _FAMILIES:
            break
    return Scored(max(found, key=lambda one: one.probability, default=None), failed)


def _out_of_fold(
    contract: Contract,
    family: str,
    encoded: Encoded,
    truth: NDArray[Any],
    assigned: NDArray[np.int8],
    own: OwnPipeline | None,
) -> NDArray[np.float64]:
    params, seed = defaults_of(family, own), contract.training.seed
    scores = np.empty((len(truth), max(1, len(contract.classes))))
    for fit_on, score_on in parts(assigned):
        fitted = fit_family(contract, family, encoded.take(fit_on), truth[fit_on], seed, params=params, own=own)
        scores[score_on] = fitted.predict(encoded.take(score_on))
    if not np.isfinite(scores).all():
        raise ValueError("predicted something that is not a finite number")
    return scores


def _chance(gain: float, drawn: NDArray[np.float64], ratio: float) -> float:
    """The chance of a gain above zero on rows of which there are `1 / ratio` times as many as were drawn."""
    if not math.isfinite(gain):
        return 0.0
    spread = float(np.nanstd(drawn)) * math.sqrt(ratio)
    return NormalDist(0.0, spread).cdf(gain) if spread > 0 else float(gain > 0)


def _explained(truth: NDArray[Any], scores: NDArray[np.float64]) -> float:
    if truth.dtype.kind != "f" or not truth.var():
        return 0.0
    return 1 - float(np.mean((truth - scores[:, 0]) ** 2) / truth.var())
