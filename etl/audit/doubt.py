"""Strong columns: suspects unless they err where the other columns are in doubt too, as real features do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from etl.audit.evidence import column_codes, rates_out_of_fold
from etl.audit.others import HARD, hard_rows
from etl.audit.suspects import Suspect
from etl.audit.train import Train

IN_DOUBT = 0.4
"""The share of a column's mistakes on the hard fifth of the rows above which it is a feature like others."""
LUCK = 0.003
"""The chance below which so many mistakes on hard rows are no accident."""
SAME = 0.5
"""The share of the mistakes of two columns that are in common, from which on they are one in two forms."""
SAMPLE = 10_000
"""Rows on which hard rows are looked for."""
_DESIGN = 120
"""How many numbers of a row the other columns are summed up in, about."""
_MANY = 60


@dataclass(frozen=True, slots=True)
class Guess:
    """A column that guesses the label suspiciously well: the rows `[rows]` that it guesses wrong, and the suspect."""

    wrong: NDArray[np.bool_]
    suspect: Suspect


def without_excuse(train: Train, guesses: Sequence[Guess]) -> list[Suspect]:
    """The suspects among strong columns: those whose mistakes do not fall where the other columns are in doubt.

    Columns with the same mistakes are one column in several forms, and are no witnesses for each other.
    """
    if not guesses:
        return []
    rates = _rates(train)
    found = []
    for guess in guesses:
        same = {other.suspect.feature for other in guesses if _overlap(guess.wrong, other.wrong) >= SAME}
        others = [rate for name, rate in rates.items() if name not in same]
        hard = hard_rows(others, train.labels[:SAMPLE], train.folds[:SAMPLE], train.classes)
        if not _excused(guess.wrong[:SAMPLE], hard):
            found.append(guess.suspect)
    return found


def _overlap(one: NDArray[np.bool_], two: NDArray[np.bool_]) -> float:
    """The mistakes of both as a share of those of either; 1 where there are none."""
    either = int((one | two).sum())
    return int((one & two).sum()) / either if either else 1.0


def _excused(wrong: NDArray[np.bool_], hard: NDArray[np.bool_]) -> bool:
    mistakes, there = int(wrong.sum()), int((wrong & hard).sum())
    return there > IN_DOUBT * mistakes and (mistakes > _MANY or _tail(mistakes, there) < LUCK)


def _tail(trials: int, hits: int) -> float:
    """The chance of so many hits or more, each of the chance of a hard row."""
    return sum(math.comb(trials, k) * HARD**k * (1 - HARD) ** (trials - k) for k in range(hits, trials + 1))


def _rates(train: Train) -> dict[str, NDArray[np.float32]]:
    """The logarithms of the rates of the columns that tell most, on a sample: `[rows of the sample, classes]`."""
    labels, folds = train.labels[:SAMPLE], train.folds[:SAMPLE]
    most = max(_DESIGN // max(train.classes - 1, 1), 8)
    rates: list[tuple[float, str, NDArray[np.float32]]] = []
    for name, feature in train.contract.inputs.items():
        codes = column_codes(feature, train.columns[name][:SAMPLE])
        if codes.max() == 0:
            continue
        rate = np.log(np.maximum(rates_out_of_fold(codes, labels, folds, train.classes), 1e-6)).astype(np.float32)
        rates = sorted([*rates, (-float(rate.std(axis=0).sum()), name, rate)], key=lambda one: one[:2])[:most]
    return {name: rate for _, name, rate in rates}
