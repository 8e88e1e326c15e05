"""From the columns that are sent to the features that a model sees: the one way, for files and for requests.

Numbers and booleans come to prepare as float64 (NaN: no value), texts and categories as objects (None: no value), dates
as datetime64. The columns of [problem] id and group are not among them; that of [problem] time is. What it makes is
read as typed cells are: ranges, categories and missing values are judged by the contract as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.contract.tables import EXACT_INTEGER, LARGEST_NUMBER, Feature
from andamio.errors import PrepareError, Violation
from andamio.prepare.code import OwnCode
from andamio.records.columns import NoValue, Reader, no_value
from andamio.records.table import Table
from andamio.records.target import read_target

Columns = dict[str, NDArray[Any]]

MADE = "as prepare.py makes it, "
"""What a reason begins with that is about a column which nobody sent."""
REFUSED = "prepare.py cannot read this record"
_CODE = "not-prepared"


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows of features, and which of them `keep` leaves out of training: bool `[rows]`."""

    table: Table
    left_out: NDArray[np.bool_]


def prepared(contract: Contract, code: OwnCode | None, sent: Table) -> Table:
    """The features of rows that were parsed as `contract.sent`; it is that table where nothing is to be prepared.

    Rows with a violation are not prepared, and have no value then. Raises `PrepareError` where the code is at fault.
    """
    if not contract.has_raw:
        return sent
    good = None if not sent.violations else np.flatnonzero(~sent.bad)
    columns = given(contract, sent, training=False)
    return _features(contract, code, sent, columns, good)


def prepared_for_training(contract: Contract, code: OwnCode | None, sent: Table) -> Prepared:
    """The features and labels of rows that were parsed as `contract.sent` for training."""
    left_out = np.zeros(sent.rows, dtype=bool)
    if code is None:
        return Prepared(sent, left_out)
    good = np.flatnonzero(~sent.bad)
    columns = given(contract, sent, training=True)
    if code.keep is not None:
        kept = _called(code, code.keep, columns, good, sent, lambda found, rows: _mask(code, found, rows))
        left_out[good] = ~kept.astype(bool)
        # A row that keep refused has a reason: it is rejected, and not left out.
        left_out &= ~sent.bad
        good = np.flatnonzero(~(sent.bad | left_out))
    if code.target is not None:
        made = _called(code, code.target, columns, good, sent, lambda found, rows: _array(code, "target", found, rows))
        cells = np.full(sent.rows, None, dtype=object)
        cells[good] = made.tolist()
        labels = Table(sent.rows)
        sent.labels = read_target(_reader(labels, contract), contract, cells)
        asked = set(good.tolist()).difference(problem.row for problem in sent.violations)
        sent.violations += [problem for problem in labels.violations if problem.row in asked]
        good = np.flatnonzero(~(sent.bad | left_out))
    if not contract.has_raw:
        return Prepared(sent, left_out)
    inputs = {name: column for name, column in columns.items() if name in _names_given(contract, training=False)}
    table = _features(contract, code, sent, inputs, good)
    for name, feature in contract.features.items():
        if not feature.available_at_prediction:
            table.columns[name] = sent.columns[name]
    for role in (contract.problem.id, contract.problem.group):
        if role is not None:
            table.columns[role] = sent.columns[role]
    table.labels = sent.labels
    return Prepared(table, left_out)


def given(contract: Contract, sent: Table, *, training: bool) -> Columns:
    """The columns as prepare is given them; with `training` also those that are known only afterwards."""
    columns: Columns = {}
    for name in _names_given(contract, training=training):
        if name == contract.problem.time:
            times = sent.time
            columns[name] = np.full(sent.rows, np.datetime64("NaT", "s")) if times is None else times.view()
        elif name in sent.coded:
            coded = sent.coded[name]
            columns[name] = np.array([*(text or None for text in coded.values), None], dtype=object)[coded.codes]
        else:
            column = sent.columns[name]
            columns[name] = _texts(column) if column.dtype == object else column.view()
    for column in columns.values():
        column.flags.writeable = False
    return columns


def _names_given(contract: Contract, *, training: bool) -> tuple[str, ...]:
    sent = contract.sent
    time = contract.problem.time
    return (*(sent.features if training else sent.inputs), *(() if time is None else (time,)))


def _texts(column: NDArray[Any]) -> NDArray[Any]:
    if len(column) == 1:
        return column.copy() if column[0] != "" else np.array([None], dtype=object)
    texts = column.copy()
    texts[column == ""] = None
    return texts


def _features(
    contract: Contract, code: OwnCode | None, sent: Table, columns: Columns, good: NDArray[np.int64] | None
) -> Table:
    """The table of features; rows that are not `good` (None: all are) have no value."""
    table = Table(sent.rows, violations=sent.violations, coerced=sent.coerced, time=sent.time)
    made = contract.made
    parts: list[Columns] = [{}]
    rows = None
    if made:
        assert code is not None
        parts, rows = _prepared(contract, code, sent, columns, good)
    reader = _reader(table, contract)
    everything = rows is None and len(parts) == 1
    absent = no_value(contract.data.missing)
    for name, feature in contract.inputs.items():
        if name not in made:
            if name in sent.coded:
                table.coded[name] = sent.coded[name]
            else:
                table.columns[name] = sent.columns[name]
            continue
        column = parts[0][name] if everything else _scattered([part[name] for part in parts], feature, rows, sent.rows)
        if sent.rows == 1 and everything and _plain(feature, column, absent):
            table.columns[name] = column
            continue
        start = len(table.violations)
        table.columns[name] = reader.read(name, feature, column)
        if len(table.violations) > start:
            table.violations[start:] = _told(table.violations[start:], rows)
    return table


def _prepared(
    contract: Contract, code: OwnCode, sent: Table, columns: Columns, good: NDArray[np.int64] | None
) -> tuple[list[Columns], NDArray[np.int64] | None]:
    """The columns that prepare makes, in parts, and their rows (None: all)."""
    assert code.prepare is not None
    return _run(code, code.prepare, columns, good, sent, lambda found, count: _made(contract, code, found, count))


def _plain(feature: Feature, column: NDArray[Any], absent: NoValue) -> bool:
    """Whether the one number or category of a column is what the contract asks for: nothing else is looked at then."""
    value = column[0]
    if feature.type == "category":
        return type(value) is str and value in (feature.values or ()) and value not in absent.texts
    if feature.type not in ("number", "integer") or column.dtype != np.float64 or value in absent.numbers:
        return False
    number = float(value)
    low, high = feature.min, feature.max
    if feature.type == "integer":
        inside = (-EXACT_INTEGER if low is None else low) <= number <= (EXACT_INTEGER if high is None else high)
        return inside and number.is_integer()
    return (-LARGEST_NUMBER if low is None else low) <= number <= (LARGEST_NUMBER if high is None else high)


def _told(violations: list[Violation], rows: NDArray[np.int64] | None) -> list[Violation]:
    """Violations of columns that were made, of rows that were: the others are rejected for another reason already."""
    known = None if rows is None else set(rows.tolist())
    return [
        Violation(one.row, one.field, MADE + one.reason, one.code)
        for one in violations
        if known is None or one.row in known
    ]


def _scattered(parts: list[NDArray[Any]], feature: Feature, rows: NDArray[np.int64] | None, count: int) -> NDArray[Any]:
    """The parts of a column in the places of their rows; the others have no value."""
    kind = np.result_type(*parts) if parts else np.dtype(object)
    whole: NDArray[Any] = np.full(count, None if kind.kind == "O" else nothing(kind), dtype=kind)
    whole[slice(None) if rows is None else rows] = np.concatenate(parts) if parts else []
    return whole


def nothing(kind: np.dtype[Any]) -> Any:
    """What a column of a table has where there is no value."""
    return "" if kind.kind == "O" else np.array("NaT", dtype=kind) if kind.kind == "M" else np.nan


def _reader(table: Table, contract: Contract) -> Reader:
    return Reader(table, False, contract.data.missing, ".")


# Calls


def _called(
    code: OwnCode,
    function: Callable[[Columns], Any],
    columns: Columns,
    good: NDArray[np.int64],
    sent: Table,
    checked: Callable[[Any, int], NDArray[Any]],
) -> NDArray[Any]:
    """The answer of target or keep for the good rows; one that it refused has the value of nothing."""
    parts, rows = _run(code, function, columns, good, sent, lambda found, count: {"": checked(found, count)})
    answers = np.full(sent.rows, None, dtype=object)
    whole = [part[""] for part in parts]
    answers[good if rows is None else rows] = np.concatenate(whole).tolist() if whole else []
    return np.asarray(answers[good])


def _run(
    code: OwnCode,
    function: Callable[[Columns], Any],
    columns: Columns,
    good: NDArray[np.int64] | None,
    sent: Table,
    checked: Callable[[Any, int], Columns],
) -> tuple[list[Columns], NDArray[np.int64] | None]:
    """The answers for some rows (None: all of them), in parts, and the rows that they are for, without refused ones."""
    if good is not None and len(good) == sent.rows:
        good = None
    some = columns if good is None else {name: _frozen(column[good]) for name, column in columns.items()}
    count = sent.rows if good is None else len(good)
    if count == 0:
        return [], np.zeros(0, dtype=np.int64)
    try:
        return [checked(function(dict(some)), count)], good
    except PrepareError:
        raise
    except Exception as error:
        parts, rows = [], []
        numbers = np.arange(sent.rows) if good is None else good
        for row, answer in _one_by_one(code, function, some, numbers, sent, checked, error):
            parts.append(answer)
            rows.append(row)
        return parts, np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)


def _one_by_one(
    code: OwnCode,
    function: Callable[[Columns], Any],
    columns: Columns,
    numbers: NDArray[np.int64],
    sent: Table,
    checked: Callable[[Any, int], Columns],
    error: Exception,
) -> list[tuple[NDArray[np.int64], Columns]]:
    """The same by halves, so that a refused row costs no other; raises `PrepareError` with the row at fault."""
    if len(numbers) == 1:
        line, column = code.place(error, columns)
        frozen = "read-only" in str(error)
        if not isinstance(error, ValueError) or frozen or line == 0:
            where = f"{code.file}, line {line}" if line else code.file
            about = f", column '{column}'" if column else ""
            if frozen:
                about += "; a column that is given cannot be changed in place: take a copy first"
            raise PrepareError(
                f"{where}: {type(error).__name__} (row {int(numbers[0]) + 1} of those given{about})", detail=str(error)
            ) from error
        reason = code.reasons.get(line)
        why = f"prepare.py, line {line}: {reason}" if reason else f"{REFUSED} (line {line})"
        sent.violations.append(Violation(int(numbers[0]), column if column in columns else "", why, _CODE))
        return []
    found: list[tuple[NDArray[np.int64], Columns]] = []
    half = len(numbers) // 2
    for part in (slice(0, half), slice(half, None)):
        some = {name: _frozen(column[part]) for name, column in columns.items()}
        try:
            found.append((numbers[part], checked(function(dict(some)), len(numbers[part]))))
        except PrepareError:
            raise
        except Exception as inner:
            found += _one_by_one(code, function, some, numbers[part], sent, checked, inner)
    return found


def _frozen(column: NDArray[Any]) -> NDArray[Any]:
    column.flags.writeable = False
    return column


# What came back


def _made(contract: Contract, code: OwnCode, found: Any, rows: int) -> Columns:
    """The features that were made, as float64, object or datetime64 each; raises `PrepareError`."""
    if not isinstance(found, Mapping):
        raise PrepareError(f"{code.file}: prepare must return columns by name, got {type(found).__name__}")
    columns: Columns = {}
    for name in contract.made:
        if name not in found:
            raise PrepareError(f"{code.file}: prepare returned no column '{name}', which [features.{name}] expects")
        column = _array(code, name, found[name], rows)
        is_truth = column.dtype == bool and contract.features[name].type != "category"
        columns[name] = column.astype(np.float64) if is_truth else column
    return columns


def _array(code: OwnCode, name: str, returned: Any, rows: int) -> NDArray[Any]:
    found: NDArray[Any] = returned if isinstance(returned, np.ndarray) else np.asarray(returned)
    if found.shape != (rows,):
        raise PrepareError(
            f"{code.file}: expected for '{name}' an array with a value for each of {rows} rows, got shape {found.shape}"
        )
    kind = found.dtype.kind
    if kind == "f" and found.dtype.itemsize == 8:
        return found
    if kind in "fiu":
        return found.astype(np.float64)
    if kind == "U":
        return found.astype(object)
    if kind not in "OMb":
        raise PrepareError(f"{code.file}: expected for '{name}' numbers, texts or dates, got an array of {found.dtype}")
    return found


def _mask(code: OwnCode, found: Any, rows: int) -> NDArray[Any]:
    mask = np.asarray(found)
    if mask.dtype != bool or mask.shape != (rows,):
        raise PrepareError(
            f"{code.file}: expected of keep a bool for each of {rows} rows; got {mask.dtype} of shape {mask.shape}"
        )
    return mask
