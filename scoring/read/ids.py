"""The caller's own ids, as the canonical texts that records are looked up by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from andamio.contract.canonical import canonical
from andamio.records.cells import Cells, DictionaryColumn, Wrong, text_of
from andamio.tabular.arrow import values

_RESPELT = pa.array(["True", "TRUE", "False", "FALSE", "-0"])
"""Texts whose canonical form is another; so is that of what ends like 4.0."""


def canonical_ids(texts: pa.StringArray, missing: Sequence[str] = ()) -> pa.StringArray:
    """What `andamio.contract.canonical` makes of each text, "" where it is one that means no value."""
    ids = pc.utf8_trim_whitespace(texts)
    if not pc.all(pc.string_is_ascii(ids)).as_py():
        ids = pc.utf8_normalize(ids, "NFC")
    other = pc.or_(pc.and_(pc.ends_with(ids, "0"), pc.match_substring(ids, ".")), pc.is_in(ids, value_set=_RESPELT))
    if pc.any(other).as_py():
        respelt = [canonical(text) for text in ids.filter(other).to_pylist()]
        ids = pc.replace_with_mask(ids, other, pa.array(respelt, pa.string()))
    said = [text for text in {*missing, *map(canonical, missing)} if text]
    if said:
        ids = pc.if_else(pc.is_in(ids, value_set=pa.array(said, pa.string())), "", ids)
    return pc.fill_null(ids, "")


def record_ids(column: pa.Array | Cells, rows: int, missing: Sequence[str]) -> pa.StringArray:
    """The canonical texts `[rows]` of a column of ids, as a reader hands it over; "" where there is none."""
    if not isinstance(column, pa.Array):
        return ids_of(column, rows, missing)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_integer(kind):
        return canonical_ids(pc.cast(column, pa.string()), missing)
    return ids_of(values(column), rows, missing)


def ids_of(cells: Cells, rows: int, missing: Sequence[str] = ()) -> pa.StringArray:
    """The same of typed cells; what is no text and no number is no id."""
    column = cells if isinstance(cells, DictionaryColumn) else DictionaryColumn(list(cells), np.arange(rows))
    absent = {*missing, *map(canonical, missing)}
    texts = ["" if (text := _id(cell)) in absent else text for cell in column.values]
    codes = np.where(column.codes < 0, len(texts), column.codes)
    return pa.array([*texts, ""], pa.string()).take(pa.array(codes))


def _id(cell: object) -> str:
    text = text_of(cell)
    return "" if isinstance(text, Wrong) else text
