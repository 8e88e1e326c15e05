"""How often the 95% interval of a feature's importance holds its true importance: known models, drawn holdouts.

    .venv/bin/python -m benchmarks.sureness.coverage_importance [--quick]

A model that sees five features, of which two go together and one tells nothing, is fixed; the true importance of each
is that on 400,000 rows. Holdouts are drawn, and each interval is counted: does it hold the truth? "none" is the share
of holdouts without an interval, because rows of a class are too few.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from andamio.contract import Contract
from andamio.records.encode import Encoded, encode
from andamio.records.parse import parse
from andamio.release.model import Model
from andamio.stats import metrics
from training.evaluate.importance import importance
from training.rows import TrainingRows

Floats = NDArray[np.float64]

NAMES = ("strong", "twin", "weak", "rare", "nothing")
WEIGHTS = np.array([1.2, 0.8, 0.4, 2.0, 0.0])
"""`twin` goes with `strong`; `rare` is 1 on a tenth of the rows, else 0."""
SIZES = {60: 300, 500: 120, 5000: 40}
"""Rows of a holdout, and how many are drawn."""
TRUTH_ROWS, SHUFFLES = 400_000, 5
WORLDS = {
    "45% positive": (0.0, ("roc_auc", "log_loss", "brier", "accuracy", "f1", "average_precision")),
    "15% positive": (-2.5, ("roc_auc", "log_loss", "average_precision")),
    "a number": (0.0, ("rmse", "mae", "r2")),
}
"""By name: what is added to the score, and the metrics; a number is the score with noise."""


@dataclass(frozen=True)
class Fixed:
    """The model: what it says of rows, by a score that is a little wrong."""

    bias: float
    number: bool

    def predict(self, encoded: Encoded) -> Floats:
        """Probabilities `[n, 2]`, or values `[n, 1]`."""
        score = encoded.numbers @ (WEIGHTS * 0.9) + self.bias
        if self.number:
            return np.asarray(score[:, None], dtype=np.float64)
        positive = 1 / (1 + np.exp(-score))
        return np.stack([1 - positive, positive], axis=1)


def contract_of(metric: str) -> Contract:
    """The contract of five numbers."""
    number = metric in metrics.REGRESSION_METRICS
    target = 'task = "regression"' if number else 'labels = { no = "No", yes = "Yes" }'
    features = "".join(f'[features.{name}]\ntype = "number"\n' for name in NAMES)
    return Contract.from_toml(
        f'[problem]\nname = "test"\ntarget = "y"\n{target}\n[training]\nmetric = "{metric}"\n{features}'
    )


def draw(rng: np.random.Generator, rows: int, bias: float, contract: Contract, *, number: bool) -> TrainingRows:
    """Rows of the world."""
    values = rng.normal(size=(rows, len(NAMES)))
    values[:, 1] = 0.7 * values[:, 0] + np.sqrt(1 - 0.7**2) * values[:, 1]
    values[:, 3] = rng.random(rows) < 0.1
    score = values @ WEIGHTS + bias
    labels = score + rng.normal(size=rows) if number else (rng.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int64)
    cells = {name: values[:, place].tolist() for place, name in enumerate(NAMES)}
    table = parse(contract, cells, rows, text=False)
    return TrainingRows(encode(contract, table), labels, tuple(map(str, range(rows))), table)


def truth(model: Fixed, rows: TrainingRows, contract: Contract, rng: np.random.Generator) -> dict[str, float]:
    """The importance of each feature on very many rows."""
    metric = contract.training.metric
    sign = 1 if metrics.higher_is_better(metric) else -1

    def score(encoded: Encoded) -> float:
        return metrics.score(
            metric, rows.labels, model.predict(encoded), positive=contract.positive_index, threshold=0.5
        )

    plain, found = score(rows.encoded), {}
    for place, name in enumerate(NAMES):
        drawn = []
        for _ in range(SHUFFLES):
            numbers = rows.encoded.numbers.copy()
            numbers[:, place] = rng.permutation(numbers[:, place])
            drawn.append(score(Encoded(numbers, rows.encoded.categories)))
        found[name] = sign * (plain - float(np.mean(drawn)))
    return found


def main(arguments: list[str] | None = None) -> None:
    """Simulate and print the table of docs/intervals.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the draws")
    options = parser.parse_args(arguments)
    print("| world | importance by |" + "".join(f" {rows:,} rows |" for rows in SIZES))
    print("|---|---|" + "---|" * len(SIZES), flush=True)
    for name, (bias, measured) in WORLDS.items():
        for metric in measured:
            cells = [
                coverage(metric, bias, rows, draws // (10 if options.quick else 1)) for rows, draws in SIZES.items()
            ]
            print(f"| {name} | {metric} | {' | '.join(cells)} |", flush=True)


def coverage(metric: str, bias: float, size: int, draws: int) -> str:
    """The share of intervals of all features that hold the truth, and of holdouts without one."""
    number = metric in metrics.REGRESSION_METRICS
    contract, model = contract_of(metric), Fixed(bias, number)
    rng = np.random.default_rng([17, size])
    true = truth(model, draw(rng, TRUTH_ROWS, bias, contract, number=number), contract, rng)
    held = judged = 0
    for seed in range(draws):
        holdout = draw(rng, size, bias, contract, number=number)
        for found in importance(contract, cast(Model, model), holdout, 0.5, seed).features:
            if found.low is not None and found.high is not None and found.feature != "nothing":
                judged += 1
                held += found.low <= true[found.feature] <= found.high
    asked = draws * (len(NAMES) - 1)
    none = f", none on {1 - judged / asked:.0%}" if judged < 0.995 * asked else ""
    return f"{held / judged:.1%}{none}" if judged else "no interval"


if __name__ == "__main__":
    main()
