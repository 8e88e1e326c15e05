"""A data version as training sees it: one side, held against the contract and encoded by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.columns import ColumnFile, Columns
from andamio.dataset.version import KEY
from andamio.errors import TrainingError
from andamio.records.columns import TypedReader
from andamio.records.encode import OTHER, Encoded, encode
from andamio.records.parse import parse_typed
from andamio.records.table import Table
from andamio.records.target import read_target

_WITHOUT_KEY = f"The data version has no column '{KEY}': it was not made by this version's ETL"

LEARNED_VALUES = 100
LONGEST_VALUE = 200  # what the contract's format lets a value be


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """One side of a data version: `encoded`, the truth (classes or numbers), split keys, and the typed `table`."""

    encoded: Encoded
    labels: NDArray[Any]
    keys: tuple[str, ...]
    table: Table


def seal(contract: Contract, train: Columns) -> Contract:
    """The contract with the values of its open categories learned from train: the 100 most frequent.

    A category without any value in train lists only "other".
    """
    learned: dict[str, list[str]] = {}
    open_ = [name for name, feature in contract.inputs.items() if feature.type == "category" and feature.values is None]
    if open_:
        table = parse_typed(contract, train, _length(train))
        for name in open_:
            counts = Counter(text for text in table.columns[name] if text and len(text) <= LONGEST_VALUE)
            ranked = sorted(counts, key=lambda text: (-counts[text], text))[:LEARNED_VALUES]
            learned[name] = sorted(ranked) or [OTHER]
    # Read back what a release will keep: what cannot be read must not be trained on.
    return Contract.from_json(contract.seal(learned).to_json()) if learned else contract


def typed_table(contract: Contract, columns: Columns, *, version: str) -> Table:
    """The table of a data version's columns; raises `TrainingError` when a contract no longer fits the data."""
    table = parse_typed(contract, columns, _length(columns))
    _check(table, version)
    return table


def _check(table: Table, version: str) -> None:
    if table.violations:
        first = table.violations[0]
        raise TrainingError(
            f"Data version {version} breaks the contract in {int(table.bad.sum())} of {table.rows} rows (first: "
            f"'{first.field}' {first.reason}). The contract changed since ETL checked the data: run ETL again."
        )


class CheckedColumns(Mapping[str, NDArray[Any]]):
    """The model's features of a data version, each read and held against the contract when it is asked for.

    Raises `TrainingError` as others here, for the columns that are read.
    """

    def __init__(self, contract: Contract, columns: ColumnFile, *, version: str) -> None:
        self._contract = contract
        self._columns = columns
        self._version = version

    def __getitem__(self, name: str) -> NDArray[Any]:
        cells = self._columns.get(name)
        table = Table(_length(self._columns) if cells is None else len(cells))
        column = TypedReader(table).read(name, self._contract.inputs[name], cells)
        _check(table, self._version)
        return column

    def __iter__(self) -> Iterator[str]:
        return iter(self._contract.inputs)

    def __len__(self) -> int:
        return len(self._contract.inputs)


def labels_and_key_digests(
    contract: Contract, columns: ColumnFile, *, version: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The truth and key of each row, with no other column in memory; raises `TrainingError` as others here."""
    if contract.problem.target not in columns:
        raise TrainingError(f"Data version {version} has no target column")
    if KEY not in columns:
        raise TrainingError(_WITHOUT_KEY)
    keys = columns.digests(KEY)
    table = Table(len(keys))
    labels = read_target(TypedReader(table), contract, columns[contract.problem.target])
    _check(table, version)
    return labels, keys


def labels_and_keys(table: Table, columns: Columns, *, version: str) -> tuple[NDArray[Any], tuple[str, ...]]:
    """The truth and the split key of each row; raises `TrainingError` when there are none."""
    if table.labels is None:
        raise TrainingError(f"Data version {version} has no target column")
    return table.labels, tuple(map(str, columns[KEY]))


def encode_rows(contract: Contract, columns: Columns, *, version: str) -> TrainingRows:
    """Encode typed columns with a sealed contract; raises `TrainingError` when it no longer fits the data."""
    table = typed_table(contract, columns, version=version)
    labels, keys = labels_and_keys(table, columns, version=version)
    return TrainingRows(encode(contract, table), labels, keys, table)


def _length(columns: Columns) -> int:
    try:
        return len(columns[KEY])
    except KeyError:
        raise TrainingError(_WITHOUT_KEY) from None
