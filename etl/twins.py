"""Twins: records that are equal, or that differ in one column, and whether chance alone brings them.

In columns with few values equal records are expected, and say nothing. Two measures tell them from copies, and
either is enough to call twins chance:

- What independent columns would bring: the product of the shares of a record's values.
- What lies between equal and different. Where chance makes records equal, it also makes records that differ in one
  column of few values, about as often; a copy has no such neighbours. This holds however columns depend on each other.

A record is known by a hash of 64 bits that is a sum over blocks of columns: without a block it is a subtraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

BLOCKS = 32
"""Columns are left out one by one up to this number, and beyond it in blocks of neighbours."""
ABOVE_CHANCE = 3.0
"""How many times more often than among independent columns records must repeat."""
NEIGHBOURS = 0.2
"""The pairs that differ in one column of few values, per pair of equal records, from which on chance is at work."""
FEW_VALUES = 0.02
"""The chance of two rows to share a value, from which on a column has few: that of fifty equally frequent ones."""
SAME_LABEL = 0.8
"""The share of pairs that differ in one column and have one label, below which they are no versions of one record."""
LONELY = 0.01
"""The share of rows with one near twin and nothing near beyond it, up to which near twins are chance."""
_WIDEST, _SUSPECTED = 12, 8

Codes = NDArray[np.int64]
Rows = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


def codes_of(column: NDArray[np.generic]) -> Codes:
    """A code for each distinct cell, no value among them: `[rows]`."""
    return np.asarray(pd.factorize(column, use_na_sentinel=False)[0], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Rows that have a twin among others: which ones `[rows]`, their share, the share among independent columns.

    `chance` says that there are no more than chance brings.
    """

    found: Rows
    share: float
    by_chance: float
    chance: bool


class Records:
    """Rows as codes, a column each: `[columns][rows]`."""

    def __init__(self, columns: Sequence[Codes]) -> None:
        self._columns = columns
        self._rows = len(columns[0])
        parts = [part for part in np.array_split(np.arange(len(columns)), min(BLOCKS, len(columns))) if len(part)]
        self._blocks: list[Hashes] = []
        for part in parts:
            block = np.zeros(self._rows, dtype=np.uint64)
            for index in part.tolist():
                block += _mixed(columns[index], index)
            self._blocks.append(block)
        self._whole: Hashes = np.sum(self._blocks, axis=0, dtype=np.uint64)
        self._equal = _pairs(self._whole)

    def codes(self) -> Hashes:
        """A hash of each record: `[rows]`."""
        return self._whole

    def equal(self, of: Rows, among: Rows) -> Overlap:
        """The rows `of` that have an equal record `among` others."""
        found = of & np.isin(self._whole, self._whole[among])
        share = float(found.sum()) / max(int(of.sum()), 1)
        by_chance = self._by_chance(of, among, one_off=False)
        chance = share <= ABOVE_CHANCE * by_chance
        if found.any() and not chance:
            beside = sum(_pairs(self._whole - self._blocks[index]) - self._equal for index in self._narrow())
            chance = beside >= NEIGHBOURS * self._equal
        return Overlap(found, share, by_chance, chance=chance)

    def near(self, of: Rows, among: Rows, labels: Codes) -> Overlap:
        """The rows `of` that have no equal record `among` others, and one that differs in one column (or block).

        Versions of a record have its label. Rows that share all but one column and have labels of their own (customers
        of one day, who differ in one column) are chance.
        """
        found = np.zeros(self._rows, dtype=bool)
        if len(self._blocks) < 3:
            return Overlap(found, 0.0, 1.0, chance=True)
        places = np.flatnonzero(of)
        equal = self._count(self._whole, of, among)
        one_off = [self._count(self._whole - block, of, among) - equal for block in self._blocks]
        near = (equal == 0) & (np.sum(one_off, axis=0) > 0)
        found[places[near]] = True
        share = float(near.mean()) if len(near) else 0.0
        if not near.any():
            return Overlap(found, share, 0.0, chance=False)
        most = sorted(range(len(self._blocks)), key=lambda index: -int((near & (one_off[index] > 0)).sum()))
        most = most[:_SUSPECTED]
        agreeing, pairs, own = 0.0, 0.0, _mixed(labels, len(self._columns))
        for block in (self._blocks[index] for index in most):
            pairs += _pairs(self._whole - block) - self._equal
            agreeing += _pairs(self._whole - block + own) - _pairs(self._whole + own)
        narrow = self._narrow()
        two_off = np.zeros(len(places), dtype=np.int64)
        for one, two in {(min(one, two), max(one, two)) for one in most for two in narrow if one != two}:
            rest = self._whole - self._blocks[one] - self._blocks[two]
            two_off += self._count(rest, of, among) - equal - one_off[one] - one_off[two]
        lonely, beside = int((near & (two_off == 0)).sum()), int(((equal == 0) & ~near & (two_off == 1)).sum())
        by_chance = self._by_chance(of, among, one_off=True)
        chance = agreeing < SAME_LABEL * pairs or lonely <= max(beside, LONELY * len(places))
        return Overlap(found, share, by_chance, chance=chance or share <= ABOVE_CHANCE * by_chance)

    def _count(self, keys: Hashes, of: Rows, among: Rows) -> NDArray[np.int64]:
        """How many of the others have the key of each row: `[rows of]`."""
        others, wanted = np.sort(keys[among]), keys[of]
        return np.searchsorted(others, wanted, side="right") - np.searchsorted(others, wanted, side="left")

    def _narrow(self) -> list[int]:
        """The blocks of few values, up to a number that bounds the time."""
        pairs = self._rows * (self._rows - 1) / 2
        shares = {index: _pairs(block) / max(pairs, 1) for index, block in enumerate(self._blocks)}
        few = [index for index, share in shares.items() if share >= FEW_VALUES]
        # A column that hardly varies has few neighbours, so those about even come first.
        return sorted(few, key=lambda index: abs(shares[index] - 0.5))[:_WIDEST]

    def _by_chance(self, of: Rows, among: Rows, *, one_off: bool) -> float:
        """The share of rows with a twin if columns were independent."""
        count = int(among.sum())
        # Of equal records one is counted, and none of its own values: copies say nothing of what is common.
        distinct = np.unique(self._whole, return_index=True)[1]
        each = np.empty((len(self._columns), int(of.sum())), dtype=np.float32) if one_off else None
        likely = np.zeros(int(of.sum()))
        for index, codes in enumerate(self._columns):
            counts = np.bincount(codes[distinct], minlength=int(codes.max()) + 1)[codes[of]] - 1
            with np.errstate(divide="ignore"):
                logarithm = np.log(counts / max(len(distinct) - 1, 1))
            likely += logarithm
            if each is not None:
                each[index] = logarithm
        if each is not None:
            with np.errstate(invalid="ignore"):
                # A value that is not among the others leaves one record possible: that without it.
                unseen = np.isneginf(each).sum(axis=0)
                rest = np.where(np.isneginf(each), 0, each).sum(axis=0)
                without = np.where(np.isneginf(each), rest, rest - each)
                matches = np.exp(without)
                matches[:, unseen > 1] = 0
                matches[(~np.isneginf(each)) & (unseen == 1)] = 0
            chance = np.minimum(matches.sum(axis=0), 1 - 1e-12)
        else:
            chance = np.minimum(np.exp(likely), 1 - 1e-12)
        return float((-np.expm1(count * np.log1p(-chance))).mean()) if len(chance) else 0.0


def hashes(columns: Iterable[Codes]) -> Hashes:
    """A hash of each record of code columns: `[rows]`."""
    return np.asarray(sum(_mixed(codes, index) for index, codes in enumerate(columns)), dtype=np.uint64)


def _mixed(codes: Codes, column: int) -> Hashes:
    """A hash of each value of a column (the finalizer of SplitMix64)."""
    with np.errstate(over="ignore"):
        mixed = codes.astype(np.uint64) + np.uint64((column + 1) * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _pairs(hashes: Hashes) -> float:
    """How many pairs of rows are equal."""
    ordered = np.sort(hashes)
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    counts = np.diff(np.append(-1, ends)).astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())
