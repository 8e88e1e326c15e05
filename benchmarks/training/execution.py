"""A whole training execution beside Optuna over scikit-learn's own cross-validation, as people write it.

    python -m benchmarks.training.execution                      # 1,000 and 6,000 rows, 12 trials
    python -m benchmarks.training.execution 20000 --table wide   # another size, another table
    python -m benchmarks.training.execution 100000 --trials 6 --ours-only --budget 180    # 90 seconds of two cores

Ours is plan, search, fit, export with proof of parity, and evaluation on the holdout. Theirs is a study of as many
trials with the same families, parameters, folds and repeats, each scored by `cross_validate`, then the best one
fitted on all of train and scored on the holdout. Each step runs in a process of its own, on one thread; seconds are
of CPU, without the imports of either.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from andamio.contract import Contract
from andamio.dataset import version as dataset
from benchmarks.batch import report
from benchmarks.batch.folder import FolderObjects
from benchmarks.tables import NAMES, table
from benchmarks.training.trials import pipeline
from tests.support.datasets import publish

SIZES = (1_000, 6_000)
TRIALS = 12
SEED = 7
HEAD = (
    "| table | rows | trials | search, s | fit, s | evaluate, s | ours, s | theirs, s | ratio | AUC, ours / theirs | "
    "peak, MB |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)

Said = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print CPU seconds of a whole execution, ours and theirs, for each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", type=int, default=list(SIZES))
    parser.add_argument("--table", choices=NAMES, default="bench")
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--ours-only", action="store_true")
    parser.add_argument("--budget", type=float, help="CPU seconds that ours may take for a size; more fails")
    parser.add_argument("--write", metavar="SECTION", help="put the table into RESULTS.md")
    given = parser.parse_args(arguments)
    written = [HEAD]
    print(HEAD)
    for rows in given.rows:
        with tempfile.TemporaryDirectory() as folder:
            contract, cells = table(given.table, rows)
            (Path(folder) / "contract.json").write_bytes(contract.to_json())
            publish(FolderObjects(Path(folder) / "lake"), contract, cells)
            del cells
            own = execution(Path(folder), given.trials)
            other = None if given.ours_only else in_process(Path(folder), "theirs", own["run"])
        line = _line(given.table, rows, given.trials, own, other)
        written.append(line)
        print(line, flush=True)
        taken = _whole(own)
        if given.budget and taken > given.budget:
            sys.exit(f"{rows:,} rows took {taken:.0f} s of CPU, and {given.budget:g} are allowed.")
    if given.write:
        report.put(given.write, "\n".join(written))


def _whole(own: Mapping[str, Any]) -> float:
    return float(sum(own[step] for step in ("plan", "search", "fit", "evaluate")))


def _line(name: str, rows: int, trials: int, own: Mapping[str, Any], other: Mapping[str, Any] | None) -> str:
    whole = _whole(own)
    beside = f"{other['cpu']:.1f} | {whole / other['cpu']:.2f}x" if other else " | "
    auc = f"{own['auc']:.4f} / {other['auc']:.4f}" if other else f"{own['auc']:.4f}"
    parts = " | ".join(f"{own[step]:.1f}" for step in ("search", "fit", "evaluate"))
    return f"| {name} | {rows:,} | {trials} | {parts} | {whole:.1f} | {beside} | {auc} | {own['peak']:.0f} |"


def execution(folder: Path, trials: int, **environment: str) -> Said:
    """Every step of a run in the order of the state machine: CPU seconds by step, peak memory in MB, the AUC."""
    found: Said = {"search": 0.0, "peak": 0.0}

    def step(name: str, *arguments: str, of: str) -> Said:
        said = in_process(folder, name, *arguments, **environment)
        found[of] = found.get(of, 0.0) + said["cpu"]
        found["peak"] = max(found["peak"], said["peak"])
        return said

    run = found["run"] = step("plan", str(trials), of="plan")["run"]
    told: Said = {"round": 0, "status": "continue"}
    while told["status"] == "continue":
        asked = step("ask", run, str(told["round"]), of="search")
        for trial in asked["trials"]:
            step("trial", run, trial, str(asked["round"]), of="search")
        told = step("tell", run, str(asked["round"]), of="search")
    fitted = step("fit", run, of="fit")
    evaluated = step("evaluate", run, of="evaluate")
    return found | {"auc": evaluated["auc"], "trial": fitted["trial"]}


def in_process(folder: Path, step: str, *arguments: str, **environment: str) -> Said:
    """One step in a process of its own, on one thread: what it says, with `cpu` seconds and `peak` MB."""
    command = [sys.executable, "-m", "benchmarks.training.execution", "--step", str(folder), step, *arguments]
    settings = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=settings)
    said: Said = json.loads(done.stdout.splitlines()[-1])
    return said


def _step(folder: Path, step: str, *arguments: str) -> None:
    """Run one step here, and print what it says as JSON."""
    call = _STEPS[step]
    # What a step imports is not its work: of the sampler and of what theirs needs, too.
    import training.evaluate.evaluate
    import training.fit
    import training.plan
    import training.search.rounds  # noqa: F401

    started = time.process_time()
    said = call(folder, *arguments)
    said["cpu"] = time.process_time() - started
    said["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(said))


def _stores(folder: Path) -> tuple[FolderObjects, FolderObjects]:
    return FolderObjects(folder / "lake"), FolderObjects(folder / "models")


def _plan(folder: Path, trials: str) -> Said:
    from training.plan import plan

    contract = Contract.from_json((folder / "contract.json").read_bytes())
    return {"run": plan(*_stores(folder), contract, trials=int(trials), budget_minutes=1440).run}


def _ask(folder: Path, run: str, after: str) -> Said:
    from training.search import rounds

    asked = rounds.ask(_stores(folder)[1], run, after=int(after))
    return {"round": asked.round, "trials": [spec.id for spec in asked.trials]}


def _trial(folder: Path, run: str, trial: str, number: str) -> Said:
    from training.trials.trial import trial as cross_validate

    return {"status": cross_validate(*_stores(folder), run, trial, number=int(number)).status}


def _tell(folder: Path, run: str, number: str) -> Said:
    from training.search import rounds

    now = datetime.now(UTC)
    told = rounds.tell(_stores(folder)[1], run, number=int(number), began=now, now=now)
    return {"round": told.round, "status": told.status}


def _fit(folder: Path, run: str) -> Said:
    from training.documents import FittedModel
    from training.fit import fit

    fitted = fit(*_stores(folder), run)
    assert isinstance(fitted, FittedModel), fitted.status
    return {"trial": fitted.trial}


def _evaluate(folder: Path, run: str) -> Said:
    from training.evaluate.evaluate import evaluate

    return {"auc": evaluate(*_stores(folder), run).metrics["roc_auc"].value}


def _theirs(folder: Path, run: str) -> Said:
    """The same trials as people write them: an objective that cross-validates a pipeline, and a study over it."""
    import optuna
    import pandas as pd
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate

    from training.run import Run

    lake, models = _stores(folder)
    contract = Contract.from_json((folder / "contract.json").read_bytes())
    started = time.process_time()
    plan = Run(run, models).plan()
    sides = {side: _frame(contract, dataset.read_columns(lake, plan.dataset, side)) for side in ("train", "holdout")}
    trials = [trial for trial in Run(run, models).trials() if not trial.baseline]
    read = time.process_time() - started
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=SEED))
    splitter = RepeatedStratifiedKFold(n_splits=5, n_repeats=plan.search.repeats, random_state=SEED)
    frame, labels = sides["train"]

    def objective(asked: optuna.Trial) -> float:
        given = trials[asked.number]
        asked.suggest_categorical("family", sorted({trial.family for trial in trials}))
        model = pipeline(frame, given.family, given.params, SEED, given.selection, given.share)
        scores = cross_validate(model, frame, labels, cv=splitter, scoring="roc_auc")
        return float(scores["test_score"].mean())

    study.optimize(objective, n_trials=len(trials))
    best = trials[study.best_trial.number]
    model = pipeline(frame, best.family, best.params, SEED, best.selection, best.share).fit(frame, labels)
    unseen, truth = sides["holdout"]
    assert isinstance(unseen, pd.DataFrame)
    return {"auc": float(roc_auc_score(truth, model.predict_proba(unseen)[:, 1])), "reading": read}


def _frame(contract: Contract, columns: Mapping[str, Any]) -> tuple[Any, Any]:
    """A side of a data version as pandas has it: features with None or NaN, and its classes."""
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame({name: columns[name] for name in contract.inputs})
    for name in contract.category_columns:
        frame[name] = frame[name].replace("", None).astype(object)
    return frame, np.asarray(columns[contract.problem.target]).astype(str) == contract.classes[-1]


_STEPS: dict[str, Callable[..., Said]] = {
    "plan": _plan,
    "ask": _ask,
    "trial": _trial,
    "tell": _tell,
    "fit": _fit,
    "evaluate": _evaluate,
    "theirs": _theirs,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        _step(Path(sys.argv[2]), *sys.argv[3:])
    else:
        main()
