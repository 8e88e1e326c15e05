"""A trial of training beside scikit-learn's own cross-validation: the same rows, folds, families and parameters.

    python -m benchmarks.training.trials                    # 1,000 and 20,000 rows
    python -m benchmarks.training.trials 100000 1000000     # other sizes
    python -m benchmarks.training.trials --families logistic_regression 100000
    python -m benchmarks.training.trials 20000 --table wide --write training-wide

Ours is what the trial's function does after it was started: read the data version, encode it, cross-validate, estimate
the exported size. Theirs is a pipeline of imputer, scaler and one-hot encoder in `cross_validate`, on a frame that was
read beforehand. Both run on one thread, in turns; seconds are of CPU.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_classif
from sklearn.impute import SimpleImputer
from sklearn.model_selection import StratifiedKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from andamio.contract import Contract
from andamio.dataset.columns import from_bytes, table_columns, to_bytes
from andamio.dataset.version import KEY
from andamio.records.parse import parse
from benchmarks import tables
from benchmarks.batch import report
from benchmarks.tables import NAMES
from training.documents import TrialSpec
from training.families.catalog import FAMILIES
from training.rows import encode_rows, seal
from training.trials import folds, trial

SIZES = (1_000, 20_000)
TURNS = 3
SEED = 7
HEADER = f"{'rows':>10}  {'family':<24}{'ours s':>10}{'scikit-learn s':>16}{'ratio':>8}{'AUC':>16}"

HEAD = "| rows | family | ours, s | scikit-learn, s | ratio | AUC, ours / theirs |\n|---:|---|---:|---:|---:|---|"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print CPU seconds of a trial, ours and scikit-learn's, for each size and family."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--families", nargs="+", choices=list(FAMILIES), default=list(FAMILIES))
    parser.add_argument("--table", choices=NAMES, default="bench")
    parser.add_argument("--write", metavar="SECTION", help="put the table into RESULTS.md")
    given = parser.parse_args(arguments)
    written = [HEAD]
    print(HEADER)
    for rows in given.rows:
        contract, body, assigned = version(given.table, rows)
        frame, labels = table(given.table, rows)
        for family in given.families:
            pairs = [
                (
                    _seconds(partial(ours, contract, body, assigned, family)),
                    _seconds(partial(theirs, frame, labels, family)),
                )
                for _ in range(TURNS if rows <= 20_000 else 1)
            ]
            own = statistics.median(pair[0][0] for pair in pairs)
            other = statistics.median(pair[1][0] for pair in pairs)
            scores = f"{pairs[0][0][1]:.4f} / {pairs[0][1][1]:.4f}"
            written.append(f"| {rows:,} | {family} | {own:.2f} | {other:.2f} | {own / other:.2f}x | {scores} |")
            print(f"{rows:>10,}  {family:<24}{own:>10.2f}{other:>16.2f}{own / other:>7.2f}x{scores:>16}", flush=True)
    if given.write:
        report.put(given.write, "\n".join(written))


def version(name: str, rows: int) -> tuple[Contract, bytes, NDArray[np.int8]]:
    """A contract, the train side of a data version as ETL keeps it, and the folds that a plan assigns to it."""
    contract, cells = tables.table(name, rows)
    columns = table_columns(contract, parse(contract, cells, rows, text=True, training=True))
    columns |= {KEY: np.array([f"{row:016x}" for row in range(rows)], dtype=object)}
    keys = [str(key) for key in columns[KEY]]
    _, labels = tables.rows_of(name, rows)
    return contract, to_bytes(columns), folds.repeated(labels, keys, contract.classes, SEED, 1)


def table(name: str, rows: int) -> tuple[pd.DataFrame, NDArray[np.int64]]:
    """The same rows as pandas has them: numbers with NaN, categories as text with None."""
    cells, labels = tables.rows_of(name, rows)
    frame = pd.DataFrame(cells)
    contract = tables.contract(name, cells)
    for column in contract.category_columns:
        if frame[column].dtype.kind == "f":
            frame[column] = frame[column].map(lambda value: None if np.isnan(value) else f"{value:.0f}")
        frame[column] = frame[column].astype(object)
    return frame, labels


def ours(contract: Contract, body: bytes, assigned: NDArray[np.int8], family: str) -> float:
    """A trial of the family with its defaults; returns its mean AUC."""
    columns = from_bytes(body)
    sealed = seal(contract, columns)
    rows = encode_rows(sealed, columns, version="benchmark")
    spec = TrialSpec(id="t1", family=family, params={}, simplicity=0, round=1)
    return trial.cross_validate(sealed, rows, spec, SEED, assigned).mean


def theirs(frame: pd.DataFrame, labels: NDArray[np.int64], family: str) -> float:
    """The same family in scikit-learn's `cross_validate`, as its user guide has it; returns its mean AUC."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        splitter = StratifiedKFold(5, shuffle=True, random_state=SEED)
        found = cross_validate(pipeline(frame, family, {}, SEED), frame, labels, cv=splitter, scoring="roc_auc")
    return float(found["test_score"].mean())


def pipeline(
    frame: pd.DataFrame,
    family: str,
    params: Mapping[str, Any],
    seed: int,
    selection: str = "none",
    share: float = 1.0,
) -> Pipeline:
    """Imputer, scaler where the family wants one, one-hot encoder, selection of columns, and the model."""
    numbers = [name for name in frame if frame[name].dtype != object]
    texts = [name for name in frame if frame[name].dtype == object]
    impute: Any = SimpleImputer(strategy="median")
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(impute, StandardScaler()) if FAMILIES[family].scaled else impute, numbers),
            ("texts", OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        ]
    )
    width = len(numbers) + sum(frame[name].nunique(dropna=False) for name in texts)
    chosen: dict[str, Any] = {
        "none": "passthrough",
        "univariate": SelectKBest(f_classif, k=max(2, round(share * width))),
        "model": SelectFromModel(
            ExtraTreesClassifier(n_estimators=50, min_samples_leaf=5, random_state=seed),
            threshold=-np.inf,
            max_features=max(2, round(share * width)),
        ),
    }
    return make_pipeline(
        columns, chosen[selection], FAMILIES[family].build(seed, FAMILIES[family].space.params(params))
    )


def _seconds(call: Callable[[], float]) -> tuple[float, float]:
    started = time.process_time()
    result = call()
    return time.process_time() - started, result


if __name__ == "__main__":
    main()
