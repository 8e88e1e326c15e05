"""What each feature contributed to one prediction: Shapley values against a release's reference rows.

A coalition of features has the record's values, the others those of a reference row; a feature's
contribution is what the prediction changes by when it joins, averaged over coalitions and reference
rows (Shapley 1953; interventional, as in Janzing, Minorics & Bloebaum, "Feature relevance
quantification in explainable AI: a causal problem", 2020). With few features that is computed
exactly. With more, features join in drawn orders, each order also backwards (Mitchell, Cooper, Frank
& Holmes, "Sampling Permutations for Shapley Value Estimation", JMLR 2022): what the steps of an order
add up to is always prediction minus the reference row's own.

The average is that of all reference rows. Where the budget does not allow for orders on all of them, some are
drawn, one of each stratum of their predictions; what their average is off by is known, and each contribution is
corrected by its regression on it. So the contributions sum to prediction minus average however few are drawn,
and the stated margins count the drawing.

The model is asked twice at most: about the reference rows themselves, and about all distinct mixtures of them with
the record in one batch.

A feature is a feature of the contract: the three columns of a date join together. One whose reference
values are not kept (private ones never are) is held at the record's own value throughout: it has no
contribution, and what it does is in the average.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.columns import feature_columns
from andamio.errors import ReleaseError
from andamio.records.cells import Cells
from andamio.records.encode import Encoded, encode
from andamio.records.parse import parse
from andamio.release.samples import ReferenceRows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Masks = NDArray[np.bool_]
Predict = Callable[[Encoded], NDArray[np.floating]]
"""A model: encoded records to probabilities `[rows, classes]`."""

MOST_ROWS, FEWEST_ROWS = 12_000, 3_000
"""How many mixtures a small model, and any model at all, is asked about in one explanation."""
_SMALL_MODEL_BYTES = 100 * 1024
"""Bytes up to which a model is small."""
_COST_EXPONENT = 0.7
"""A row costs trees about so: with this power of their bytes (measured by benchmarks/serving/explain.py)."""

_FEW_ROWS = 10
"""Reference rows below which an order is not also used backwards (twice as many rows), and nothing is regressed."""
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t for 1 to 9 degrees of freedom: 95% lie within it."""

_MAX_EXACT_FEATURES = 20
"""Features up to which all coalitions are thought of at all; what the model is asked decides."""


def rows_for(model_bytes: int) -> int:
    """The number of mixtures to evaluate for a model of this size; independent of speed, so that results repeat."""
    return max(FEWEST_ROWS, int(MOST_ROWS * min(1.0, (_SMALL_MODEL_BYTES / max(model_bytes, 1)) ** _COST_EXPONENT)))


@dataclass(frozen=True, slots=True)
class Reference:
    """Rows to explain against: `features` are explained (with their columns), `held` keep the record's value.

    `probabilities` `[rows, classes]` are the model's of the rows themselves, None where they are not known.
    """

    encoded: Encoded
    features: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]
    held: tuple[str, ...]
    probabilities: NDArray[np.floating] | None = None

    def scored(self, predict: Predict) -> Reference:
        """With probabilities, where they are the same for every record: nothing is held."""
        return self if self.held else replace(self, probabilities=predict(self.encoded))


@dataclass(frozen=True, slots=True)
class Explanation:
    """Contributions that sum to `probability - average`, of one class.

    `margins` has how far each may be from what all reference rows and orders would give, in about nine cases of ten,
    and `error` the largest standard error of them (0 when exact); `evaluations` is how many mixtures the model was
    asked about, `rows` how many reference rows features were exchanged with, of those whose average is `average`.
    """

    probability: float
    average: float
    contributions: dict[str, float]
    exact: bool
    rows: int
    evaluations: int
    error: float
    margins: dict[str, float]


def read_reference(contract: Contract, document: ReferenceRows, ignored: Collection[str] = ()) -> Reference:
    """The rows of a release's reference.json, encoded; raises `ReleaseError` when there are none to explain against.

    `ignored` features do not reach the model: they are neither explained nor held.
    """
    rows, columns, times = document.rows, document.columns, document.time
    if not rows:
        raise ReleaseError("reference.json holds no rows")
    explained: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    cells: dict[str, Cells] = dict(columns)
    for name, positions in feature_columns(contract.inputs).items():
        feature = contract.inputs[name]
        undated = feature.type == "date" and contract.problem.time is not None and times is None
        if name in columns and name not in ignored and not feature.private and not undated:
            explained[name] = positions
    if contract.problem.time is not None and times is not None:
        cells[contract.problem.time] = _moments(times) if contract.problem.time_format is not None else times
    for name, feature in contract.inputs.items():
        if name in columns and feature.format is not None:
            cells[name] = _moments(columns[name])
    table = parse(contract, cells, rows, text=False)
    violations = [problem for problem in table.violations if problem.field in explained]
    if violations:
        raise ReleaseError(f"reference.json breaks the contract in '{violations[0].field}'")
    held = tuple(name for name in contract.inputs if name not in explained and name not in ignored)
    return Reference(encode(contract, table), explained, held)


def _moments(texts: Sequence[object]) -> NDArray[np.datetime64]:
    """Dates that are kept in ISO 8601, however the contract has people write them."""
    return np.array(texts, dtype="datetime64[s]")


def seed_of(version: str, record: Encoded) -> int:
    """A seed from release and record, independent of how the record is written."""
    numbers = np.where(np.isnan(record.numbers), np.float32(np.nan), record.numbers + np.float32(0))
    digest = hashlib.sha256(version.encode() + numbers.astype("<f4").tobytes())
    digest.update("\0".join(record.categories.ravel().tolist()).encode(errors="surrogatepass"))
    return int.from_bytes(digest.digest()[:8], "big")


def explain(
    predict: Predict, reference: Reference, record: Encoded, probability: float, target: int, *, rows: int, seed: int
) -> Explanation:
    """Explain why the class `target` has this probability in the one row of `record`.

    `rows` bounds the mixtures that the model is asked about, but for two orders at least; raises what `predict` raises.
    """
    count, features = reference.encoded.rows, len(reference.features)
    mixtures = _Mixtures(predict, reference, record, probability, target)
    if features <= 1 or (features <= _MAX_EXACT_FEATURES and count << features <= rows):
        values, average = _exact(mixtures, count, features)
        contributions = dict(zip(reference.features, values.tolist(), strict=True))
        margin_of = dict.fromkeys(contributions, 0.0)
        return Explanation(probability, average, contributions, True, count, mixtures.evaluations, 0.0, margin_of)
    alone = mixtures.alone()
    average, left = float(alone.mean()), rows - mixtures.evaluations
    directions = 2 if left // (2 * features - 1) >= min(count, _FEW_ROWS) else 1
    size = min(count, max(2, left // (1 + directions * (features - 1))))
    rounds = max(1, (left // size - 1) // (directions * (features - 1)))
    rng = np.random.default_rng(seed)
    drawn = np.arange(count) if size == count else _stratified(alone, size, rng)
    found = _sampled(mixtures, drawn, features, rounds, directions, rng)
    if size == count:
        values, errors, freedom = _of_all(found)
    else:
        values, errors, freedom = _of_some(found, probability - average)
    margins = errors * (_T[freedom - 1] if freedom <= len(_T) else 1.96 + 2.5 / freedom)
    contributions, margin_of = (dict(zip(reference.features, each.tolist(), strict=True)) for each in (values, margins))
    error = float(errors.max())
    return Explanation(probability, average, contributions, False, size, mixtures.evaluations, error, margin_of)


def _exact(mixtures: _Mixtures, count: int, features: int) -> tuple[Floats, float]:
    """Every coalition, averaged over the reference rows: Shapley's own formula."""
    coalitions = np.arange(1 << features)
    masks = (coalitions[:, None] >> np.arange(features) & 1).astype(bool)
    probabilities = mixtures.evaluate(np.tile(np.arange(count), len(masks)), np.repeat(masks, count, axis=0))
    worth = probabilities.reshape(len(masks), count).mean(axis=1)
    sizes = masks.sum(axis=1)
    weights = np.array([1 / (features * math.comb(features - 1, size)) for size in range(features)])
    values = np.zeros(features)
    for feature in range(features):
        without = coalitions[~masks[:, feature]]
        values[feature] = weights[sizes[without]] @ (worth[without | 1 << feature] - worth[without])
    return values, float(worth[0])


def _stratified(alone: Floats, size: int, rng: np.random.Generator) -> Ints:
    """So many of the reference rows: one of each stratum, where rows in order of their probability are cut evenly."""
    order = np.lexsort((rng.random(len(alone)), alone))
    edges = np.linspace(0, len(alone), size + 1)
    return np.sort(order[(edges[:-1] + rng.random(size) * np.diff(edges)).astype(np.int64)])


def _sampled(
    mixtures: _Mixtures, drawn: Ints, features: int, rounds: int, directions: int, rng: np.random.Generator
) -> Floats:
    """What each feature changed, `[rows, rounds, features]`: in some orders of each reference row, there and back."""
    count = len(drawn)
    order = rng.permuted(np.tile(np.arange(features), (count * rounds, 1)), axis=1)
    rank = np.argsort(order, axis=1)
    ranks = np.stack([rank, features - 1 - rank][:directions], axis=1)  # [count * rounds, directions, features]
    joined = np.arange(features + 1)[:, None] > ranks[:, :, None, :]  # [.., directions, features + 1, features]
    rows = np.broadcast_to(np.repeat(drawn, rounds)[:, None, None], joined.shape[:3])
    worth = mixtures.evaluate(rows.reshape(-1), joined.reshape(-1, features)).reshape(joined.shape[:3])
    steps = np.take_along_axis(np.diff(worth, axis=2), ranks, axis=2)  # what each feature changed by joining
    changed: Floats = steps.mean(axis=1).reshape(count, rounds, features)
    return changed


def _of_all(found: Floats) -> tuple[Floats, Floats, int]:
    """Contributions, standard errors and degrees of freedom where every reference row was used alike."""
    count, rounds, _ = found.shape
    # The reference rows are all taken, not drawn: with several rounds only what differs within a row is chance.
    if rounds > 1:
        spread, freedom = found.var(axis=1, ddof=1).mean(axis=0), count * (rounds - 1)
    else:
        spread, freedom = found[:, 0].var(axis=0, ddof=min(1, count - 1)), max(1, count - 1)
    return found.mean(axis=(0, 1)), np.sqrt(spread / (count * rounds)), freedom


def _of_some(found: Floats, total: float) -> tuple[Floats, Floats, int]:
    """The same where some rows were drawn, whose contributions would sum to `total` if it were all."""
    rows = found.mean(axis=1)
    values, size = rows.mean(axis=0), len(rows)
    centred, sums = rows - values, rows.sum(axis=1)
    away = sums - sums.mean()
    missing = total - float(sums.mean())
    if size >= _FEW_ROWS and float(away @ away) > 0:
        slopes, freedom = away @ centred / (away @ away), size - 2
        centred = centred - away[:, None] * slopes
    else:
        sizes = np.abs(values)
        slopes = sizes / sizes.sum() if sizes.any() else np.full(len(values), 1 / len(values))
        freedom = size - 1
    errors = np.sqrt((centred**2).sum(axis=0) / freedom / size)
    return values + slopes * missing, errors, freedom


class _Mixtures:
    """Rows with values of the record where a mask is set, and of a reference row elsewhere, evaluated in one batch."""

    def __init__(
        self, predict: Predict, reference: Reference, record: Encoded, probability: float, target: int
    ) -> None:
        self.evaluations = 0
        self._predict, self._reference, self._record = predict, reference, record
        self._probability, self._target = probability, target
        positions = list(reference.features.values())
        self._numbers = _feature_of_column([numbers for numbers, _ in positions], record.numbers.shape[1])
        self._categories = _feature_of_column([categories for _, categories in positions], record.categories.shape[1])
        rows = reference.encoded
        numbers = (rows.numbers != record.numbers) & ~(np.isnan(rows.numbers) & np.isnan(record.numbers))
        categories = rows.categories != record.categories
        differs = np.zeros((rows.rows, len(positions)), dtype=bool)
        for feature, (numbers_at, categories_at) in enumerate(positions):
            differs[:, feature] = numbers[:, list(numbers_at)].any(axis=1) | categories[:, list(categories_at)].any(
                axis=1
            )
        self._differs = differs

    def alone(self) -> Floats:
        """The probability of the class for each reference row, with the record's values where features are held."""
        known = self._reference.probabilities
        if known is not None:
            return np.asarray(known[:, self._target], dtype=np.float64)
        count = self._reference.encoded.rows
        return self.evaluate(np.arange(count), np.zeros((count, len(self._reference.features)), dtype=bool))

    def evaluate(self, rows: Ints, masks: Masks) -> Floats:
        """The probability of the class for reference rows `[n]` and masks `[n, features]`, without repeats."""
        # What the record and the reference row share makes no difference; nothing left to differ is the record.
        masks = masks & self._differs[rows]
        whole = (masks == self._differs[rows]).all(axis=1)
        worth = np.full(len(rows), self._probability)
        bits = np.packbits(masks[~whole], axis=1)
        keys = np.concatenate([rows[~whole, None].astype(">u4").view(np.uint8), bits], axis=1)
        _, first, inverse = np.unique(
            np.ascontiguousarray(keys).view(np.dtype((np.void, keys.shape[1]))).ravel(),
            return_index=True,
            return_inverse=True,
        )
        if len(first):
            probabilities = self._predict(self._encoded_mixtures(rows[~whole][first], masks[~whole][first]))
            worth[~whole] = np.asarray(probabilities, dtype=np.float64)[inverse, self._target]
            self.evaluations += len(first)
        return worth

    def _encoded_mixtures(self, rows: Ints, masks: Masks) -> Encoded:
        # A last column for what is held: always the record's.
        from_record = np.concatenate([masks, np.ones((len(masks), 1), dtype=bool)], axis=1)
        reference_rows = self._reference.encoded.take(rows)
        return Encoded(
            np.where(from_record[:, self._numbers], self._record.numbers, reference_rows.numbers),
            np.where(from_record[:, self._categories], self._record.categories, reference_rows.categories),
        )


def _feature_of_column(positions: list[tuple[int, ...]], width: int) -> Ints:
    """Which feature each column belongs to, -1 where it is held."""
    features = np.full(width, -1, dtype=np.int64)
    for feature, columns in enumerate(positions):
        features[list(columns)] = feature
    return features
