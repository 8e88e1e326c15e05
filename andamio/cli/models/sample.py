"""The sample data of a problem's folder: its files, and a record of them to ask for."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.contract.schema import example_record
from andamio.errors import CommandError, DataError
from andamio.records.names import near_name
from andamio.records.parse import parse
from andamio.tabular import read_raw


def sample_files(folder: Path, contract: Contract) -> list[Path]:
    """The files that [data] files names; raises `CommandError` when there are none, or one is not there."""
    where = f"{folder / 'problem.toml'}: [data] files"
    if not contract.data.files:
        raise CommandError(
            f"{where} lists no sample data. Name a CSV, Parquet or JSON Lines file of this folder there, or deploy "
            "(andamio deploy) and bring data with andamio ingest."
        )
    files = [folder / name for name in contract.data.files]
    for name, file in zip(contract.data.files, files, strict=True):
        if not file.is_file():
            there = sorted(path.name for path in file.parent.glob("*") if path.is_file())
            near = near_name(file.name, there)
            hint = f" Is it '{near}'? Letters count as they are written, capitals and accents too." if near else ""
            raise CommandError(f"{where} names '{name}', and there is no such file in {folder}.{hint}")
    return files


def first_record(file: Path, contract: Contract) -> dict[str, Any]:
    """A real record to predict: the first of a file that the contract accepts, else the schema's example."""
    try:
        _, chunks = read_raw(file.name, file.read_bytes(), contract, contract.inputs)
        for chunk in chunks:
            table = parse(contract, chunk.columns, chunk.rows, text=chunk.text, decimal=chunk.decimal)
            for row in np.flatnonzero(~table.bad)[:1]:
                return {name: json_value(table.columns[name][row]) for name in contract.inputs}
    except (OSError, DataError):
        pass  # ETL says what is wrong with a file; here it is an example only
    return example_record(contract)


def unlabelled(file: Path, contract: Contract, target: Path, rows: int = 1000) -> Path:
    """A CSV file of the first rows of a sample, as they are but without the label: what a batch is sent as.

    Raises `CommandError` when the sample cannot be read.
    """
    problem = contract.problem
    columns = [*contract.inputs, *(name for name in (problem.id, problem.time) if name is not None)]
    try:
        read_as, chunks = read_raw(file.name, file.read_bytes(), contract, columns)
        chunk = next(iter(chunks), None)
    except (OSError, DataError) as error:
        raise CommandError(f"{file} {error}") from None
    if chunk is None:
        raise CommandError(f"{file} has no rows to score.")
    target.parent.mkdir(parents=True, exist_ok=True)
    # With a mark: without one, it would be read in the encoding that the contract says its data have.
    with target.open("w", encoding="utf-8-sig", newline="") as text:
        writer = csv.writer(text, delimiter=read_as.delimiter or contract.data.delimiter or ",", lineterminator="\n")
        writer.writerow(chunk.columns)
        cells = zip(*chunk.columns.values(), strict=True)
        writer.writerows([cell if chunk.text else _text(cell) for cell in row] for row in islice(cells, rows))
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
