"""One outer split of one table: the search of a run on its train rows, and every trial's predictions of the others.

Every trial is scored as a run scores it, fitted on all train rows, calibrated by its out-of-fold scores and asked for
the test rows, so that any rule can be compared afterwards by looking up what it would have served.
"""

from __future__ import annotations

import json
import time
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedShuffleSplit
from threadpoolctl import threadpool_limits

from andamio.contract import Contract
from benchmarks.training.selection.tables import CACHE, RealTable, Source, load
from training import calibrate
from training.documents import SearchPlan, StudyTrial, TrainingPlan, TrialSpec
from training.families import catalog
from training.families.trainable import fit_spec
from training.rows import TrainingRows, encode_rows, seal
from training.search.rounds import next_trials
from training.trials import folds
from training.trials.trial import CrossValidation, cross_validate

FAMILIES = ("logistic_regression", "random_forest", "gradient_boosting", "hist_gradient_boosting")
"""The other two families take most of the time and are chosen least."""
TRIALS, ROUND, SEED = 9, 3, 7
MOST_TRAIN, MOST_TEST = 1_000, 4_000
TRAIN_SHARE = 0.75

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A trial: its figures (`CrossValidation.figures`, and its specification), and its calibrated probabilities.

    `out_of_fold` [train rows, classes] and `test` [test rows, classes].
    """

    figures: dict[str, Any]
    out_of_fold: Floats
    test: Floats


@dataclass(frozen=True, slots=True)
class Split:
    """An outer split: its trials, the labels of both sides, and plain models' probabilities of the test rows."""

    table: str
    number: int
    metric: str
    positive: int
    train: NDArray[np.int64]
    labels: NDArray[np.int64]
    trials: list[Scored]
    plain: dict[str, Floats]
    seconds: float


def path(source: Source, number: int, rows: int) -> Path:
    """The file of one split in the cache."""
    return CACHE / f"{source.name.replace(' ', '_')}-{rows}-{number}.npz"


def sides(table: RealTable, number: int, rows: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The train rows and the test rows of a split, each with the classes' shares."""
    total = len(table.labels)
    train = min(rows, int(TRAIN_SHARE * total))
    draw = StratifiedShuffleSplit(
        1,
        train_size=train,
        test_size=min(MOST_TEST, total - train),
        random_state=zlib.crc32(table.name.encode()) + number,
    )
    fit_rows, test_rows = next(draw.split(np.zeros(total), table.labels))
    return np.sort(fit_rows), np.sort(test_rows)


def compute(source: Source, number: int, rows: int, repeats: int) -> float:
    """Search on one split and write its file; returns the CPU seconds that the search took."""
    table = load(source)
    fit_rows, test_rows = sides(table, number, rows)
    train_columns = table.take(fit_rows)
    contract = seal(table.contract, train_columns)
    train = encode_rows(contract, train_columns, version="benchmark")
    test = encode_rows(contract, table.take(test_rows), version="benchmark")
    arrays: dict[str, NDArray[Any]] = {"train": train.labels, "labels": test.labels}
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = time.process_time()
        found = search(contract, train, repeats)
        seconds = time.process_time() - started
        trials = []
        for place, (spec, validation) in enumerate(found):
            curve = calibrate.fit(validation.out_of_fold, train.labels, contract.positive_index)
            fitted = fit_spec(contract, train.encoded, train.labels, spec, SEED)
            arrays[f"oof{place}"] = _kept(curve.apply(validation.out_of_fold, contract.positive_index))
            arrays[f"test{place}"] = _kept(curve.apply(fitted.predict(test.encoded), contract.positive_index))
            ratio = len(validation.fold_rows) / repeats
            trials.append({**spec.model_dump(), **validation.figures(), "test_to_train": 1 / (ratio - 1)})
        for name, scores in plain(contract, train, test).items():
            arrays[f"plain_{name}"] = _kept(scores)
    told = {
        "table": table.name,
        "number": number,
        "metric": contract.training.metric,
        "positive": contract.positive_index,
        "trials": trials,
        "seconds": seconds,
    }
    target = path(source, number, rows)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_suffix(".part").open("wb") as file:
        np.savez_compressed(file, told=np.array(json.dumps(told)), **arrays)  # type: ignore[arg-type]
    target.with_suffix(".part").rename(target)
    return seconds


def search(contract: Contract, train: TrainingRows, repeats: int) -> list[tuple[TrialSpec, CrossValidation]]:
    """The trials of a run, round by round, that could be scored."""
    assigned = folds.repeated(train.labels, train.keys, contract.classes, SEED, repeats)
    plan = _plan(contract, repeats)
    study: list[StudyTrial] = []
    found: list[tuple[TrialSpec, CrossValidation]] = []
    for number in range(1, TRIALS // ROUND + 1):
        for spec in next_trials(plan, study, number):
            if spec.baseline:
                continue
            mean = None
            try:
                validation = cross_validate(contract, train, spec, SEED, assigned)
                found.append((spec, validation))
                mean = validation.mean
            except ValueError:
                pass
            told = spec.model_dump(include=set(StudyTrial.model_fields))
            study.append(StudyTrial(**told, status="failed" if mean is None else "done", mean=mean))
    return found


def _plan(contract: Contract, repeats: int) -> TrainingPlan:
    search = SearchPlan(trials=TRIALS, round=ROUND, patience=TRIALS, budget_minutes=1440, repeats=repeats)
    absent = dict.fromkeys(("dataset", "contract", "sources", "run", "problem", "split", "folds", "started"), "")
    return TrainingPlan(
        **absent,  # type: ignore[arg-type]
        seed=SEED,
        families=list(FAMILIES),
        search=search,
        libraries={},
        metric=contract.training.metric,
        skipped=[],
    )


def plain(contract: Contract, train: TrainingRows, test: TrainingRows) -> dict[str, Floats]:
    """What people compare with: logistic regression and scikit-learn's histogram boosting, both with their defaults."""
    linear = catalog.fit("logistic_regression", train.encoded, train.labels, classes=len(contract.classes), seed=SEED)
    defaults = HistGradientBoostingClassifier()
    params = {
        name: getattr(defaults, name)
        for name in ("max_iter", "learning_rate", "max_leaf_nodes", "min_samples_leaf", "l2_regularization")
    }
    boosted = catalog.fit(
        "hist_gradient_boosting", train.encoded, train.labels, classes=len(contract.classes), seed=SEED, params=params
    )
    return {"logistic regression": linear.predict(test.encoded), "boosting": boosted.predict(test.encoded)}


def _kept(probabilities: Floats) -> NDArray[np.float32]:
    return probabilities.astype(np.float32)


def read(file: Path) -> Split:
    """A split from the cache."""
    with np.load(file) as stored:
        told = json.loads(str(stored["told"]))
        trials = [
            Scored(figures, stored[f"oof{place}"].astype(float), stored[f"test{place}"].astype(float))
            for place, figures in enumerate(told["trials"])
        ]
        models = {
            name.removeprefix("plain_"): stored[name].astype(float)
            for name in stored.files
            if name.startswith("plain_")
        }
        return Split(
            table=told["table"],
            number=told["number"],
            metric=told["metric"],
            positive=told["positive"],
            train=stored["train"],
            labels=stored["labels"],
            trials=trials,
            plain=models,
            seconds=told["seconds"],
        )
