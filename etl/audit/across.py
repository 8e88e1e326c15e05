"""Suspects across the split: overlap of holdout and train makes every score too good."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import Columns
from andamio.storage import layout
from etl.audit.suspects import DUPLICATES, GROUPS, NEAR_DUPLICATES, TIMES, Suspect
from etl.split import SealedSplit
from etl.twins import Records, codes_of

MIN_ROWS = 3
"""Fewer rows than this are not reported."""
MIN_SHARE = 0.01
"""The share of holdout rows, or of pairs of rows in the wrong order, below which an overlap is ignored."""
MAX_HOLDOUT_ROWS, MAX_TRAIN_ROWS = 20_000, 100_000
"""How many rows are compared. Rows lie in the order of a digest, so the first ones are a sample."""


def across_the_split(
    contract: Contract,
    rows: Columns,
    labels: NDArray[np.int64],
    holdout: NDArray[np.bool_],
    split: SealedSplit,
) -> tuple[list[Suspect], list[str]]:
    """Suspects that concern rows of train and holdout together, and the kinds that were checked."""
    found: list[Suspect | None] = [*_duplicates(contract, rows, labels, holdout, split)]
    checked = [DUPLICATES, NEAR_DUPLICATES]
    group, time = contract.problem.group, contract.problem.time
    if group is not None and group in rows:
        found.append(_groups(group, rows[group], holdout, split))
        checked.append(GROUPS)
    if time is not None and time in rows and "time" in (split.rule, contract.training.split):
        found.append(_times(time, rows[time].astype(np.int64), holdout, split))
        checked.append(TIMES)
    return [suspect for suspect in found if suspect is not None], checked


def _duplicates(
    contract: Contract,
    rows: Columns,
    labels: NDArray[np.int64],
    holdout: NDArray[np.bool_],
    split: SealedSplit,
) -> Iterator[Suspect]:
    """Holdout rows with the features of a training row, or all of them but one, more than by chance (`etl.twins`)."""
    taken = _sample(holdout)
    held = holdout[taken]
    codes = [codes_of(rows[name][taken]) for name in contract.inputs]
    records = Records(codes)
    of = int(held.sum())
    compared = f"{of} holdout rows" + (f" (compared with {int((~held).sum()):,})" if len(taken) < len(holdout) else "")
    equal = records.equal(held, ~held)
    count = int(equal.found.sum())
    if count >= max(MIN_ROWS, MIN_SHARE * of) and not equal.chance:
        same_label = _of_one_label(records.codes(), labels[taken], held, equal.found)
        anew = (
            " The split was sealed by rows: a new lake seals it so that equal records share a side."
            if split.key == "row"
            else ""
        )
        yield Suspect(
            DUPLICATES,
            "",
            {
                "rows": count,
                "holdout": of,
                "share": equal.share,
                "by_chance": equal.by_chance,
                "same_label": same_label,
            },
            f"{count} of {compared} ({equal.share:.1%}; {equal.by_chance:.1%} by chance) have the very features of a "
            f"training row, {same_label} of them with its label: a model may memorize them. Remove the copies from the "
            f"raw files, or name the column that copies share as group in [problem].{anew}",
        )
    near = records.near(held, ~held, labels[taken])
    count = int(near.found.sum())
    if count >= max(MIN_ROWS, MIN_SHARE * of) and not near.chance:
        yield Suspect(
            NEAR_DUPLICATES,
            "",
            {"rows": count, "holdout": of, "share": near.share, "by_chance": near.by_chance},
            f"{count} of {compared} ({near.share:.1%}; {near.by_chance:.1%} by chance) have the features of a training "
            "row but for one column: versions of one record, which a model may memorize. Keep one version of each, or "
            "name the column that versions share as group in [problem].",
        )


def _sample(holdout: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The rows that are compared, in order: up to 20,000 of the holdout and 100,000 of train."""
    held, train = np.flatnonzero(holdout)[:MAX_HOLDOUT_ROWS], np.flatnonzero(~holdout)[:MAX_TRAIN_ROWS]
    return np.sort(np.concatenate([held, train]))


def _of_one_label(
    records: NDArray[np.uint64], labels: NDArray[np.int64], held: NDArray[np.bool_], found: NDArray[np.bool_]
) -> int:
    """How many of the rows found have their label too. Of a record that train has with several, any will do."""
    pairs = set(zip(records[~held].tolist(), labels[~held].tolist(), strict=True))
    return sum(pair in pairs for pair in zip(records[found].tolist(), labels[found].tolist(), strict=True))


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
