"""Rejected rows: what is stored of them, so that they can be fixed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from andamio.contract import Contract
from andamio.dataset.documents import RejectReason

FILE = "rejects.jsonl"
PRIVATE = "(private)"
_MAX_CELL_LENGTH = 200
_MAX_REASONS = 50
_MAX_MESSAGES = 5

Violations = tuple[tuple[str, str, str], ...]
"""(column, reason, code) triples; the column is "" for the row as a whole, codes are `andamio.errors.REASON_CODES`."""


@dataclass(frozen=True, slots=True)
class Reject:
    """One unusable row, or a whole file when `line` is None; `cells` is JSON, or "" when there are none to show."""

    key: str
    version: str
    line: int | None
    violations: Violations
    cells: str = ""

    @property
    def reason(self) -> str:
        """Every problem in one line."""
        return "; ".join(f"{column}: {reason}" if column else reason for column, reason, _ in self.violations)

    @property
    def message(self) -> str:
        """Where it is and what is wrong, for a terminal."""
        return f"line {self.line}: {self.reason}" if self.line is not None else self.reason


def masked_cells(contract: Contract, row: Mapping[str, object]) -> str:
    """The contract's cells of a row as JSON, private features masked, long cells cut.

    Columns that the contract does not name stay out: it is unknown whether they may be stored.
    """
    cells: dict[str, object] = {}
    for name, cell in row.items():
        feature = contract.features.get(name)
        if feature is not None and feature.private:
            cells[name] = PRIVATE
        else:
            cells[name] = None if cell is None else str(cell)[:_MAX_CELL_LENGTH]
    return json.dumps(cells, ensure_ascii=False)


def to_json_lines(rejects: Sequence[Reject]) -> bytes:
    """quarantine/INPUT/rejects.jsonl: a row a line, in the order of the files and their lines."""
    lines = []
    for reject in rejects:
        document = {
            "file": reject.key,
            "version": reject.version,
            "line": reject.line,
            "code": reject.violations[0][2],
            "reason": reject.reason,
            "problems": [
                {"column": column, "code": code, "reason": reason} for column, reason, code in reject.violations
            ],
        }
        row = f', "row": {reject.cells}' if reject.cells else ""
        lines.append(f"{json.dumps(document, ensure_ascii=False)[:-1]}{row}}}\n")
    return "".join(lines).encode()


def count_reasons(rejects: Sequence[Reject]) -> list[RejectReason]:
    """The number of rows for each (column, reason, code), most frequent first."""
    counts = Counter(problem for reject in rejects for problem in reject.violations if reject.line is not None)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [
        RejectReason(column=column, code=code, reason=reason, rows=rows)
        for (column, reason, code), rows in ranked[:_MAX_REASONS]
    ]


def first_messages(rejects: Sequence[Reject]) -> list[str]:
    """The first few rejects in words, each with its file."""
    return [f"{reject.key}: {reject.message}"[:500] for reject in rejects[:_MAX_MESSAGES]]
