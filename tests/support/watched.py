"""A release of the heart problem with its real reference, and windows of predictions to compare with it.

Scores are those of a logistic regression: out of fold for train, of the whole fit for records that it never saw.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from andamio.dataset.documents import RefusedRows
from andamio.records.parse import parse
from andamio.release.samples import OutOfFoldScores, ReferenceRows
from andamio.storage.ports import Objects, PredictionStore
from etl.profile import profile
from monitoring.delivery import read, store
from monitoring.evidence import Evidence
from monitoring.performance.window import Labelled
from monitoring.window import Window
from tests.support.capture import delivery, prediction
from tests.support.releases import HEART_FOLDER, heart, promote, seal_release

Columns = Mapping[str, NDArray[Any]]
HOLDOUT = 60


@dataclass(frozen=True)
class Records:
    """Records of a hospital that the contract accepts, their classes, and how many it refused, by field and code."""

    columns: Columns
    labels: NDArray[np.int64]
    refused: Mapping[tuple[str, str], int]
    rejected: int


@cache
def hospital(name: str = "heart") -> Records:
    """The records of a CSV file of the problem's folder: `heart` (Cleveland) or `heart-hungary`."""
    with Path(HEART_FOLDER / f"{name}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    cells = {key: np.array([row[key] for row in rows], dtype=object) for key in rows[0]}
    table = parse(heart(), cells, len(rows), text=True, training=True)
    refused: dict[tuple[str, str], int] = {}
    for one in table.violations:
        refused[one.field, one.code] = refused.get((one.field, one.code), 0) + 1
    good = table.take(~table.bad)
    assert good.labels is not None
    return Records(good.columns, good.labels, refused, int(table.bad.sum()))


@cache
def model() -> tuple[Pipeline, NDArray[np.float64], NDArray[np.int64]]:
    """The model of Cleveland's records, its out-of-fold scores, and the indices of train."""
    cleveland = hospital()
    random = np.random.default_rng(3)
    train = np.sort(random.permutation(len(cleveland.labels))[HOLDOUT:])
    made = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression(C=0.1))
    inputs = _inputs(cleveland.columns)[train]
    scores = cross_val_predict(made, inputs, cleveland.labels[train], cv=5, method="predict_proba")
    return made.fit(inputs, cleveland.labels[train]), scores, train


def watched_release(objects: Objects, *, without: tuple[str, ...] = (), refused: RefusedRows | None = None) -> str:
    """Seal and serve the release of Cleveland's model with its real reference; returns its version.

    `refused` is what ETL refused of the data.
    """
    contract, cleveland = heart(), hospital()
    _, scores, train = model()
    holdout = np.ones(len(cleveland.labels), dtype=bool)
    holdout[train] = False
    reference = ReferenceRows(
        len(train), {name: tuple(_cell(value) for value in cleveland.columns[name][train]) for name in contract.inputs}
    )
    out_of_fold = OutOfFoldScores(
        len(train),
        contract.classes,
        tuple(cleveland.labels[train].tolist()),
        tuple(range(len(train))),
        tuple(tuple(row) for row in scores.tolist()),
    )
    found = profile(contract, dict(cleveland.columns), cleveland.labels, holdout, refused)
    changed = {
        "reference.json": reference.to_json(),
        "out_of_fold.json": out_of_fold.to_json(),
        "profile.json": found.to_json(),
    }
    version = seal_release(objects, contract, changed=changed)
    promote(objects, contract.problem.name, version)
    return version


def evidence_of(window: Window, records: Records, rows: NDArray[np.int64], *, seen: bool = False) -> Evidence:
    """A window in which these rows came, evenly over its hours; `seen` rows are train's, with out-of-fold scores."""
    fitted, scores, train = model()
    columns = {name: column[rows] for name, column in records.columns.items() if name != "disease"}
    probabilities = scores[np.searchsorted(train, rows)] if seen else fitted.predict_proba(_inputs(columns))
    start = np.datetime64(window.start.replace(tzinfo=None), "ms")
    length = int((window.end - window.start).total_seconds() * 1000)
    return Evidence(
        times=start + (np.arange(len(rows)) * length // max(1, len(rows))).astype("timedelta64[ms]"),
        columns=columns,
        probabilities=probabilities,
        labels=(probabilities[:, 1] >= 0.5).astype(np.int64),
        rows_seen=len(rows),
        requests=len(rows),
    )


def capture(lake: Objects, table: PredictionStore, window: Window, records: Records, release: str, **more: Any) -> None:
    """Deliver the lines of predictions of all of these records in a window, as the API would log them.

    `first` is the number of the first prediction, 0 unless it is said; what else is said goes into every line.
    """
    first = more.pop("first", 0)
    found = evidence_of(window, records, np.arange(len(records.labels)))
    lines = []
    for row, moment in enumerate(found.times):
        features = {name: _cell(column[row]) for name, column in found.columns.items()}
        chances = {key: float(found.probabilities[row, index]) for index, key in enumerate(heart().classes)}
        at = moment.astype("datetime64[ms]").astype(datetime).replace(tzinfo=UTC)
        label = heart().classes[found.labels[row]]
        said = {"features": features, "label": label, "probabilities": chances} | more
        lines.append(prediction(first + row, at=at, release=release, **said))
    for index in range(0, len(lines), 100):
        delivered = read(delivery(lines[index : index + 100]), heart())
        store(delivered, heart(), lake, table)


def labelled(evidence: Evidence, labels: NDArray[np.int64]) -> Labelled:
    """Labels that came two hours after each prediction, -1 where none did."""
    known = labels >= 0
    age = np.full(len(labels), 12.0)
    return Labelled(evidence.probabilities, labels, age, np.where(known, 2.0, np.nan))


def _inputs(columns: Columns) -> NDArray[np.float64]:
    parts = []
    for name, feature in heart().inputs.items():
        column = columns[name]
        if feature.type == "category":
            parts += [np.asarray(column == value, dtype=np.float64) for value in feature.values or {}]
        else:
            parts.append(column.astype(np.float64))
    return np.column_stack(parts)


def _cell(value: Any) -> str | float | None:
    if isinstance(value, str):
        return value or None
    return None if np.isnan(value) else float(value)
