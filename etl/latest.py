"""Which row counts of those with one id, and which captured rows equal a raw one: functions of digests `[rows]`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.dataset.digests import DigestArray

Mask = NDArray[np.bool_]


def latest(ids: DigestArray, has_id: Mask, captured: Mask, rejected: Mask) -> Mask:
    """Which rows have no later row of their id: `[rows]`. Captured rows come before raw ones.

    A captured row counts where the raw row that counts is `rejected`: the data have that record nowhere else.
    """
    found = _last(ids, has_id)
    unusable = ids[found & has_id & rejected & ~captured]
    found |= _last(ids, has_id & captured) & has_id & captured & np.isin(ids, unusable)
    return found


def beside_equal(records: DigestArray, keys: DigestArray, valid: Mask, captured: Mask) -> DigestArray:
    """Keys of which captured rows that equal a raw row have that row's, whatever their ids; `records` are digests."""
    raw = np.flatnonzero(valid & ~captured)
    known, first = np.unique(records[raw], return_index=True)
    found = keys.copy()
    if len(known):
        rows = np.flatnonzero(valid & captured)
        places = np.minimum(np.searchsorted(known, records[rows]), len(known) - 1)
        equal = known[places] == records[rows]
        found[rows[equal]] = keys[raw[first[places[equal]]]]
    return found


def _last(ids: DigestArray, among: Mask) -> Mask:
    """All rows but those among some that a later one of them has the id of."""
    found = np.ones(len(ids), dtype=bool)
    places = np.flatnonzero(among)
    found[places[pd.Series(ids[places]).duplicated(keep="last").to_numpy()]] = False
    return found
