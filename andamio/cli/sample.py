"""The sample data of a problem's folder: its files, and a record of them to ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from andamio.contract import Contract
from andamio.errors import CommandError, DataError
from andamio.schema import example_record
from training.raw import read_raw


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
            raise CommandError(f"{where} names '{name}', and there is no such file in {folder}.")
    return files


def first_record(file: Path, contract: Contract) -> dict[str, Any]:
    """A real record to predict: the first of a file that the contract accepts, else the schema's example."""
    try:
        _, chunks = read_raw(file.name, file.read_bytes(), contract, contract.inputs)
        for chunk in chunks:
            table = contract.parse(chunk.columns, chunk.rows, text=chunk.text, decimal=chunk.decimal)
            for row in np.flatnonzero(~table.bad)[:1]:
                return {name: json_value(table.columns[name][row]) for name in contract.inputs}
    except (OSError, DataError):
        pass  # ETL says what is wrong with a file; here it is an example only
    return example_record(contract)


def json_value(value: Any) -> Any:
    """A parsed cell as a client would send it: text, a whole or a decimal number, a date, or null."""
    plain = value.item() if hasattr(value, "item") else value
    if plain is None or plain == "" or plain != plain:
        return None
    if isinstance(plain, float):
        return int(plain) if plain.is_integer() else plain
    return str(plain)
