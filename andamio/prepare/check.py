"""Whether the answer for a row depends on that row alone: rows alone, in halves and in another order give the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.errors import PrepareError
from andamio.prepare.code import OwnCode
from andamio.prepare.rows import Columns, given, nothing, prepared, prepared_for_training
from andamio.records.from_json import parse_records
from andamio.records.table import Table

ROWS, ALONE = 200, 40
"""How many rows are looked at together, and how many of them each alone."""
_TOLERANCE = 1e-9
"""Relative: the vector units of a processor may round the last digit of a number otherwise than for one row."""


def check_example(contract: Contract, code: OwnCode | None) -> None:
    """Raise `PrepareError` where the example of the contract, which the API shows and tries, cannot be prepared."""
    if code is None or not contract.prepares:
        return
    table = prepared(contract, code, parse_records(contract.sent, [example_record(contract.sent)]))
    if table.violations:
        first = table.violations[0]
        raise PrepareError(
            f"{code.file}: the example record is refused: {first.field or 'the record'} {first.reason}. Give the "
            'columns of [raw] an example that fits: example = "..."'
        )


def check_requests(contract: Contract, code: OwnCode | None) -> None:
    """Raise `PrepareError`, which names the column, where prepare fails for a record that the contract allows.

    It is the example without each value that may be missing, one by one and all together, and with an odd text in each
    column that takes any. A record that prepare refuses with a ValueError is well answered.
    """
    if code is None or not contract.prepares:
        return
    example = example_record(contract.sent)
    for columns, sent, record in _allowed(contract.sent, example):
        try:
            prepared(contract, code, parse_records(contract.sent, [record]))
        except PrepareError as error:
            raise PrepareError(
                f"{error}: it fails for a record with {sent} in {columns}, which the contract allows, so the API would "
                'answer 500. Let prepare take it, or refuse it: raise ValueError("...")',
                detail=error.detail,
            ) from error


def _allowed(sent: Contract, example: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Records that are unlike the example: the columns that were changed and what they hold, in words."""
    optional = [name for name, feature in sent.inputs.items() if not feature.required]
    for name in optional:
        yield f"'{name}'", "no value", {**example, name: None}
    if len(optional) > 1:
        yield ", ".join(f"'{name}'" for name in optional), "no value", {**example, **dict.fromkeys(optional)}
    odd = next(text for text in ("?", "#", "~", "odd") if text not in sent.data.missing)
    for name, feature in sent.inputs.items():
        if feature.type == "category" and feature.accepts_unknown:
            yield f"'{name}'", f'"{odd}"', {**example, name: odd}


def check_rows(contract: Contract, code: OwnCode | None, sent: Table, *, training: bool) -> None:
    """Raise `PrepareError`, which names the column, where what is made of a row depends on other rows.

    `sent` are rows that were parsed as `contract.sent`; the first 200 without a violation are looked at. With
    `training`, `target` and `keep` are held to the same.
    """
    if code is None:
        return
    rows = np.flatnonzero(~sent.bad)[:ROWS]
    if len(rows) < 2:
        return
    some = sent.take(rows)
    _check_untouched(contract, code, some)

    def made(chosen: NDArray[np.int64]) -> Columns:
        part = some.take(chosen)
        if training:
            found = prepared_for_training(contract, code, part)
            columns = _columns(contract, found.table, found.left_out | found.table.bad)
            labels = {} if code.target is None else _labels(found.table)
            return {"keep": found.left_out, **labels, **columns}
        return _columns(contract, prepared(contract, code, part), np.zeros(len(chosen), dtype=bool))

    everything = np.arange(len(rows))
    whole = made(everything)
    shuffled = np.random.default_rng(7).permutation(len(rows))
    half = len(rows) // 2
    _compare(code, whole, made(shuffled), shuffled, "in another order")
    for part in (everything[:half], everything[half:]):
        _compare(code, whole, made(part), part, "without the other half of the rows")
    for row in np.linspace(0, len(rows) - 1, min(ALONE, len(rows))).astype(np.int64):
        _compare(code, whole, made(np.array([row])), np.array([row]), "alone")


def _labels(table: Table) -> Columns:
    assert table.labels is not None
    return {"target": table.labels.astype(np.float64)}


def _columns(contract: Contract, table: Table, without: NDArray[np.bool_]) -> Columns:
    """What was made, nothing where a row is left out or refused: it is not prepared."""
    columns: Columns = {}
    for name in contract.made:
        if name not in table.columns:
            continue  # known only afterwards
        column = table.columns[name].copy()
        if without.any():
            column[without] = nothing(column.dtype)
        columns[name] = column
    return columns


def _check_untouched(contract: Contract, code: OwnCode, some: Table) -> None:
    """A column that is changed and not declared would be sent one way and seen another: nothing takes the change."""
    if code.prepare is None or not contract.prepares:
        return
    columns = given(contract, some, training=False)
    try:
        found: Any = code.prepare(dict(columns))
    except Exception:  # what is raised is judged row by row
        return
    for name in contract.inputs:
        if name in contract.made or name not in columns or name not in found:
            continue
        changed = np.asarray(found[name])
        if changed.shape == columns[name].shape and not _same(columns[name], changed).all():
            raise PrepareError(
                f"{code.file}: prepare changes '{name}', which the contract has as a column that is sent as it is: say "
                f"[raw.{name}] for what is sent, or derived = true in [features.{name}]"
            )


def _compare(code: OwnCode, whole: Columns, part: Columns, rows: NDArray[np.int64], how: str) -> None:
    for name, column in part.items():
        differs = np.flatnonzero(~_same(whole[name][rows], column))
        if len(differs):
            raise PrepareError(
                f"{code.file}: '{name}' of row {int(rows[differs[0]]) + 1} is another when the rows come {how}: a "
                "value must follow from its own row alone. A constant that is learned from data, such as a mean, "
                "belongs into the model; write one that you know as a number"
            )


def _same(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return np.asarray(np.isclose(one, other, rtol=_TOLERANCE, atol=0.0, equal_nan=True))
    if one.dtype.kind == "M" and other.dtype.kind == "M":
        return np.asarray((one == other) | (np.isnat(one) & np.isnat(other)))
    return np.asarray(one == other, dtype=bool)
