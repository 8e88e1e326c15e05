"""Which holdout rows the champion was trained on and the candidate was not: they favour the champion.

The sealed split moves no raw row. A captured record moves to the side of a raw row that comes later with its values or
its id, and rows without a key are others in a file that is uploaded anew.
"""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset import version as dataset
from andamio.dataset.columns import Columns
from andamio.dataset.records import record_digests
from andamio.errors import TrainingError
from andamio.storage.ports import Objects
from training.evaluate.recent import among


def by_champion_alone(
    lake: Objects, contract: Contract, before: str, version: str, holdout: Columns
) -> NDArray[np.bool_]:
    """A mask over the holdout's rows `[n]`: those that were in train in the champion's data version `before`.

    A row was there where its identity was, or where its id or its features were and are not in train now: of records
    that are equal by chance both models saw one. Without the older version in the lake nobody knows, and none was.
    """
    found = np.zeros(len(holdout[dataset.ROW]), dtype=bool)
    if before == version:
        return found
    with ExitStack() as opened:
        try:
            older, train = (opened.enter_context(dataset.open_columns(lake, one, "train")) for one in (before, version))
        except TrainingError:
            return found
        found |= among(holdout[dataset.ROW], older[dataset.ROW])
        name = contract.problem.id
        if name is not None and name in older and name in train:
            ids = holdout[name]
            there = among(ids, older[name]) & (ids != "")
            if (there & ~found).any():
                found |= there & ~among(ids, train[name])
        names = list(contract.inputs)
        if set(names) <= set(older):
            records = record_digests(holdout, names)
            there = np.isin(records, record_digests(older, names))
            if (there & ~found).any():
                found |= there & ~np.isin(records, record_digests(train, names))
    return found
