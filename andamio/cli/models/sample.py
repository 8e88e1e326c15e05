"""The sample data of a problem folder: its files, and a record to predict."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.dates import date_format
from andamio.contract.schema import example_record
from andamio.contract.tables import Feature
from andamio.dataset.columns import file_columns
from andamio.errors import DataError, InputFileError
from andamio.records.names import near_name, required_columns, why_unusable
from andamio.records.parse import parse
from andamio.records.table import Table
from andamio.tabular.columns import column_kinds
from andamio.tabular.file import read_file
from andamio.tabular.refused import RefusedFile

_SEED = 7


def sample_files(folder: Path, contract: Contract) -> list[Path]:
    """The files that [data] files names; raises `CommandError` when there are none, or one is not there."""
    where = f"{folder / 'problem.toml'}: [data] files"
    if not contract.data.files:
        raise InputFileError(
            f"{where} lists no sample data. Name a CSV, Parquet or JSON Lines file of this folder there, or deploy "
            "(andamio deploy) and upload data with andamio ingest."
        )
    files = [folder / name for name in contract.data.files]
    for name, file in zip(contract.data.files, files, strict=True):
        if not file.is_file():
            there = sorted(path.name for path in file.parent.glob("*") if path.is_file())
            near = near_name(file.name, there)
            hint = f" Did you mean '{near}'? Capitals and accents must match." if near else ""
            raise InputFileError(f"{where} names '{name}', but {folder} has no such file.{hint}")
    return files


def check_columns(folder: Path, contract: Contract) -> None:
    """Raise `InputFileError` where ETL would refuse a file of [data] files by its columns, or as a whole."""
    contract = contract.sent
    for file in sample_files(folder, contract):
        try:
            objection = why_unusable(_names_in(file, contract), contract)
        except RefusedFile as error:
            raise InputFileError(f"{file} {error}") from None
        except OSError as error:
            raise InputFileError(f"{file} cannot be read: {error}") from None
        if objection:
            raise InputFileError(
                f"{file} {objection}. Nothing was deployed. Correct the header of the file, or the names in "
                f"{folder / 'problem.toml'}."
            )


def _names_in(file: Path, contract: Contract) -> list[str]:
    """The names of a file's columns; of JSON Lines those up to the row with which none that is required is lacking."""
    columns = file_columns(contract)
    read_as, blocks = read_file(file.name, file.read_bytes(), contract, column_kinds(contract, columns))
    for _ in blocks:
        if read_as.format != "jsonl" or set(required_columns(contract)) <= set(read_as.names):
            break
    return read_as.names


def first_record(file: Path, contract: Contract) -> dict[str, Any]:
    """A real record to predict: the first of a file that the contract accepts, else the schema's example."""
    contract = contract.sent
    try:
        return next(records(file, contract), None) or example_record(contract)
    except (OSError, DataError):
        return example_record(contract)  # ETL reports what is wrong with a file


def records(file: Path, contract: Contract) -> Iterator[dict[str, Any]]:
    """The records of a file that the contract accepts, as a client would send them; raises as `read_file` does."""
    for table, row in _rows(file, contract.sent, training=False):
        yield _record(table, row, contract.sent)


def labelled_records(file: Path, contract: Contract) -> Iterator[tuple[dict[str, Any], str | float]]:
    """Records as `records` has them, each with its label as feedback says it; rows without a label are left out.

    There are none where the label is no column but made by prepare.py, which runs in ETL alone.
    """
    for table, row in _rows(file, contract.sent, training=True):
        if table.labels is None:
            return
        label = table.labels[row].item()
        yield _record(table, row, contract.sent), label if table.labels.dtype.kind == "f" else contract.classes[label]


def _rows(file: Path, contract: Contract, *, training: bool) -> Iterator[tuple[Table, int]]:
    """The rows of a file that the contract accepts, each with the table that it is in; `training`: with the label."""
    kinds = column_kinds(contract, file_columns(contract) if training else contract.inputs)
    read_as, blocks = read_file(file.name, file.read_bytes(), contract, kinds)
    for some in blocks:
        table = parse(
            contract, some.columns, len(some.lines), text=some.text, decimal=read_as.decimal or ".", training=training
        )
        for row in np.flatnonzero(~table.bad).tolist():
            yield table, row


def _record(table: Table, row: int, contract: Contract) -> dict[str, Any]:
    return {
        name: _as_written(feature, json_value(_cell(table, name, row))) for name, feature in contract.inputs.items()
    }


def _cell(table: Table, name: str, row: int) -> Any:
    if name not in table.coded:
        return table.columns[name][row]
    column = table.coded[name]
    return column.values[column.codes[row]] if column.codes[row] >= 0 else None


def _as_written(feature: Feature, value: Any) -> Any:
    if feature.format is None or value is None:
        return value
    return date_format(feature.format).write(datetime.fromisoformat(value))


def unlabelled(file: Path, contract: Contract, target: Path, rows: int = 1000) -> Path:
    """Write some rows of a sample without the label to a CSV file, and return its path.

    They are drawn from all of it and stay in its order: the first rows of a file that is sorted are unlike the others,
    and the watch would say so. Raises `InputFileError` when the sample cannot be read.
    """
    contract = contract.sent
    problem = contract.problem
    columns = [*contract.inputs, *(name for name in (problem.id, problem.time) if name is not None)]
    try:
        body, kinds = file.read_bytes(), column_kinds(contract, columns)
        count = sum(len(some.lines) for some in read_file(file.name, body, contract, kinds)[1])
        read_as, blocks = read_file(file.name, body, contract, kinds)
        chosen = np.sort(np.random.default_rng(_SEED).permutation(count)[:rows])
        drawn: list[Mapping[str, Any]] = []
        before, text_cells = 0, True
        for some in blocks:
            here = chosen[(chosen >= before) & (chosen < before + len(some.lines))] - before
            drawn += [some.original(row) for row in here.tolist()]
            before, text_cells = before + len(some.lines), some.text
    except (OSError, DataError) as error:
        raise InputFileError(f"{file} {error}") from None
    if not drawn:
        raise InputFileError(f"{file} has no rows to score.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # With a byte order mark: without one, the encoding of the contract would apply.
    with target.open("w", encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text, delimiter=read_as.delimiter or contract.data.delimiter or ",", lineterminator="\n")
        names = [name for name in read_as.names if name in columns]
        writer.writerow(names)
        for row in drawn:
            writer.writerow([row.get(name) if text_cells else _text(row.get(name)) for name in names])
    return target


def _text(value: Any) -> str:
    plain = json_value(value)
    return "" if plain is None else str(plain)


def json_value(value: Any) -> Any:
    """A parsed cell as a client would send it: text, a whole or a decimal number, a date, or null."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain == "" or plain != plain:
        return None
    if isinstance(plain, float):
        return int(plain) if plain.is_integer() else plain
    return str(plain)
