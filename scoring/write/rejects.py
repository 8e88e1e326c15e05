"""Rows that could not be scored: where each begins, what is wrong with it, and the row itself."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import IO

from andamio.errors import Violation
from andamio.tabular.broken import Broken
from andamio.tabular.rows import Rows

NO_VALUES = "has no values"
UNREADABLE_ROW = "unreadable-row"
"""The code of a row that is none."""
_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str)


class Rejects:
    """Writes one JSON object a reject; `count` of them so far."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def write(self, rows: Rows, problems: Iterable[Violation]) -> None:
        """Write the rows that have problems, and those that are none, in the order of the file."""
        by_row: dict[int, list[Violation]] = {}
        for problem in problems:
            by_row.setdefault(problem.row, []).append(problem)
        broken = sorted(rows.broken, key=lambda row: row.line, reverse=True)
        for row in sorted(by_row):
            line = int(rows.lines[row])
            while broken and broken[-1].line < line:
                self._put_broken(broken.pop())
            self._put_row(line, rows.original(row), by_row[row])
        while broken:
            self._put_broken(broken.pop())

    def _put_row(self, line: int, row: object, problems: list[Violation]) -> None:
        if is_nothing(row):
            self._put(line, [{"field": "", "code": "no-values", "reason": NO_VALUES}], row)
            return
        self._put(
            line,
            [{"field": problem.field, "code": problem.code, "reason": problem.reason} for problem in problems],
            row,
        )

    def _put_broken(self, row: Broken) -> None:
        self._put(row.line, [{"field": "", "code": UNREADABLE_ROW, "reason": row.reason}], row.row)

    def _put(self, line: int, errors: list[dict[str, str]], row: object) -> None:
        reason = "; ".join(
            f"{error['field']}: {error['reason']}" if error["field"] else error["reason"] for error in errors
        )
        document = {"line": line, "code": errors[0]["code"], "reason": reason, "errors": errors, "row": row}
        try:
            text = _JSON.encode(document)
        except ValueError:
            text = _JSON.encode(_without_infinity(document))
        self._file.write(text.encode(errors="replace") + b"\n")
        self.count += 1


def is_nothing(row: object) -> bool:
    """Whether a row of JSON Lines or Parquet has no value in any column."""
    return isinstance(row, dict) and not any(_has_content(value) for value in row.values())


def _has_content(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _without_infinity(value: object) -> object:
    """The value in JSON, which has no infinity."""
    if isinstance(value, dict):
        return {str(name): _without_infinity(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_infinity(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
