"""A training run's steps, done by an unpacked train bundle alone; a program for `python -I -S -B`.

    train_in_bundle.py BUNDLE LAYER MEMORY OBJECTS

BUNDLE is the unpacked bundle, LAYER the contract's, and nothing else is importable but the standard library.
MEMORY is andamio/adapters/memory.py, which no bundle holds. OBJECTS is a pickle of the lake's and the models
bucket's objects, {key: bytes} each, with one run whose first round was asked. Prints what came of it, as JSON.
"""

from __future__ import annotations

import importlib.util
import json
import pickle
import sys
from pathlib import Path


def main(bundle: str, layer: str, memory: str, objects: str) -> None:
    sys.path[:0] = [bundle, layer]
    spec = importlib.util.spec_from_file_location("andamio.adapters.memory", memory)
    assert spec is not None
    assert spec.loader is not None
    storage = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = storage
    spec.loader.exec_module(storage)
    lake, models = storage.MemoryObjects("lake"), storage.MemoryObjects("models")
    for bucket, content in zip((lake, models), pickle.loads(Path(objects).read_bytes()), strict=True):
        for key, body in content.items():
            bucket.put_new(key, body)
    print(json.dumps(train(lake, models)))


def train(lake, models) -> dict:
    """Every trial, the export of each of them, then the steps that follow, and the plan of another run."""
    from andamio.step import run_step
    from lambdas.train.handler import STEPS, Buckets
    from training import calibrate, export, fit
    from training.documents import RoundResult, RoundTrials, ScoredTrial
    from training.npy import from_npy
    from training.run import ENOUGH, Run, round_result_file, round_trials_file, scores_file
    from training.trials.trial import load_train

    to = Buckets(lake, models)
    run = next(info.key.split("/")[1] for info in models.list("runs/"))
    at = Run(run, models)
    asked = [spec.id for spec in at.need(round_trials_file(1), RoundTrials, "ask").trials]
    for trial in asked:
        run_step(STEPS, to, {"step": "trial", "run": run, "trial": trial, "round": 1})
    told = RoundResult(run=run, round=1, status=ENOUGH, why="", best=None, trials=asked, study=[])
    at.write(round_result_file(1), told.to_json())  # another function's step

    planned = at.plan()
    contract, rows = load_train(lake, at, planned.dataset)
    attempts = {}
    for result in at.trials():
        if isinstance(result, ScoredTrial) and not result.baseline:
            scores = from_npy(at.read(scores_file(result.id), result.scores, "trial"))
            _, (attempts[result.id],) = fit.try_exports(
                contract, rows, [result], lambda _, kept=scores: kept, planned.seed, export.to_onnx, calibrate.attach
            )
    return {
        "trials": {result.id: result.status for result in at.trials()},
        "exports": {name: attempt.model_dump() for name, attempt in attempts.items()},
        "fit": run_step(STEPS, to, {"step": "fit", "run": run}),
        "evaluate": run_step(STEPS, to, {"step": "evaluate", "run": run}),
        "decide": run_step(STEPS, to, {"step": "decide", "run": run, "attempts": 0}),
        "plan": run_step(STEPS, to, {"step": "plan", "input": {"trials": 1}}),
    }


if __name__ == "__main__":
    main(*sys.argv[1:5])
