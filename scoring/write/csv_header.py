"""The header of scored CSV: the same bytes in each part, and once in the whole file."""

from __future__ import annotations

import codecs

from andamio.tabular.csv.row import row_text
from scoring.batch import BatchPlan


def csv_header(plan: BatchPlan) -> bytes:
    """The first line, behind a byte order mark where the file that is scored has one: some spreadsheets need it."""
    mark = codecs.BOM_UTF8 if plan.head.encoding_basis == "mark" else b""
    return mark + (row_text([*plan.head.columns, *plan.names_out.values()], plan.head.delimiter) + "\n").encode()
