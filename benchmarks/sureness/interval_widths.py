"""How often the intervals of small, middling and large predictions hold the truth, of one width and of several.

    .venv/bin/python -m benchmarks.sureness.interval_widths [FOLDER ...] [--family ridge] [--draws 30] [--rows 3000]

The folders are problems of numbers (default: problems/diabetes). Each draw holds a third of the keys of train out, fits
the family out of fold on up to so many of the other rows, makes margins of that at the contract's level, and asks them
on the rows that were held out. The interval score is the width and what misses cost: less is better.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from andamio.cli.check.families import training_rows
from andamio.cli.check.rehearsal import rehearse
from andamio.cli.models.sample import sample_files
from andamio.contract import Contract
from andamio.contract.task import Regression
from andamio.prepare.code import of_folder
from andamio.stats import conformal
from training.families.trainable import fit_family
from training.rows import TrainingRows
from training.trials.folds import parts, repeated

Floats = NDArray[np.float64]
FIGURES = ("all", "lowest third", "middle third", "highest third", "mean width", "interval score")


def main(arguments: list[str] | None = None) -> None:
    """Print a table of each folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("problems/diabetes")])
    parser.add_argument("--family", default="ridge")
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--rows", type=int, default=3000)
    options = parser.parse_args(arguments)
    print("| problem | intervals | " + " | ".join(FIGURES) + " |\n|---|---|" + "---|" * len(FIGURES))
    for folder in options.folders:
        contract = Contract.load(folder)
        bodies = {file.name: file.read_bytes() for file in sample_files(folder, contract)}
        rehearsal = rehearse(contract, bodies, of_folder(contract, folder))
        if rehearsal.manifest is None:
            raise SystemExit(f"{folder}: {rehearsal.refused}")
        sealed, train = training_rows(rehearsal.lake, contract, rehearsal.manifest.version)
        drawn = [[*_draw(sealed, train, options.family, options.rows, seed)] for seed in range(options.draws)]
        for place, name in enumerate(("one width", "several widths")):
            figures = np.mean([each[place] for each in drawn], axis=0)
            cells = [f"{figure:.1%}" if index < 4 else f"{figure:.4g}" for index, figure in enumerate(figures)]
            print(f"| {contract.problem.name} | {name} | " + " | ".join(cells) + " |")


def _draw(contract: Contract, train: TrainingRows, family: str, rows: int, seed: int) -> Iterator[list[float]]:
    task = contract.task
    if not isinstance(task, Regression):
        raise SystemExit(f"{contract.problem.name} predicts classes: intervals are those of numbers")
    rng, keys = np.random.default_rng(seed), np.asarray(train.keys, dtype=np.str_)
    known = np.unique(keys)
    out = np.isin(keys, rng.permutation(known)[: len(known) // 3])
    fitted_on, asked = rng.permutation(np.flatnonzero(~out))[:rows], np.flatnonzero(out)
    truth, encoded = train.labels[fitted_on], train.encoded.take(fitted_on)
    scores = np.empty(len(truth))
    for fold, rest in parts(repeated(truth, keys[fitted_on], contract.classes, seed, 1)[0]):
        model = fit_family(contract, family, encoded.take(fold), truth[fold], seed)
        scores[rest] = model.predict(encoded.take(rest))[:, 0]
    predicted = fit_family(contract, family, encoded, truth, seed).predict(train.encoded.take(asked))[:, 0]
    for fewest in (len(truth) + 1, conformal.WIDTH_ROWS):
        with patch.object(conformal, "WIDTH_ROWS", fewest):
            margins = conformal.margins(truth, scores, task.level, log=task.log)
        yield _figures(train.labels[asked], predicted, margins)


def _figures(truth: Floats, predicted: Floats, margins: conformal.Margins) -> list[float]:
    low, high = margins.around(predicted)
    holds = conformal.held(truth, (low, high))
    third = np.digitize(predicted, np.quantile(predicted, [1 / 3, 2 / 3]))
    missed = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return [
        float(holds.mean()),
        *(float(holds[third == place].mean()) for place in range(3)),
        float((high - low).mean()),
        float((high - low + 2 / (1 - margins.level) * missed).mean()),
    ]


if __name__ == "__main__":
    main()
