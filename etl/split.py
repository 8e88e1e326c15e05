"""The sealed split: which rows are holdout, decided once.

A row's side is a hash of its key and a salt, so it never moves, however often ETL runs and however
much data is added. The salt is the best of 64 by the holdout's size and class shares alone: on few
rows, a salt taken blindly gives a holdout of half or double the size. Nothing is sealed until a division
has rows of every declared class on both sides. With `split = "time"` the
newest share is the holdout instead; the cutoff only moves forward, so that a row may leave the
holdout for train but never the other way: an older champion never saw the rows that it was evaluated on.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.canonical import canonical_number
from andamio.contract.task import Classification
from andamio.dataset.columns import Columns
from andamio.dataset.digests import DigestArray, DigestTexts, digest_of
from andamio.errors import DataError
from andamio.records.cells import read_each
from etl.bands import in_bands
from etl.twins import Records, codes_of

FORMAT = 2
"""Of splits that are sealed now. Format 1 is divided alike; by it, equal records of any kind had sides of their own
where fewer than 90% of the rows were distinct."""
READ = (1, 2)
SALTS = 64
MOST_SALTS = 1024
"""How many are tried while none gives every class to both sides."""
CHANCE = 0.95
"""Rows are enough from this chance on that every class is on both sides, under the best of the salts."""
MAX_COST = 0.01
"""The cost of a salt below which another one is not looked for."""
MIN_DISTINCT_SHARE = 0.9
"""From this share of distinct feature vectors on, equal records share a side, be they chance or copies."""
TWINS_ROWS = 50_000
"""Rows, drawn at random, that tell chance from copies."""

KeyKind = Literal["group", "id", "features", "row"]
_CLASSES_SHOWN = 10
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class SealedSplit:
    """How rows are divided: `split.json`, written once.

    `key` says what identifies a row, `columns` which columns make the key, `missing` which texts mean
    no value in them. All are sealed, so that no later edit of the contract moves a row.
    """

    rule: Literal["hash", "time"]
    key: KeyKind
    columns: tuple[str, ...]
    missing: tuple[str, ...]
    salt: str
    share: float
    time: str | None = None
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """What names this split: 16 hex digits. Two models are compared only when theirs are equal."""
        return hashlib.sha256(self.to_json()).hexdigest()[:16]

    def to_json(self) -> bytes:
        """Canonical JSON: what is stored."""
        return json.dumps(asdict(self), sort_keys=True, indent=1).encode()

    @classmethod
    def from_json(cls, body: bytes) -> SealedSplit:
        """Read `split.json`; raises `DataError` when its format is not known."""
        raw: dict[str, Any] = json.loads(body)
        if raw.get("format") not in READ:
            raise DataError(f"split.json: format {raw.get('format')} is not one that this version reads")
        raw["columns"], raw["missing"] = tuple(raw["columns"]), tuple(raw["missing"])
        return cls(**raw)

    def keys(self, cells: Mapping[str, Sequence[object]], identities: Sequence[str]) -> DigestArray:
        """The key of each row, a digest `[rows]`, from raw cells; `identities` names rows whose key is "row"."""
        if self.key == "row":
            return _digests(identities, len(identities))
        return row_keys(self.columns, self.missing, cells, len(identities))

    def holdout(self, keys: DigestArray) -> NDArray[np.bool_]:
        """Which rows are held out under the hash rule: `[rows]`."""
        unique, member = np.unique(keys, return_inverse=True)
        is_held_out: NDArray[np.bool_] = _side(unique, self.salt, self.share)[member]
        return is_held_out

    def holdout_by_time(
        self, keys: DigestArray, times: NDArray[np.datetime64], not_before: np.datetime64 | None = None
    ) -> tuple[NDArray[np.bool_], np.datetime64]:
        """Which rows are held out under the time rule, and the cutoff used; it never moves before `not_before`.

        Rows that share a key go by the earliest of them, so that a group is never on both sides.
        """
        ordered = np.sort(times)
        cutoff = ordered[min(int(np.ceil(len(ordered) * (1 - self.share))), len(ordered) - 1)]
        if not_before is not None:
            cutoff = max(cutoff, not_before)
        _, member = np.unique(keys, return_inverse=True)
        earliest = np.full(member.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(earliest, member, times.astype("datetime64[s]").astype(np.int64))
        return earliest[member] >= np.int64(cutoff.astype("datetime64[s]").astype(np.int64)), cutoff


def seal_split(
    contract: Contract,
    columns: Columns,
    keys: DigestArray,
    identities: Sequence[str],
    labels: NDArray[Any],
    times: NDArray[np.datetime64],
) -> tuple[SealedSplit, DigestArray]:
    """Decide the split on the first data version, and its key of each row; a split by time goes by `times` `[rows]`.

    `keys` `[rows]` are those of `key_columns`: they are kept unless rows are better divided one by one. Raises
    `DataError` when no division has rows of every declared class on both sides.
    """
    problem, training = contract.problem, contract.training
    key: KeyKind = "group" if problem.group is not None else "id" if problem.id is not None else "features"
    repeated = key == "features" and len(np.unique(keys)) < MIN_DISTINCT_SHARE * len(keys)
    by_row = repeated and _twins_are_chance(contract, columns)
    split = SealedSplit(
        rule=training.split,
        key="row" if by_row else key,
        columns=() if by_row else key_columns(contract),
        missing=tuple(contract.data.missing),
        salt="",
        share=training.holdout,
        time=problem.time if training.split == "time" else None,
    )
    if by_row:
        keys = split.keys({}, identities)
    # Of a number its quarters shall be alike on both sides, and need not be: only classes must be there.
    every = isinstance(contract.task, Classification)
    contract, labels = in_bands(contract, labels)
    classes = len(contract.classes)
    if len(np.unique(labels)) < classes:
        raise DataError(_cannot_split(contract, split, keys, labels, "a class of [problem] labels has no rows"))
    if split.rule == "time":
        held, cutoff = split.holdout_by_time(keys, times)
        if _one_sided(held, labels, classes, every=every):
            both = f"the holdout (rows from {cutoff} on) would have {_counts(labels[held], contract)}"
            raise DataError(_cannot_split(contract, split, keys, labels, f"not every class is on both sides, {both}"))
        return split, keys
    cost, salt = _best_salt(keys, labels, classes, training.seed, split.share, every=every)
    if not np.isfinite(cost) and repeated and not by_row:
        # Too few records to divide: what repeats so often is no copy of a row.
        of_rows = replace(split, key="row", columns=())
        own_keys = of_rows.keys({}, identities)
        row_cost, row_salt = _best_salt(own_keys, labels, classes, training.seed, split.share, every=every)
        if np.isfinite(row_cost):
            return replace(of_rows, salt=row_salt), own_keys
    if not np.isfinite(cost):
        tried = f"of {MOST_SALTS:,} divisions by hash none has rows of every class on both sides"
        raise DataError(_cannot_split(contract, split, keys, labels, tried))
    return SealedSplit(**{**asdict(split), "salt": salt}), keys


def rows_needed(classes: int, share: float, salts: int = 1) -> int:
    """How many rows (or groups) each class needs, that each of them is on both sides with a chance of 95%.

    A class of n rows is on one side alone with a chance of (1 - share)^n + share^n; of `salts` divisions the best
    counts.
    """
    enough = (1 - (1 - CHANCE) ** (1 / salts)) ** (1 / classes)
    return next(rows for rows in range(2, 10_000) if 1 - (1 - share) ** rows - share**rows >= enough)


def _cannot_split(
    contract: Contract, split: SealedSplit, keys: DigestArray, labels: NDArray[np.int64], why: str
) -> str:
    needed = rows_needed(len(contract.classes), split.share, 1 if split.rule == "time" else SALTS)
    return (
        f"the data cannot be split: {why}. Classes have {_counts(labels, contract)} rows"
        f"{_rows_by_key(split, keys, labels, contract)}; with a holdout of {split.share:.0%}, each of "
        f"{len(contract.classes)} classes needs about {needed}. Nothing was sealed. Gather more of the rarest, "
        "merge classes in [problem] labels, or take one out."
    )


def row_keys(
    columns: Sequence[str], missing: Sequence[str], cells: Mapping[str, Sequence[object]], rows: int
) -> DigestArray:
    """A digest of each row's raw cells in canonical text: equal records have equal keys, whatever wrote them."""
    texts = [_texts(cells[column], missing) if column in cells else [""] * rows for column in columns]
    return _digests(map(_SEPARATOR.join, zip(*texts, strict=True)), rows)


def key_columns(contract: Contract) -> tuple[str, ...]:
    """The columns of raw data that make a row's key until the split is sealed."""
    problem = contract.problem
    key_column = problem.group or problem.id
    return (key_column,) if key_column is not None else tuple(contract.sent.inputs)


def _texts(cells: Sequence[object], missing: Sequence[str]) -> list[str]:
    """A column in canonical text, "" where there is no value."""
    missing_texts = frozenset(canonical_number(text) for text in missing) | {""}

    def canonical(cell: object) -> str:
        try:
            text = canonical_number(cell)
        except ValueError:  # an integer of thousands of digits
            text = hex(cell) if isinstance(cell, int) else repr(cell)
        return "" if text in missing_texts else text

    return read_each(cells, canonical)


def _twins_are_chance(contract: Contract, columns: Columns) -> bool:
    """Whether equal records are what few columns of few values bring, and no copies (`etl.twins`)."""
    rng = np.random.default_rng(0)
    codes: list[NDArray[np.int64]] = []
    drawn: NDArray[np.int64] | None = None
    for name in contract.inputs:
        column = columns[name]
        drawn = rng.permutation(len(column))[:TWINS_ROWS] if drawn is None else drawn
        codes.append(codes_of(column[drawn]))
    half = rng.random(len(codes[0])) < 0.5
    return Records(codes).equal(half, ~half).chance


def _digests(texts: Iterable[str], rows: int) -> DigestArray:
    return np.fromiter(map(digest_of, texts), dtype=np.uint64, count=rows)


def _side(keys: DigestArray, salt: str, share: float) -> NDArray[np.bool_]:
    """Which keys are held out: those whose hash, as a fraction of 2^48, is below the share."""
    salted = hashlib.sha256(salt.encode())

    def key_hash(key: str) -> int:
        digest = salted.copy()
        digest.update(key.encode())
        return int.from_bytes(digest.digest()[:6])

    return np.fromiter(map(key_hash, DigestTexts(keys)), dtype=np.float64, count=len(keys)) / 2**48 < share


def _best_salt(
    keys: DigestArray, labels: NDArray[np.int64], classes: int, seed: int, share: float, *, every: bool
) -> tuple[float, str]:
    """The cheapest of 64 salts, or the first that is good enough: on many rows, nearly all are.

    Where none of 64 gives every class to both sides, the first of up to 1,024 that does.
    """
    unique, member = np.unique(keys, return_inverse=True)
    best = math.inf, ""
    for index in range(MOST_SALTS):
        if index >= SALTS and math.isfinite(best[0]):
            break
        salt = hashlib.sha256(f"{seed}/{index}".encode()).hexdigest()[:16]
        cost = _cost(_side(unique, salt, share)[member], labels, classes, share, every=every)
        if cost < best[0]:
            best = cost, salt
        if cost <= MAX_COST:
            break
    return best


def _cost(
    is_held_out: NDArray[np.bool_], labels: NDArray[np.int64], classes: int, share: float, *, every: bool
) -> float:
    """How far a holdout is from the size asked for and from the classes' shares; infinite when a class is one-sided."""
    if _one_sided(is_held_out, labels, classes, every=every):
        return math.inf
    total = np.bincount(labels, minlength=classes)
    inside = np.bincount(labels[is_held_out], minlength=classes)
    size = abs(is_held_out.mean() - share) / share
    drift = np.abs(inside / is_held_out.sum() - total / len(labels)).max()
    return float(size + 2 * drift)


def _one_sided(held: NDArray[np.bool_], labels: NDArray[np.int64], classes: int, *, every: bool) -> bool:
    """Whether some class lacks rows on one of the sides; without `every`, whether a side has no rows."""
    if not every:
        return bool(held.all() or not held.any())
    total = np.bincount(labels, minlength=classes)
    inside = np.bincount(labels[held], minlength=classes)
    return bool((inside == 0).any() or (inside == total).any())


def _counts(labels: NDArray[np.int64], contract: Contract) -> str:
    """Rows of each class; of many classes, the rarest."""
    counts = np.bincount(labels, minlength=len(contract.classes))
    shown = np.sort(np.argsort(counts, kind="stable")[:_CLASSES_SHOWN])
    more = len(counts) - len(shown)
    listed = ", ".join(f"'{contract.classes[index]}': {counts[index]}" for index in shown)
    return f"{listed}, {more} more at least as many" if more else listed


def _rows_by_key(split: SealedSplit, keys: DigestArray, labels: NDArray[np.int64], contract: Contract) -> str:
    """How little there is to divide, where rows stay together: 12 rows of one patient are one."""
    order = np.lexsort((labels, keys))
    keys, labels = keys[order], labels[order]
    first = np.append(True, (keys[1:] != keys[:-1]) | (labels[1:] != labels[:-1]))
    if first.all():
        return ""
    what = f"'{split.columns[0]}'" if split.key in ("group", "id") else "features"
    return f" (rows of the same {what} stay together, as one: {_counts(labels[first], contract)})"
