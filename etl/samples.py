"""Records of raw data that are kept, for a release to be proved with from raw cells to the model's answer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.digests import DigestArray, DigestTexts
from andamio.dataset.documents import SampleRecords
from andamio.prepare.code import OwnCode
from andamio.prepare.samples import RECORDS, TextCells, as_sent, disguised, disguises
from andamio.records.table import Table
from andamio.tabular.rows import Rows

_TRIES = 10 * RECORDS
"""How many records are looked at, at most: with made-up values each may be refused."""

_MADE_UP = 1
"""Grows when made-up values are made differently: data versions that have them get new names."""


def recipe(contract: Contract) -> dict[str, int]:
    """What names samples with made-up values, as a setting; empty for other contracts, whose names stay.

    Before, the same rows had samples with real values: under the same name these would be found, and kept.
    """
    return {"made_up": _MADE_UP} if contract.prepares and disguises(contract) else {}


class Samples:
    """The first usable records of a problem that prepares, at most 50 of the first 500; none of any other."""

    def __init__(self, contract: Contract, code: OwnCode | None) -> None:
        self._contract, self._code = contract, code
        self._private = disguises(contract)
        self._tries = _TRIES if contract.prepares else 0
        self._kept = SampleRecords(records={})

    def add(
        self, sent: Table, rows: Rows, decimal: str | None, without: NDArray[np.bool_], identities: DigestArray
    ) -> None:
        """Keep records of a file, but those that are `without` use; `sent` is what was read of the rows."""
        room = RECORDS - len(self._kept.records)
        chosen = np.flatnonzero(~without)[: self._tries if self._private else min(self._tries, room)]
        if not room or not len(chosen):
            return
        for row, identity in zip(chosen.tolist(), DigestTexts(identities[chosen]), strict=True):
            if len(self._kept.records) == RECORDS:
                return
            self._tries -= 1
            record = as_sent(self._contract.sent, sent, row)
            if self._private:
                self._add_disguised(identity, record)
                continue
            self._kept.records[identity] = record
            if rows.text:
                cells = self._cells(rows.original(row))
                self._kept.cells[identity] = TextCells(cells=cells, decimal=decimal or ".")

    def document(self) -> SampleRecords:
        """What was kept."""
        return self._kept

    def _add_disguised(self, identity: str, record: dict[str, Any]) -> None:
        found = disguised(self._contract, self._code, record, int(identity, 16))
        if found is not None:
            self._kept.records[identity], self._kept.features[identity] = found

    def _cells(self, original: Any) -> dict[str, str]:
        sent, time = self._contract.sent, self._contract.problem.time
        wanted = (*sent.inputs, *(() if time is None else (time,)))
        return {name: original[name] for name in wanted if isinstance(original.get(name), str)}
