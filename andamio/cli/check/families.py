"""Every family of a contract, fitted on a sample of train and exported: does it train, and is the export the same?"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.errors import TrainingError
from andamio.records.encode import Encoded
from andamio.release.model import Model
from andamio.stats.quantiles import strata_of
from andamio.storage.ports import Objects
from training import calibrate, export
from training.families.spaces import OWN
from training.families.trainable import fit_family
from training.own.fit import Own, OwnPipeline
from training.own.fit import fit as fit_own
from training.own.proof import prove
from training.own.trial import PipelineError
from training.rows import TrainingRows, encode_rows, seal

SAMPLE = 1000
"""Rows of train that a family is fitted on."""
_OF_CLASS = 5
_PART = 4
_CALLS = 50


@dataclass(frozen=True, slots=True)
class Trained:
    """One family: how long a fit took on `rows` and on a `part` of them (seconds), the export's bytes, and its parity.

    `difference` is the largest one between fitted and exported model, `latency_ms` the median of a call with one row.
    `why` says why it cannot be trained, "" where it can.
    """

    family: str
    rows: tuple[int, int] = (0, 0)
    seconds: tuple[float, float] = (0.0, 0.0)
    size_bytes: int = 0
    difference: float = 0.0
    latency_ms: float = 0.0
    why: str = ""


def training_rows(lake: Objects, contract: Contract, version: str) -> tuple[Contract, TrainingRows]:
    """The contract sealed by train, and the rows of train, encoded by it."""
    columns = dataset.read_columns(lake, version, "train", without={dataset.ROW})
    sealed = seal(contract, columns)
    return sealed, encode_rows(sealed, columns, version=version)


def trained(contract: Contract, train: TrainingRows, family: str, own: OwnPipeline | None = None) -> Trained:
    """A family of a sealed contract, by its defaults, on a sample that has every class.

    `own` is the problem's pipeline.py.
    """
    if family == OWN and own is None:
        return Trained(family, why="there is no pipeline.py that can be used")
    chosen = sample_of(train.labels, SAMPLE, contract.training.seed)
    try:
        return _one(contract, family, train.encoded.take(chosen), train.labels[chosen], own)
    except Exception as error:  # libraries raise whatever they like, and any of it means: not trained
        return Trained(family, why=why_of(error))


def why_of(error: Exception) -> str:
    """Why a fit failed, for people: what is no error of ours is named by its type."""
    if isinstance(error, PipelineError | TrainingError):
        return str(error)
    return f"{type(error).__name__}: {error}"[:300]


def _one(contract: Contract, family: str, encoded: Encoded, truth: NDArray[Any], own: OwnPipeline | None) -> Trained:
    seed = contract.training.seed
    params = defaults_of(family, own)
    part = sample_of(truth, len(truth) // _PART, seed)
    seconds = []
    for rows in (part, np.arange(len(truth))):
        started = time.perf_counter()
        fitted = fit_family(contract, family, encoded.take(rows), truth[rows], seed, params=params, own=own)
        seconds.append(time.perf_counter() - started)
    if own is not None and isinstance(fitted, Own):
        prove(contract, fitted, encoded, partial(fit_own, own, contract, encoded, truth, params, seed), seed)
    # Its own rows stand for those that it was not fitted on: the curve is another one, the graph is of the same kind.
    scores = fitted.predict(encoded)
    curve = calibrate.fit(scores, truth, contract.positive_index)
    onnx = calibrate.attach(export.to_onnx(fitted), curve, contract.positive_index)
    model = Model(contract, onnx)
    ruler = export.Ruler.of(fitted)

    def expected(rows: Encoded) -> NDArray[np.float64]:
        return curve.apply(fitted.predict(rows), contract.positive_index)

    proof = export.parity(expected, model.predict, encoded, export.range_ends(contract), seed, ruler)
    limit = contract.gate.max_size_mb * 2**20
    why = ""
    if not proof.holds:
        why = f"the exported model differs by {proof.largest:.2g}, and {proof.tolerance:g} is allowed"
    elif len(onnx) > limit:
        why = f"it has {len(onnx) / 2**20:.1f} MB, and [gate] max_size_mb is {contract.gate.max_size_mb:g}"
    return Trained(
        family,
        (len(part), len(truth)),
        (seconds[0], seconds[1]),
        len(onnx),
        proof.largest,
        _latency(model, encoded),
        why,
    )


def defaults_of(family: str, own: OwnPipeline | None) -> dict[str, Any]:
    """The parameters that a family is tried with: of the problem's own pipeline its defaults, of any other none."""
    return dict(own.space.defaults) if own is not None and family == OWN else {}


def _latency(model: Model, encoded: Encoded) -> float:
    row = encoded.take(np.array([0]))
    model.predict(row)
    times = []
    for _ in range(_CALLS):
        started = time.perf_counter()
        model.predict(row)
        times.append(time.perf_counter() - started)
    return median(times) * 1000


def sample_of(truth: NDArray[Any], rows: int, seed: int) -> NDArray[np.int64]:
    """So many rows at random, and some of every class (or tenth of a number) besides."""
    labels = strata_of(truth)
    order = np.random.default_rng(seed).permutation(len(labels))
    by_class = [order[labels[order] == index][:_OF_CLASS] for index in np.unique(labels)]
    return np.unique(np.concatenate([order[:rows], *by_class]))
