"""From cells to typed columns: what every value must be, and what is wrong with those that are not.

One reading for every source. Text cells (CSV) and typed values (JSON, Parquet) end as the same typed
columns, so a record means the same wherever it comes from. `andamio.records.cells` reads a cell,
`andamio.records.columns` a column, this module a table; good columns are read whole, and a record alone (an
online prediction) is not paid for as if it were a table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.records.cells import Cells, DictionaryColumn
from andamio.records.columns import Reader, TypedReader
from andamio.records.table import Table
from andamio.records.target import read_target


def parse(
    contract: Contract,
    columns: Mapping[str, Cells],
    rows: int,
    *,
    text: bool,
    training: bool = False,
    decimal: str = ".",
) -> Table:
    """Read named columns of cells; every cell that breaks the contract is a `Violation` of the table.

    `text` says that cells are texts and `decimal` is their decimal mark; a float64 array among them holds
    numbers that were read already, NaN where the text means no value. Else cells are typed values, where
    None and NaN mean no value. What [data] missing lists means no value in both. With `training`, the target and
    the columns of [problem] are read too, and so are features that are only known afterwards.
    """

    def reader(table: Table) -> Reader:
        return Reader(table, text, contract.data.missing, decimal)

    return _table(contract, columns, reader, rows, training)


def parse_typed(contract: Contract, columns: Mapping[str, NDArray[Any]], rows: int, *, training: bool = True) -> Table:
    """The table of columns that a table had already: no cell is parsed again.

    Numbers and booleans are float64, dates and moments datetime64, everything else canonical text (dtype
    object). Values are still held against the contract, which may be another one than that of their first
    table; a column of another type than the contract's is parsed.
    """
    return _table(contract, columns, TypedReader, rows, training)


def _table(
    contract: Contract, columns: Mapping[str, Cells], reader: Callable[[Table], Reader], rows: int, training: bool
) -> Table:
    table = Table(rows)
    source = reader(table)
    for name, feature in (contract.features if training else contract.inputs).items():
        cells = columns.get(name)
        if not feature.available_at_prediction:
            # Only kept for the record: nothing of it reaches a model, so nothing about it costs the row.
            table.columns[name] = reader(Table(rows)).read(name, feature, cells)
            continue
        if feature.type == "category" and isinstance(cells, DictionaryColumn) and not training:
            table.coded[name] = source.coded_categories(name, feature, cells)
        else:
            table.columns[name] = source.read(name, feature, cells)
    problem = contract.problem
    if problem.time is not None and (training or problem.time in columns):
        table.time = source.times(problem.time, columns.get(problem.time), problem.time_format, required=training)
    if training:
        for column in dict.fromkeys((problem.id, problem.group)):
            if column is not None:
                table.columns[column] = source.identifiers(column, columns.get(column))
        if problem.target_from is None or problem.target in columns:
            table.labels = read_target(source, contract, columns.get(problem.target))
    return table
