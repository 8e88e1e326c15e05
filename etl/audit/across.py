"""Suspects across the split: overlap of holdout and train makes every score too good."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns
from andamio.storage import layout
from etl.audit.evidence import codes_of, records
from etl.audit.suspects import DUPLICATES, GROUPS, TIMES, Suspect
from etl.split import SealedSplit

MIN_ROWS = 3
"""Fewer rows than this are not reported."""
MIN_SHARE = 0.01
"""The share of holdout rows, or of pairs of rows in the wrong order, below which an overlap is ignored."""
ABOVE_CHANCE = 3.0
"""How many times more often than by chance records must repeat."""
MAX_HOLDOUT_ROWS = 20_000


def across_the_split(
    contract: Contract,
    rows: Columns,
    labels: NDArray[np.int64],
    holdout: NDArray[np.bool_],
    split: SealedSplit,
) -> tuple[list[Suspect], list[str]]:
    """Suspects that concern rows of train and holdout together, and the kinds that were checked."""
    found, checked = [_duplicates(contract, rows, labels, holdout)], [DUPLICATES]
    group, time = contract.problem.group, contract.problem.time
    if group is not None and group in rows:
        found.append(_groups(group, rows[group], holdout, split))
        checked.append(GROUPS)
    if time is not None and time in rows and "time" in (split.rule, contract.training.split):
        found.append(_times(time, rows[time].astype(np.int64), holdout, split))
        checked.append(TIMES)
    return [suspect for suspect in found if suspect is not None], checked


def _duplicates(
    contract: Contract, rows: Columns, labels: NDArray[np.int64], holdout: NDArray[np.bool_]
) -> Suspect | None:
    """Holdout rows with the same features as a training row, more than by chance.

    In columns with few values equal records are expected. Chance is estimated as if columns were
    independent: the share of a record in train is then the product of the shares of its values.
    """
    inputs = tuple(contract.inputs)
    member = records(rows, inputs)
    seen = np.zeros(member.max() + 1, dtype=bool)
    seen[member[~holdout]] = True
    copies = holdout & seen[member]
    holdout_rows, train_rows = int(holdout.sum()), int((~holdout).sum())
    count = int(copies.sum())
    if count < max(MIN_ROWS, MIN_SHARE * holdout_rows):
        return None
    likely = np.zeros(len(labels))
    for name in inputs:
        codes = codes_of(rows[name])
        counts = np.bincount(codes[~holdout], minlength=codes.max() + 1)
        with np.errstate(divide="ignore"):
            likely += np.log(counts / train_rows)[codes]
    chance = float((-np.expm1(train_rows * np.log1p(-np.minimum(np.exp(likely[holdout]), 1 - 1e-12)))).mean())
    if count / holdout_rows <= ABOVE_CHANCE * chance:
        return None
    # Of a record that stands in train with several labels, any will do.
    train_pairs = set(zip(member[~holdout].tolist(), labels[~holdout].tolist(), strict=True))
    same_label = sum(pair in train_pairs for pair in zip(member[copies].tolist(), labels[copies].tolist(), strict=True))
    return Suspect(
        DUPLICATES,
        "",
        {
            "rows": count,
            "holdout": holdout_rows,
            "share": count / holdout_rows,
            "by_chance": chance,
            "same_label": same_label,
        },
        f"{count} of {holdout_rows} holdout rows ({count / holdout_rows:.1%}; {chance:.1%} by chance) have the very "
        "features of a "
        f"training row, {same_label} of them with its label: a model may memorize them. Remove the copies from "
        "the raw files, or name the column that copies share as group in [problem].",
    )


def _groups(group: str, column: NDArray[np.object_], holdout: NDArray[np.bool_], split: SealedSplit) -> Suspect | None:
    codes = codes_of(column)
    both = np.intersect1d(codes[holdout], codes[~holdout])
    if len(both) == 0:
        return None
    count = int(np.isin(codes[holdout], both).sum())
    by = ", ".join(f"'{name}'" for name in split.columns[:3]) or "rows"
    return Suspect(
        GROUPS,
        group,
        {"groups": len(both), "rows": count, "holdout": int(holdout.sum())},
        f"'{group}': {len(both)} groups are on both sides of the split, with {count} of {int(holdout.sum())} holdout "
        f"rows: {layout.SPLIT} was sealed by {by}, before the group was named. Start a new lake with the group in "
        "[problem], so that the split is sealed by it.",
    )


def _times(time: str, moments: NDArray[np.int64], holdout: NDArray[np.bool_], split: SealedSplit) -> Suspect | None:
    train_rows = np.sort(moments[~holdout])
    holdout_rows = moments[holdout][:MAX_HOLDOUT_ROWS]
    later = len(train_rows) - np.searchsorted(train_rows, holdout_rows, side="right")
    wrong = float(later.mean() / len(train_rows))
    if wrong <= MIN_SHARE:
        return None
    advice = (
        f'{layout.SPLIT} was sealed with the rule "{split.rule}", before [training] split said "time": start the lake '
        "anew"
        if split.rule != "time"
        else "rows that share a key reach across the cutoff: give rows of one key one period, or leave the group out"
    )
    return Suspect(
        TIMES,
        time,
        {"pairs_in_wrong_order": wrong, "holdout": int(holdout.sum())},
        f"'{time}': in {wrong:.1%} of pairs a holdout row is older than a training row, so that the model is "
        f"evaluated on the past and trained on the future: {advice}.",
    )
